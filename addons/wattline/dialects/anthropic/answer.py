"""Whole answers: what metering needs of them, and the energy written into them."""

from __future__ import annotations

from typing import Any

import msgspec

from wattline.base.json_members import members, sole_value, with_last
from wattline.dialects.anthropic.usage import BadCount, Counts, read_counts, write_usage
from wattline.dialects.base import Answer, Energy
from wattline.dialects.openai.answer import parsed
from wattline.dialects.openai.stream import characters, lenient
from wattline.dialects.splice import dumps, edit, value_of
from wattline.dialects.words import error_word
from wattline.wire.call import Call, Operation
from wattline.wire.usage import Usage, UsageSource

_UNSOUND = Answer(None, sound=False)
_FREE = Usage(0, 0)
"""What counting tokens costs."""


class _Envelope(msgspec.Struct, gc=False):
    """The members that are read."""

    type: Any = None
    content: Any = None
    model: Any = None
    usage: Any = None
    error: Any = None
    input_tokens: Any = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def _open(body: bytes) -> _Envelope | None:
    try:
        return _ENVELOPE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = lenient(body)
    if value is None:
        return None
    return _Envelope(**{key: value.get(key) for key in _Envelope.__struct_fields__})


def read_answer(call: Call, body: bytes) -> Answer:
    """What a whole 2xx body says; never raises.

    A count of tokens has a usage of nothing: it is free at the provider and is not billed here.
    """
    envelope = _open(body)
    if envelope is None:
        return _UNSOUND
    if envelope.error or envelope.type == "error":
        return Answer(None, error=error_word(envelope.error))
    if call.operation is Operation.COUNT_TOKENS:
        return Answer(_FREE) if _is_count(envelope.input_tokens) else _UNSOUND
    usage, bad = _usage(envelope.usage)
    return Answer(
        usage=usage,
        sound=isinstance(envelope.content, list),
        bad_usage=bad,
        output=_output(envelope.content),
        model=envelope.model if isinstance(envelope.model, str) else None,
    )


def _usage(value: Any) -> tuple[Usage | None, bool]:
    try:
        return read_counts(value).usage, False
    except BadCount:
        return None, True


def _is_count(value: Any) -> bool:
    try:
        return read_counts({"input_tokens": value}) != Counts()
    except BadCount:
        return False


def _output(content: Any) -> int:
    """Characters of output; the inputs of tools count as their JSON."""
    blocks = content if isinstance(content, list) else []
    return sum(characters(block) for block in blocks if isinstance(block, dict))


def write_answer(call: Call, body: bytes, usage: Usage, energy: Energy) -> bytes:
    """`body` with `usage.energy`, and with a usage where it had none. A count of tokens, and what is no
    JSON object, stays as it is.
    """
    if call.operation is Operation.COUNT_TOKENS:
        return body
    quick = _appended(body, energy) if usage.source is UsageSource.PROVIDER else None
    if quick is not None:
        return quick
    found = members(body)
    if found is None:
        return body
    raw = value_of(body, found, "usage")
    said, bad = _usage(parsed(raw))
    return edit(body, {"usage": write_usage(None if bad else raw, said, usage, energy)}, found)


def _appended(body: bytes, energy: Energy) -> bytes | None:
    """The usual answer, without a walk: one usage, of which the energy becomes the last member."""
    place = sole_value(body, "usage")
    if place is None:
        return None
    start, end = place
    new = with_last(body[start:end], "energy", energy.json.encode())
    return None if new is None else body[:start] + new + body[end:]


def count_reply(tokens: int) -> bytes:
    """The answer to `/v1/messages/count_tokens`, where no provider that can count is asked."""
    return dumps({"input_tokens": tokens})
