"""Log lines: one line a record, no control characters, no secret.

Two forms: text for people, and JSON for programs, with the id of the request in each line of a call.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, override

import msgspec

LEVELS = ("debug", "info", "warn", "warning", "error", "silent")
FORMATS = ("text", "json")
MIN_SECRET = 8
"""Shorter values are no secrets worth hiding, and would garble ordinary words."""
MAX_FIELD = 8_192
"""Characters of a message or a field in JSON; a traceback has twice as many."""
OURS: Final = "wattline"
_REQUEST: Final[ContextVar[str | None]] = ContextVar("wattline request", default=None)
_FIXED: Final = frozenset({"timestamp", "level", "logger", "message", "request_id", "error"})

_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))
_QUICK: Final = msgspec.json.Encoder()

type Secrets = Callable[[], Iterable[str]]
type Hide = Callable[[str], str]
"""Takes something out of a text."""


def note_request(request_id: str) -> None:
    """Lines of the present task, and of tasks that it starts, belong to this request."""
    _REQUEST.set(request_id)


def request_noted() -> str | None:
    """The request that the present task works on."""
    return _REQUEST.get()


class SafeFormatter(logging.Formatter):
    """Text. Replaces known secrets and escapes control characters (log injection, terminal escapes)."""

    def __init__(self, secrets: Secrets, hide: Hide | None = None) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self.secrets = secrets
        self.hide = hide
        self._second = -1
        self._time = ""

    @override
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """As the base does, once a second: a line is written for every call."""
        second = int(record.created)
        if second != self._second:
            self._second, self._time = second, super().formatTime(record, self.datefmt)
        return self._time

    @override
    def format(self, record: logging.LogRecord) -> str:
        """The record as safe text; a traceback keeps its lines, indented."""
        text = f"{self.formatTime(record)} {record.levelname:<7} {_of_request(record)}"
        if record.exc_info or record.stack_info:
            text = f"{text}\n{_traceback(self, record)}"
        text = redacted(text, self.secrets())
        if self.hide is not None:
            text = self.hide(text)
        if text.isprintable():
            return text
        return "\n    ".join(_escape(line) for line in text.split("\n"))


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII. A record whose arguments are one mapping has them as members too."""

    def __init__(self, secrets: Secrets, hide: Hide | None = None) -> None:
        super().__init__()
        self.secrets = secrets
        self.hide = hide
        self._second = -1
        self._time = ""

    def _moment(self, created: float) -> str:
        """ISO 8601; all but the milliseconds is made once a second."""
        second = int(created)
        if second != self._second:
            self._second = second
            self._time = datetime.fromtimestamp(second, UTC).isoformat()[:-6]
        return f"{self._time}.{int((created - second) * 1000):03d}Z"

    @override
    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON: timestamp (UTC), level, logger, request_id, message, its own members, and the
        traceback as `error`.
        """
        secrets, hide = tuple(self.secrets()), self.hide
        if hide is None:
            # Most lines are short and hold no secret: one look at the whole is enough for them.
            line = self._encoded(record, str)
            if len(line) < MAX_FIELD and not _may_show(line, secrets):
                return line

        def safe(text: str) -> str:
            text = redacted(text, secrets)
            return text if hide is None else hide(text)

        return self._encoded(record, safe)

    def _encoded(self, record: logging.LogRecord, safe: Hide) -> str:
        line: dict[str, Any] = {
            "timestamp": self._moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        args = record.args
        fields = args if type(args) is dict or isinstance(args, Mapping) else {}
        request = fields.get("request_id") or request_of(record)
        if request is not None:
            line["request_id"] = _plain(request, safe)
        line["message"] = safe(_message(record))[:MAX_FIELD]
        for name, value in fields.items():
            if name not in _FIXED:
                line[safe(str(name))] = _plain(value, safe)
        if record.exc_info or record.stack_info:
            line["error"] = safe(_traceback(self, record))[-2 * MAX_FIELD :]
        return _ascii(line)


def _message(record: logging.LogRecord) -> str:
    """Its text, made once for all who write it."""
    known: str | None = record.__dict__.get("message")
    if known is None:
        known = record.message = record.getMessage()
    return known


def _of_request(record: logging.LogRecord) -> str:
    """The message, after the id of its request where it does not say it itself."""
    message, request = _message(record), request_of(record)
    return message if request is None or request in message else f"{request} {message}"


def _ascii(line: Mapping[str, Any]) -> str:
    try:
        quick = _QUICK.encode(line)
    except (UnicodeEncodeError, OverflowError, TypeError):
        # half a character, a number of more than 64 bits, a kind of number of its own
        quick = b"\x7f"
    if quick.isascii() and b"\x7f" not in quick:
        return quick.decode()
    return _ENCODER.encode(line).replace("\x7f", "\\u007f")


def stamp(record: logging.LogRecord) -> logging.LogRecord:
    """The record with the request of the present task, for a formatter in another thread."""
    record.wattline_request = _REQUEST.get()
    return record


def request_of(record: logging.LogRecord) -> str | None:
    """The request that a line of ours belongs to; other libraries' lines belong to none."""
    if not record.name.startswith(OURS):
        return None
    found: str | None = getattr(record, "wattline_request", None) or _REQUEST.get()
    return found


def redacted(text: str, secrets: Iterable[str]) -> str:
    """`text` without these secrets."""
    for secret in secrets:
        if len(secret) >= MIN_SECRET and secret in text:
            text = text.replace(secret, "[redacted]")
    return text


def _may_show(line: str, secrets: Iterable[str]) -> bool:
    """A line of JSON holds one of them, or may hold it in another spelling."""
    for secret in secrets:
        if len(secret) >= MIN_SECRET and (
            secret in line or '"' in secret or "\\" in secret or not secret.isascii()
        ):
            return True
    return False


def formatter(form: str, secrets: Secrets, hide: Hide | None = None) -> logging.Formatter:
    """The one for `text` or `json`."""
    return (JsonFormatter if form == "json" else SafeFormatter)(secrets, hide)


def set_up(level: str, handler: logging.Handler) -> None:
    """Send wattline's records and other libraries' warnings there, and nowhere else."""
    _spare_details()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    set_level(level)
    # Ours go straight to the handler: mitmproxy puts further ones on the root, for its own pages.
    ours = logging.getLogger(OURS)
    ours.handlers[:] = [handler]
    ours.propagate = False
    # What can't listen is raised, and told by whoever wanted it.
    logging.getLogger("mitmproxy.addons.proxyserver").setLevel(logging.CRITICAL)
    for noisy in ("mitmproxy.proxy.server", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def send_also_to(handler: logging.Handler) -> None:
    """A second place for all that goes to stderr."""
    logging.getLogger().addHandler(handler)
    logging.getLogger(OURS).addHandler(handler)


def send_no_more_to(handler: logging.Handler) -> None:
    """Undo `send_also_to`."""
    logging.getLogger().removeHandler(handler)
    logging.getLogger(OURS).removeHandler(handler)


def set_level(level: str) -> None:
    """From which level on wattline's own records are shown."""
    logging.getLogger(OURS).setLevel(_number(level))


def default_level(env: Mapping[str, str]) -> str:
    """Where nobody chose one: `debug` in development (`NODE_ENV`), else `info` (B-133)."""
    return "debug" if env.get("NODE_ENV", "").strip().lower() == "development" else "info"


def _spare_details() -> None:
    """No line of ours shows them, and finding them out takes half the time that a line costs:
    https://docs.python.org/3/howto/logging.html#optimization.
    """
    logging.logThreads = logging.logProcesses = False
    logging.logMultiprocessing = False
    setattr(logging, "logAsyncioTasks", False)  # noqa: B010  (typeshed does not know it)
    logging._srcfile = None  # noqa: SLF001  (documented there)


def _number(level: str) -> int:
    if level.lower() == "silent":
        return logging.CRITICAL + 1
    return logging.getLevelNamesMapping()[level.upper()]


def _traceback(known: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info and record.exc_info[0] is not None:
        parts.append(known.formatException(record.exc_info))
    if record.stack_info:
        parts.append(record.stack_info)
    return "\n".join(parts)


def _plain(value: Any, safe: Hide) -> Any:
    """A value that JSON has, short and without a secret."""
    if type(value) is str:
        return safe(value)[:MAX_FIELD]
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return safe(str(value))[:MAX_FIELD]


def _escape(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in line)
