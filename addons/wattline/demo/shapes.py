"""Faults of status, body and connection. Each changes a reply; `faults.SHAPES` names them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate

from wattline.demo.journal import Ended
from wattline.demo.output import compact
from wattline.demo.reply import Break, Reply

type Apply = Callable[[Reply, Cue], None]

WIDE_TEXT = "Grüße, naïve 漢字 and 😀😀: the wattline demo provider. "
RETRY_DATE_SECONDS = 5
CONTINUATION = 0b1000_0000
"""The two high bits of a UTF-8 character's second and later bytes."""
HTML = b"<!DOCTYPE html><html><body><h1>wattline demo: no API here</h1></body></html>\n"


@dataclass(frozen=True, slots=True)
class Moment:
    """What a fault may know of the request: when it came (wall seconds), and its headers."""

    wall: float
    headers: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Cue:
    """A fault's argument, and the request that it is for."""

    argument: str | float | None
    moment: Moment

    @property
    def number(self) -> float:
        """The argument of a shape that takes a number."""
        return self.argument if isinstance(self.argument, float) else 0.0

    @property
    def count(self) -> int:
        """The same, of a shape that takes a whole number."""
        return int(self.number)


@dataclass(frozen=True, slots=True)
class Status:
    """An error answer in OpenAI's shape."""

    status: int
    message: str
    kind: str
    code: str | None = None
    param: str | None = None


_BAD = "invalid_request_error"
STATUSES: Mapping[str, Status] = {
    "400": Status(400, "Invalid value for a parameter.", _BAD, "invalid_value", "messages"),
    "401": Status(401, "Incorrect API key provided.", _BAD, "invalid_api_key"),
    "402": Status(402, "Your balance is used up.", "insufficient_balance"),
    "403": Status(
        403,
        "Country, region, or territory not supported.",
        "request_forbidden",
        "unsupported_country_region_territory",
    ),
    "404": Status(404, "Invalid URL.", _BAD),
    "404-model": Status(
        404, "The model does not exist or you do not have access to it.", _BAD, "model_not_found"
    ),
    "408": Status(408, "The request took too long to arrive.", "timeout"),
    "413": Status(413, "The request is too large.", _BAD, "request_too_large"),
    "422": Status(422, "The request can't be processed.", _BAD),
    "429": Status(429, "Rate limit reached for requests.", "requests", "rate_limit_exceeded"),
    "429-quota": Status(
        429, "You exceeded your current quota.", "insufficient_quota", "insufficient_quota"
    ),
    "500": Status(
        500, "The server had an error while processing your request. Sorry!", "server_error"
    ),
    "502": Status(502, "Bad gateway.", "server_error"),
    "503": Status(503, "The engine is currently overloaded.", "service_unavailable"),
    "529": Status(529, "Overloaded.", "overloaded_error", "overloaded"),
    "context_length": Status(
        400,
        "This model's maximum context length is 8192 tokens. However, your messages resulted in "
        "more. Please reduce the length of the messages.",
        _BAD,
        "context_length_exceeded",
        "messages",
    ),
}
CHANCE = ("429", "500", "502", "503")
"""What `error_rate` draws from."""


def status(name: str) -> Apply:
    """An error answer, with `Retry-After` if the argument says so."""
    chosen = STATUSES[name]

    def apply(reply: Reply, cue: Cue) -> None:
        reply.fail(
            chosen.status, chosen.message, kind=chosen.kind, code=chosen.code, param=chosen.param
        )
        if isinstance(cue.argument, str):
            reply.headers.append(("retry-after", _retry_after(cue.argument, cue.moment.wall)))
        reply.ending = Ended.FAULT

    return apply


def _retry_after(argument: str, wall: float) -> str:
    match argument:
        case "date":
            return formatdate(wall + RETRY_DATE_SECONDS, usegmt=True)
        case "garbage":
            return "soon, maybe"
        case "huge":
            return "99999999999"
    return argument


def nothing(_reply: Reply, _: Cue) -> None:
    """An honest answer."""


def close(reply: Reply, _: Cue) -> None:
    """The connection is closed before any answer."""
    reply.manner.before = Break.CLOSE


def reset(reply: Reply, _: Cue) -> None:
    """The connection is reset before any answer."""
    reply.manner.before = Break.RESET


def stall_head(reply: Reply, _: Cue) -> None:
    """Nothing at all."""
    reply.manner.before = Break.STALL


def stall_first(reply: Reply, _: Cue) -> None:
    """The head, then nothing."""
    reply.manner.after[0] = Break.STALL


def stall_mid(reply: Reply, cue: Cue) -> None:
    """Nothing more after k events."""
    _break_after(reply, cue.count, Break.STALL)


def cut(reply: Reply, cue: Cue) -> None:
    """The connection is closed after k events, without an HTTP end."""
    _break_after(reply, cue.count, Break.CLOSE)


def cut_reset(reply: Reply, cue: Cue) -> None:
    """The connection is reset after k events."""
    _break_after(reply, cue.count, Break.RESET)


def cut_clean(reply: Reply, cue: Cue) -> None:
    """A proper HTTP end after k events; of a body in one piece, after half of it."""
    if reply.events is None:
        truncated_json(reply, cue)
    else:
        _break_after(reply, cue.count, Break.END)


def _break_after(reply: Reply, events: int, what: Break) -> None:
    reply.manner.after[events if reply.events is not None else min(events, 1)] = what


def html(reply: Reply, _: Cue) -> None:
    """A web page with status 200."""
    _whole(reply, HTML, "text/html; charset=utf-8")


def empty(reply: Reply, _: Cue) -> None:
    """Status 200 and no body."""
    _whole(reply, b"", reply.content_type)


def truncated_json(reply: Reply, _: Cue) -> None:
    """Of a stream: half of its events' bytes, so that an event is cut in two."""
    whole = _all_bytes(reply)
    tokens = reply.prompt_tokens, reply.completion_tokens
    _whole(reply, whole[: len(whole) // 2], reply.content_type)
    reply.prompt_tokens, reply.completion_tokens = tokens


def _whole(reply: Reply, body: bytes, content_type: str) -> None:
    reply.body, reply.events, reply.content_type = body, None, content_type
    reply.prompt_tokens = reply.completion_tokens = 0
    reply.ending = Ended.FAULT


def _all_bytes(reply: Reply) -> bytes:
    if reply.events is None:
        return reply.payload()
    return b"".join(event.encode() for event in reply.events)


def one_byte(reply: Reply, _: Cue) -> None:
    """One byte at a time."""
    reply.manner.slicer = _each_byte


def _each_byte(data: bytes) -> Iterator[bytes]:
    for index in range(len(data)):
        yield data[index : index + 1]


def split_utf8(reply: Reply, _: Cue) -> None:
    """Cut inside each character beyond ASCII."""
    reply.manner.slicer = _inside_characters


def _inside_characters(data: bytes) -> Iterator[bytes]:
    """Cuts before every continuation byte, so inside each character beyond ASCII."""
    start = 0
    for index, byte in enumerate(data):
        if byte & 0b1100_0000 == CONTINUATION and index > start:
            yield data[start:index]
            start = index
    if start < len(data):
        yield data[start:]


def crlf(reply: Reply, _: Cue) -> None:
    """The lines of a stream end with CR LF."""
    reply.manner.newline = b"\r\n"


def gzip(reply: Reply, _: Cue) -> None:
    """Compressed, whatever the client accepts."""
    reply.manner.gzip = True


def slow_drip(reply: Reply, cue: Cue) -> None:
    """A pause before each event."""
    reply.manner.drip = cue.number


def echo_headers(reply: Reply, cue: Cue) -> None:
    """The request's headers come back as `x-echo-…`."""
    for name, value in cue.moment.headers:
        reply.headers.append((f"x-echo-{name}", "".join(c for c in value if c.isprintable())))


def headers_as_text(moment: Moment) -> str:
    """What `echo_headers` says: a JSON array of [name, value]."""
    return compact([list(header) for header in moment.headers])
