"""What a client's message wants. Either protocol may be spoken at any time, on the same connection.

| message | protocol |
|---|---|
| `auth`, `chat.completions`, `ping` | chat |
| `providers.list`, `providers.disable`, `providers.enable`, `stats.subscribe`, `stats.unsubscribe` | chat |
| `inference_request`, `heartbeat`, `close` | inference |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from wattline.base.errors import ClientFault
from wattline.base.strict_json import read_object

MAX_NAME: Final = 200
"""Characters of a request's id."""
MAX_KEY: Final = 4_096
MAX_REASON: Final = 123
"""Bytes of a close frame's reason (RFC 6455, 5.5)."""
PACES: Final = (500, 3_600_000)
"""The shortest and the longest time between two pushes of figures, in milliseconds."""
USUAL_PACE: Final = 5_000
_NOT_OPENAIS: Final = frozenset({"type", "requestId", "apiKey"})
"""Members of a `chat.completions` that are no fields of the call."""
_OF_SWITCHES: Final = frozenset({"type", "requestId", "provider"})
"""Members of a `providers.disable` that are no fields of the page."""
_PROVIDER: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ENVELOPE: Final = 1
"""Levels that a message has around the call."""

type Name = str | int
"""A client's id of a request: it comes back as it was."""


class Speech(StrEnum):
    """The protocol of a message."""

    CHAT = "chat"
    INFERENCE = "inference"


@dataclass(frozen=True, slots=True)
class Auth:
    """A key is shown."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ask:
    """A chat completion, `body` being OpenAI's; `name` is None when the client gave none."""

    speech: Speech
    name: Name | None
    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Manage:
    """An operator's word about providers: `verb` is `list`, `disable` or `enable`, `fields` are those of the page."""

    verb: str
    name: Name | None
    provider: str = ""
    fields: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Watch:
    """Wants figures now, and again whenever they changed, `seconds` apart; None: no more."""

    name: Name | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Ping:
    """Wants a `pong`."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The client is alive, and wants to hear the same."""


@dataclass(frozen=True, slots=True)
class Leave:
    """The client has done."""

    reason: str


type Intent = Auth | Ask | Manage | Watch | Ping | Beat | Leave


class BadFrame(Exception):
    """A message that can't be used. `speech` and `name` are None when it does not say."""

    def __init__(
        self, fault: ClientFault, speech: Speech | None = None, name: Name | None = None
    ) -> None:
        super().__init__(fault.code)
        self.fault = fault
        self.speech = speech
        self.name = name


def read_frame(text: str, max_depth: int) -> Intent:
    """A message's intent; the call in it may be nested `max_depth` deep. Raises BadFrame."""
    try:
        frame = read_object(text.encode(), max_depth=max_depth + _ENVELOPE)
    except UnicodeEncodeError:
        raise BadFrame(_wrong("The message", "is not UTF-8", code="invalid_encoding")) from None
    except ClientFault as fault:
        raise BadFrame(fault) from None
    kind = frame.get("type")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise BadFrame(_unknown_type(), *_sender(frame))
    return read(frame)


def _auth(frame: Mapping[str, Any]) -> Auth:
    key = frame.get("apiKey")
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY:
        raise BadFrame(_wrong("apiKey", "must be a key, a string"), Speech.CHAT)
    return Auth(key)


def _chat(frame: Mapping[str, Any]) -> Ask:
    name = _name(frame, "requestId", Speech.CHAT)
    body = {key: value for key, value in frame.items() if key not in _NOT_OPENAIS}
    return Ask(Speech.CHAT, name, body)


def _inference(frame: Mapping[str, Any]) -> Ask:
    name = _name(frame, "id", Speech.INFERENCE)
    data = frame.get("data")
    if not isinstance(data, dict):
        fault = _wrong("data", "must be an object with model and messages")
        raise BadFrame(fault, Speech.INFERENCE, name)
    return Ask(Speech.INFERENCE, name, data)


def _list(frame: Mapping[str, Any]) -> Manage:
    return Manage("list", _name(frame, "requestId", Speech.CHAT))


def _switch(frame: Mapping[str, Any]) -> Manage:
    name = _name(frame, "requestId", Speech.CHAT)
    provider = frame.get("provider")
    if not isinstance(provider, str) or not _PROVIDER.fullmatch(provider):
        raise BadFrame(_wrong("provider", "must be a provider's name"), Speech.CHAT, name)
    verb = str(frame["type"]).partition(".")[2]
    fields = {key: value for key, value in frame.items() if key not in _OF_SWITCHES}
    return Manage(verb, name, provider, fields)


def _subscribe(frame: Mapping[str, Any]) -> Watch:
    name = _name(frame, "requestId", Speech.CHAT)
    pace = frame.get("intervalMs", USUAL_PACE)
    low, high = PACES
    if type(pace) is not int or not low <= pace <= high:
        what = f"must be a whole number of milliseconds from {low} to {high}"
        raise BadFrame(_wrong("intervalMs", what), Speech.CHAT, name)
    return Watch(name, pace / 1000)


def _unsubscribe(frame: Mapping[str, Any]) -> Watch:
    return Watch(_name(frame, "requestId", Speech.CHAT), None)


def _leave(frame: Mapping[str, Any]) -> Leave:
    reason = frame.get("reason")
    text = reason if isinstance(reason, str) else ""
    return Leave(text.encode(errors="replace")[:MAX_REASON].decode(errors="ignore"))


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Intent]]] = MappingProxyType(
    {
        "auth": _auth,
        "chat.completions": _chat,
        "ping": lambda _: Ping(),
        "providers.list": _list,
        "providers.disable": _switch,
        "providers.enable": _switch,
        "stats.subscribe": _subscribe,
        "stats.unsubscribe": _unsubscribe,
        "inference_request": _inference,
        "heartbeat": lambda _: Beat(),
        "close": _leave,
    }
)
TYPES: Final = tuple(_READERS)
"""Of the messages that clients may send."""


def _name(frame: Mapping[str, Any], member: str, speech: Speech) -> Name | None:
    value = frame.get(member)
    if value is None or _is_name(value):
        return value
    what = f"must be a string of 1 to {MAX_NAME} characters or a whole number"
    raise BadFrame(_wrong(member, what), speech)


def _is_name(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= MAX_NAME
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _sender(frame: Mapping[str, Any]) -> tuple[Speech | None, Name | None]:
    """Whose message this seems to be, by its id alone."""
    for member, speech in (("requestId", Speech.CHAT), ("id", Speech.INFERENCE)):
        value = frame.get(member)
        if value is not None and _is_name(value):
            return speech, value
    return None, None


def _unknown_type() -> ClientFault:
    known = ", ".join(TYPES)
    return _wrong("type", f"must be one of {known}", code="unknown_type")


def _wrong(field_name: str, what: str, code: str = "invalid_message") -> ClientFault:
    return ClientFault(f"{field_name} {what}.", code=code, param=field_name)
