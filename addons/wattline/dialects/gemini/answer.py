"""Whole answers: what metering needs of them, and the energy written into them.

A streamed answer without `alt=sse` is a JSON array of responses; its last one says the usage.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wattline.base.json_elements import elements
from wattline.base.json_members import members
from wattline.dialects.base import Answer, Energy
from wattline.dialects.gemini.stream import Response, lenient, read_response
from wattline.dialects.gemini.usage import read_usage, write_usage
from wattline.dialects.gemini.words import response_error, word
from wattline.dialects.splice import dumps, edit, value_of
from wattline.wire.call import Call, Operation
from wattline.wire.usage import Usage

_UNSOUND = Answer(None, sound=False)
_FREE = Usage(0, 0)
"""Counting tokens costs none."""


class _Envelope(msgspec.Struct, gc=False):
    """The other methods' members. Vectors are large and are not decoded."""

    usageMetadata: Any = None  # noqa: N815  (the wire's name)
    error: Any = None
    totalTokens: Any = None  # noqa: N815
    embedding: msgspec.Raw = msgspec.Raw(b"")
    embeddings: msgspec.Raw = msgspec.Raw(b"")


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def read_answer(call: Call, body: bytes) -> Answer:
    """What a whole 2xx body says; never raises."""
    if call.operation is not Operation.CHAT:
        return _other(call, body)
    found = _responses(body)
    if not found:
        error = response_error(lenient(body))
        return _UNSOUND if error is None else Answer(None, error=word(error))
    error = next((response.error for response in found if response.error), None)
    if error is not None:
        return Answer(None, error=word(error))
    count = read_usage(found[-1].usageMetadata)
    return Answer(
        usage=count.usage,
        sound=any(response.candidates or response.blocked for response in found),
        bad_usage=count.bad,
        output=sum(response.output or 0 for response in found),
        model=found[-1].modelVersion,
    )


def _responses(body: bytes) -> list[Response]:
    """The responses of an answer: one, or the elements of an array. Empty when it is neither."""
    if not body.lstrip().startswith(b"["):
        response = read_response(body)
        return [] if response is None else [response]
    found = [read_response(body[start:end]) for start, end in elements(body) or ()]
    whole = [response for response in found if response is not None]
    return whole if len(whole) == len(found) else []


def _other(call: Call, body: bytes) -> Answer:
    try:
        envelope = _ENVELOPE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        error = response_error(lenient(body))
        return _UNSOUND if error is None else Answer(None, error=word(error))
    if envelope.error:
        return Answer(None, error=word(envelope.error))
    if call.operation is Operation.COUNT_TOKENS:
        total = envelope.totalTokens
        return Answer(_FREE, sound=total is None or (type(total) is int and total >= 0))
    count = read_usage(envelope.usageMetadata)
    sound = bytes(envelope.embedding).startswith(b"{") or _has_items(bytes(envelope.embeddings))
    return Answer(count.usage, sound=sound, bad_usage=count.bad)


def _has_items(raw: bytes) -> bool:
    return raw.startswith(b"[") and raw[1:].lstrip()[:1] != b"]"


def write_answer(call: Call, body: bytes, usage: Usage, energy: Energy) -> bytes:
    """`body` with `usageMetadata.energy`, and with a usage where it had none. A count of tokens, and
    what is no JSON, stays as it is.
    """
    if call.operation is Operation.COUNT_TOKENS:
        return body
    found = elements(body) if body.lstrip().startswith(b"[") else None
    if not found:
        return with_energy(call, body, usage, energy) or body
    start, end = found[-1]
    new = with_energy(call, body[start:end], usage, energy)
    return body if new is None else body[:start] + new + body[end:]


def with_energy(call: Call, response: bytes, usage: Usage, energy: Energy) -> bytes | None:
    """One response with its usage edited; None when it is no object."""
    found = members(response)
    if found is None:
        return None
    raw = value_of(response, found, "usageMetadata")
    said = read_usage(None if raw is None else lenient(raw))
    new = write_usage(raw, said, usage, energy, call.operation)
    return edit(response, {"usageMetadata": new}, found)


def count_reply(tokens: int) -> bytes:
    """The answer to countTokens: https://ai.google.dev/api/tokens."""
    return dumps({"totalTokens": tokens})
