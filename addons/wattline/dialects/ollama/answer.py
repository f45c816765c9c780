"""Whole answers: what metering needs of them, and the energy written into them."""

from __future__ import annotations

from typing import Any

import msgspec

from wattline.base.json_members import members
from wattline.dialects.base import Answer, Energy
from wattline.dialects.ollama.line import Line, read_line
from wattline.dialects.ollama.stream import size
from wattline.dialects.ollama.usage import changes, read_counts
from wattline.dialects.openai.stream import lenient
from wattline.dialects.openai.usage import Count
from wattline.dialects.splice import edit
from wattline.dialects.words import error_word
from wattline.wire.call import Call, Operation
from wattline.wire.piece import Piece
from wattline.wire.usage import Usage

_UNSOUND = Answer(None, sound=False)


class _Vectors(msgspec.Struct, gc=False):
    """An answer of `/api/embed` or `/api/embeddings`; vectors are large and not decoded."""

    embeddings: msgspec.Raw = msgspec.Raw(b"")
    embedding: msgspec.Raw = msgspec.Raw(b"")
    model: Any = None
    prompt_eval_count: Any = None
    error: Any = None


_VECTORS = msgspec.json.Decoder(_Vectors)


def read_answer(call: Call, body: bytes) -> Answer:
    """What a whole 2xx body says; never raises."""
    if call.operation is Operation.EMBEDDINGS:
        return _vectors(body)
    line = read_line(body)
    if line is None or not line.known:
        return _UNSOUND
    if line.error:
        return Answer(None, error=error_word(line.error))
    count = read_counts(line)
    return Answer(
        usage=count.usage,
        sound=any(part is not None for part in (line.message, line.response, line.image)),
        bad_usage=count.bad,
        output=size(line) or 0,
        model=line.model,
    )


def _vectors(body: bytes) -> Answer:
    found = _open(body)
    if found is None:
        return _UNSOUND
    if found.error:
        return Answer(None, error=error_word(found.error))
    count = read_counts(Line(prompt_eval_count=found.prompt_eval_count))
    return Answer(
        usage=count.usage,
        sound=any(bytes(raw).startswith(b"[") for raw in (found.embeddings, found.embedding)),
        bad_usage=count.bad,
        model=found.model if isinstance(found.model, str) else None,
    )


def _open(body: bytes) -> _Vectors | None:
    try:
        return _VECTORS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = lenient(body)
    if value is None:
        return None
    return _Vectors(
        embeddings=_raw(value.get("embeddings")),
        embedding=_raw(value.get("embedding")),
        model=value.get("model"),
        prompt_eval_count=value.get("prompt_eval_count"),
        error=value.get("error"),
    )


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(b"[]" if isinstance(value, list) else b"")


def write_answer(call: Call, body: bytes, usage: Usage, energy: Energy) -> bytes:
    """`body` with its energy, and with counts where it had none. What is no JSON object stays."""
    found = members(body)
    if found is None:
        return body
    embedded = call.operation is Operation.EMBEDDINGS
    said = read_answer(call, body) if embedded else read_counts(read_line(body) or Line())
    new = changes(Count(said.usage), usage, energy, completion=not embedded)
    return edit(body, new, found)


def last_line(piece: Piece | None, usage: Usage, energy: Energy) -> bytes:
    """The stream's last object with its energy; nothing can be made without one. See
    `Dialect.write_usage`.
    """
    found = members(piece.raw) if piece is not None else None
    if piece is None or found is None:
        return b""
    said = read_counts(read_line(piece.raw) or Line())
    return edit(piece.raw, changes(said, usage, energy), found)
