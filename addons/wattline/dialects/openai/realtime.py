"""Messages of OpenAI's WebSockets: those that matter for routing and metering, and the edits in them.

The realtime API and the Responses API share their frame: `response.create` asks, `response.created`
names the response, and a last event (`response.done` there, `response.completed` and its kin here)
carries the usage. All else passes as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final
from urllib.parse import parse_qsl, quote

import msgspec

from wattline.base.errors import Fault
from wattline.base.json_members import members
from wattline.base.strict_json import read_object
from wattline.dialects.base import Energy
from wattline.dialects.openai import error as errors
from wattline.dialects.openai.stream import lenient
from wattline.dialects.openai.usage import ABSENT, Count, read_usage, write_usage
from wattline.dialects.splice import dumps, edit, edit_object, value_of
from wattline.dialects.words import error_word
from wattline.wire.call import Operation
from wattline.wire.usage import Usage

CREATE: Final = "response.create"
AUDIO_PER_TOKEN: Final = 3200
"""Base64 characters of 24 kHz PCM for one token of audio output: 20 tokens a second."""
_CHARACTERS_PER_TOKEN: Final = 4
_MAX_ID: Final = 256

_LAST: Final = frozenset(
    {
        "response.done",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.cancelled",
    }
)
_UPDATES: Final = frozenset({"session.update", "transcription_session.update"})


class Kind(Enum):
    """What an upstream's event means for metering."""

    CREATED = auto()
    OUTPUT = auto()
    LAST = auto()
    ERROR = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """An upstream's event, as far as metering needs it. `output` counts characters."""

    kind: Kind
    response: str | None = None
    """The response's id."""
    lane: str | None = None
    """`stream_id`, with which a client of the Responses API runs several responses side by side."""
    asked_by: str | None = None
    """For an error: `event_id` of the client's event that it answers."""
    output: int = 0
    count: Count = ABSENT
    word: str | None = None
    """What went wrong, for errors and failed responses."""


class _Event(msgspec.Struct, gc=False):
    type: str
    delta: Any = None
    response_id: Any = None
    stream_id: Any = None
    error: Any = None
    response: msgspec.Raw = msgspec.Raw(b"")


_EVENT = msgspec.json.Decoder(_Event)
_OTHER = ServerEvent(Kind.OTHER)


def read_frame(data: bytes, max_depth: int) -> dict[str, Any]:
    """A client's message. Raises ClientFault for anything that two parsers could read in two ways."""
    return read_object(data, max_depth=max_depth)


def peek_frame(data: bytes) -> dict[str, Any]:
    """A client's message that goes on whatever it is: empty when it can't be read."""
    return lenient(data) or {}


def identity(value: Any) -> str | None:
    """An id that can be remembered."""
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_ID else None


def with_model(data: bytes, frame: Mapping[str, Any], model: str) -> bytes:
    """A realtime message whose session or response names a model: the target's instead."""
    kind = frame.get("type")
    if isinstance(kind, str) and kind in _UPDATES:
        return _inside(data, frame, "session", model)
    if kind == CREATE:
        return _inside(data, frame, "response", model)
    return data


def _inside(data: bytes, frame: Mapping[str, Any], key: str, model: str) -> bytes:
    holder = frame.get(key)
    found = members(data)
    if not isinstance(holder, dict) or "model" not in holder or found is None:
        return data
    inner = edit_object(value_of(data, found, key), {"model": dumps(model)})
    return edit(data, {key: inner}, found)


def call_body(model: str, frame: Mapping[str, Any]) -> bytes:
    """A realtime `response.create` as the body of a call, for the rules."""
    response = frame.get("response")
    body = {"model": model, "stream": True}
    if isinstance(response, dict):
        body["response"] = response
    return dumps(body)


def unasked_body(model: str, operation: Operation) -> bytes:
    """The body of a call for a response that the provider began by itself."""
    return dumps(
        {"model": model} if operation is Operation.REALTIME else {"model": model, "input": ""}
    )


def cancel_event(response: str | None) -> bytes:
    """Tells a provider to stop a response."""
    return dumps({"type": "response.cancel"} | ({"response_id": response} if response else {}))


def model_of(path: str) -> str | None:
    """The model that a realtime target names."""
    found = [value for name, value in _query(path) if name == "model"]
    return found[0] if len(found) == 1 and found[0] else None


def target_query(path: str, model: str) -> str:
    """The query for a target that knows its model as `model`; a key in it stays behind."""
    kept = [(name, value) for name, value in _query(path) if name not in ("model", "key")]
    pairs = [("model", model), *kept]
    return "?" + "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs
    )


def _query(path: str) -> list[tuple[str, str]]:
    return parse_qsl(path.partition("?")[2], keep_blank_values=True, max_num_fields=64)


def read_event(data: bytes) -> ServerEvent:
    """An upstream's message. Never raises."""
    try:
        event = _EVENT.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _slow(data)
    return _meaning(event, bytes(event.response))


def _slow(data: bytes) -> ServerEvent:
    """Odd types, NaN and the like: read what can be read."""
    value = lenient(data)
    if value is None or not isinstance(value.get("type"), str):
        return _OTHER
    response = value.get("response")
    event = _Event(
        value["type"],
        value.get("delta"),
        value.get("response_id"),
        value.get("stream_id"),
        value.get("error"),
    )
    found = members(data)
    raw = value_of(data, found, "response") if found and isinstance(response, dict) else None
    return _meaning(event, raw or b"")


def _meaning(event: _Event, response: bytes) -> ServerEvent:
    kind, lane = event.type, identity(event.stream_id)
    if kind.endswith(".delta"):
        return ServerEvent(
            Kind.OUTPUT, identity(event.response_id), lane, output=_size(kind, event.delta)
        )
    if kind == "error":
        error = event.error if isinstance(event.error, dict) else {}
        asked_by = identity(error.get("event_id"))
        return ServerEvent(Kind.ERROR, lane=lane, asked_by=asked_by, word=error_word(error))
    if kind == "response.created":
        return ServerEvent(Kind.CREATED, identity(_object(response).get("id")), lane)
    if kind in _LAST:
        return _last(kind, _object(response), lane)
    return _OTHER


def _last(kind: str, response: dict[str, Any], lane: str | None) -> ServerEvent:
    failed = kind == "response.failed" or response.get("status") == "failed"
    return ServerEvent(
        Kind.LAST,
        identity(response.get("id")),
        lane,
        count=read_usage(_usual(response.get("usage"))),
        word=error_word(_error(response)) if failed else None,
    )


def _error(response: dict[str, Any]) -> Any:
    details = response.get("status_details")
    return response.get("error") or (details.get("error") if isinstance(details, dict) else None)


def _object(raw: bytes) -> dict[str, Any]:
    return lenient(raw) or {}


def _usual(usage: Any) -> Any:
    """The realtime API writes `input_token_details` where the Responses API has `input_tokens_details`."""
    if not isinstance(usage, dict) or "input_token_details" not in usage:
        return usage
    return {**usage, "input_tokens_details": usage["input_token_details"]}


def _size(kind: str, delta: Any) -> int:
    if not isinstance(delta, str):
        return 0
    if "audio" in kind and "transcript" not in kind:
        return len(delta) * _CHARACTERS_PER_TOKEN // AUDIO_PER_TOKEN
    return len(delta)


def with_energy(data: bytes, usage: Usage, energy: Energy) -> bytes:
    """A last event with `response.usage.energy`; as it came when it holds no response."""
    found = members(data)
    response = value_of(data, found, "response") if found is not None else None
    inside = members(response) if response is not None else None
    if response is None or inside is None:
        return data
    raw = value_of(response, inside, "usage")
    said = read_usage(_usual(_object(raw) if raw is not None and raw != b"null" else None))
    new = write_usage(Operation.RESPONSES, raw, said, usage, energy)
    return edit(data, {"response": edit(response, {"usage": new}, inside)}, found)


def error_event(
    fault: Fault,
    operation: Operation,
    event_id: str,
    asked_by: str | None = None,
    lane: str | None = None,
) -> bytes:
    """A fault as the event of a WebSocket. `event_id` is the event's own, `asked_by` the client's."""
    error: dict[str, Any] = errors.describe(fault)
    if operation is Operation.REALTIME:
        error["event_id"] = asked_by
        return dumps({"type": "error", "event_id": event_id, "error": error})
    event: dict[str, Any] = {"type": "error", "status": fault.status, "error": error}
    if lane is not None:
        event["stream_id"] = lane
    return dumps(event)
