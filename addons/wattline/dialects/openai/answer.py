"""Whole answers: what metering needs of them, and the energy written into them."""

from __future__ import annotations

from typing import Any

import msgspec

from wattline.base.json_members import members, sole_value, with_last
from wattline.dialects.base import LOOKED_UP, Answer, Energy
from wattline.dialects.openai.rerank import rerank_usage
from wattline.dialects.openai.stream import characters, lenient
from wattline.dialects.openai.usage import Count, read_usage, write_usage
from wattline.dialects.splice import edit, value_of
from wattline.dialects.words import error_word
from wattline.wire.call import Call, Operation
from wattline.wire.usage import Usage, UsageSource

_UNSOUND = Answer(None, sound=False)
_FILES = (Operation.SPEECH, Operation.TRANSCRIPTION)
_ALWAYS_USAGE = (
    Operation.CHAT,
    Operation.COMPLETION,
    Operation.RESPONSES,
    Operation.EMBEDDINGS,
    Operation.RERANK,
)


class _Envelope(msgspec.Struct, gc=False):
    """The members that are read. `data` is not decoded: vectors and pictures are large."""

    id: Any = None
    request_id: Any = None
    model: Any = None
    usage: Any = None
    error: Any = None
    choices: Any = None
    output: Any = None
    status: Any = None
    meta: Any = None
    message: Any = None
    content: Any = None
    response: Any = None
    text: Any = None
    results: msgspec.Raw = msgspec.Raw(b"")
    data: msgspec.Raw = msgspec.Raw(b"")


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def _open(body: bytes) -> _Envelope | None:
    try:
        return _ENVELOPE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = lenient(body)
    if value is None:
        return None
    known: dict[str, Any] = {key: value.get(key) for key in _Envelope.__struct_fields__}
    for key in ("results", "data"):
        known[key] = msgspec.Raw(b"[0]" if known[key] else b"")
    return _Envelope(**known)


def read_answer(call: Call, body: bytes) -> Answer:
    """What a whole 2xx body says; never raises."""
    if call.operation is Operation.LOOKUP:
        return LOOKED_UP
    envelope = _open(body)
    if envelope is None:
        return _file(call.operation, body) if call.operation in _FILES else _UNSOUND
    if envelope.error:
        return Answer(None, error=error_word(envelope.error))
    count = _count(call.operation, envelope)
    model = envelope.model if isinstance(envelope.model, str) else envelope.id
    return Answer(
        usage=count.usage,
        sound=_sound(call.operation, envelope),
        bad_usage=count.bad,
        output=_output(call.operation, envelope),
        model=model if isinstance(model, str) else None,
    )


def _count(operation: Operation, envelope: _Envelope) -> Count:
    if operation is Operation.RERANK:
        return rerank_usage(envelope.usage, envelope.meta)
    return read_usage(envelope.usage)


def _file(operation: Operation, body: bytes) -> Answer:
    """Audio, or a transcript as plain text: anything but nothing and an error page."""
    start = body[:64].lstrip().lower()
    sound = bool(body) and not start.startswith((b"<!doctype", b"<html", b"{"))
    written = operation is Operation.TRANSCRIPTION
    return Answer(None, sound=sound, output=len(body.decode(errors="replace")) if written else 0)


def _sound(operation: Operation, envelope: _Envelope) -> bool:
    match operation:
        case Operation.CHAT | Operation.COMPLETION:
            return _text(envelope) is not None or bool(_messages(envelope))
        case Operation.RESPONSES:
            return isinstance(envelope.output, list)
        case Operation.EMBEDDINGS | Operation.IMAGES:
            return _has_items(envelope.data)
        case Operation.MODERATIONS:
            return _has_items(envelope.results)
        case Operation.RERANK:
            return _has_items(envelope.results) or _has_items(envelope.data)
        case Operation.VIDEOS:
            return bool(envelope.id or envelope.request_id)
        case Operation.TRANSCRIPTION | Operation.LOOKUP:
            return True
        case _:
            return False


def _has_items(raw: msgspec.Raw) -> bool:
    text = bytes(memoryview(raw)[:64])
    return text.startswith(b"[") and text[1:].lstrip()[:1] != b"]"


def _messages(envelope: _Envelope) -> list[Any]:
    """What each choice holds: a message, or a text."""
    if not isinstance(envelope.choices, list):
        return []
    choices = [choice for choice in envelope.choices if isinstance(choice, dict)]
    found = [choice.get("message", choice.get("text")) for choice in choices]
    return [value for value in found if isinstance(value, dict | str)]


_MESSAGE_OUTPUT = (
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
    "tool_calls",
    "function_call",
)
_ITEM_OUTPUT = ("content", "summary", "arguments", "input", "name")


def _output(operation: Operation, envelope: _Envelope) -> int:
    """Characters of output."""
    if operation is Operation.RESPONSES:
        items = envelope.output if isinstance(envelope.output, list) else []
        return sum(
            characters([item.get(key) for key in _ITEM_OUTPUT])
            for item in items
            if isinstance(item, dict)
        )
    if operation is Operation.TRANSCRIPTION:
        return len(envelope.text) if isinstance(envelope.text, str) else 0
    total = sum(
        len(value) if isinstance(value, str) else characters(list(map(value.get, _MESSAGE_OUTPUT)))
        for value in _messages(envelope)
    )
    return total or len(_text(envelope) or "")


def _text(envelope: _Envelope) -> str | None:
    """The answer's text, wherever a provider puts it (C-070); None when it is nowhere."""
    found = _messages(envelope)
    if found:
        first = found[0] if isinstance(found[0], str) else found[0].get("content")
        if isinstance(first, str):
            return first
    for value in (envelope.content, envelope.response):
        if isinstance(value, str):
            return value
    if isinstance(envelope.message, dict):
        inner = envelope.message.get("content")
        return inner if isinstance(inner, str) else None
    return None


def write_answer(call: Call, body: bytes, usage: Usage, energy: Energy) -> bytes:
    """`body` with `usage.energy`, and with a usage where it had none. What is no JSON object (audio, a
    transcript as text) stays as it is.
    """
    if call.operation is Operation.LOOKUP:
        return body
    quick = _appended(body, energy) if usage.source is UsageSource.PROVIDER else None
    if quick is not None:
        return quick
    found = members(body)
    if found is None:
        return body
    raw = value_of(body, found, "usage")
    if raw is None and call.operation not in _ALWAYS_USAGE:
        return body
    said = read_usage(parsed(raw))
    new = write_usage(call.operation, raw, said, usage, energy)
    return edit(body, {"usage": new}, found)


def _appended(body: bytes, energy: Energy) -> bytes | None:
    """The usual answer, without a walk: one usage, of which the energy becomes the last member."""
    place = sole_value(body, "usage")
    if place is None:
        return None
    start, end = place
    new = with_last(body[start:end], "energy", energy.json.encode())
    return None if new is None else body[:start] + new + body[end:]


def parsed(raw: bytes | None) -> Any:
    """The value of a member's bytes; None when it is missing."""
    value = lenient(b'{"value":' + raw + b"}") if raw is not None else None
    return value["value"] if value else None
