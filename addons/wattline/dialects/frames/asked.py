"""What a client's message wants. Either protocol may be spoken at any time, on the same connection.

| message | protocol |
|---|---|
| `auth`, `chat.completions`, `ping` | chat |
| `inference_request`, `heartbeat`, `close` | inference |
"""

from __future__ import annotations

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
_NOT_OPENAIS: Final = frozenset({"type", "requestId", "apiKey"})
"""Members of a `chat.completions` that are no fields of the call."""
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
class Ping:
    """Wants a `pong`."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The client is alive, and wants to hear the same."""


@dataclass(frozen=True, slots=True)
class Leave:
    """The client has done."""

    reason: str


type Intent = Auth | Ask | Ping | Beat | Leave


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


def _leave(frame: Mapping[str, Any]) -> Leave:
    reason = frame.get("reason")
    text = reason if isinstance(reason, str) else ""
    return Leave(text.encode(errors="replace")[:MAX_REASON].decode(errors="ignore"))


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Intent]]] = MappingProxyType(
    {
        "auth": _auth,
        "chat.completions": _chat,
        "ping": lambda _: Ping(),
        "inference_request": _inference,
        "heartbeat": lambda _: Beat(),
        "close": _leave,
    }
)


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
    known = ", ".join(_READERS)
    return _wrong("type", f"must be one of {known}", code="unknown_type")


def _wrong(field_name: str, what: str, code: str = "invalid_message") -> ClientFault:
    return ClientFault(f"{field_name} {what}.", code=code, param=field_name)
