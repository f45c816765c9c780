"""The last event of a stream: the one that finishes the answer, with the usage and its energy (A-051)."""

from __future__ import annotations

from typing import Any

from wattline.dialects.base import Energy
from wattline.dialects.gemini.answer import with_energy
from wattline.dialects.gemini.stream import lenient
from wattline.dialects.gemini.usage import ABSENT, write_usage
from wattline.dialects.splice import dumps, edit
from wattline.wire.call import Call
from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import data, event
from wattline.wire.usage import Usage


def usage_event(
    call: Call, piece: Piece | None, usage: Usage, energy: Energy, like: Piece | None
) -> bytes:
    """The event that tells the client its usage; see `Dialect.write_usage`."""
    if piece is not None and piece.mark is not Mark.OUTPUT:
        kept = _spliced(call, piece.raw, usage, energy)
        if kept is not None:
            return kept
    return _made(call, piece or like, usage, energy)


def _spliced(call: Call, raw: bytes, usage: Usage, energy: Energy) -> bytes | None:
    """The upstream's event with its usage edited; None when it holds no object."""
    payload = data(raw)
    new = with_energy(call, payload, usage, energy) if payload is not None else None
    if payload is None or new is None:
        return None
    start = raw.find(payload)
    if start < 0:  # its data stood on several lines
        return event(new)
    return raw[:start] + new + raw[start + len(payload) :]


def _made(call: Call, like: Piece | None, usage: Usage, energy: Energy) -> bytes:
    """A usage event of our own. SDKs that keep a conversation take a response without content for a
    broken one, so it has an empty text.
    """
    known = _identity(like)
    empty = {"content": {"parts": [{"text": ""}], "role": "model"}, "index": 0}
    head: dict[str, Any] = {
        "candidates": [empty],
        "modelVersion": known.get("modelVersion", call.model),
        "responseId": known.get("responseId", call.id),
    }
    counts = write_usage(None, ABSENT, usage, energy, call.operation)
    return event(edit(dumps(head), {"usageMetadata": counts}))


def _identity(piece: Piece | None) -> dict[str, str]:
    """The id and model of an event, those that are what they should be."""
    payload = data(piece.raw) if piece is not None else None
    value = lenient(payload) if payload is not None else None
    if not isinstance(value, dict):
        return {}
    keys = ("modelVersion", "responseId")
    return {key: value[key] for key in keys if isinstance(value.get(key), str)}
