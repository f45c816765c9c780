"""The last events of a stream: the `message_delta` with its usage and energy (A-051)."""

from __future__ import annotations

from typing import Any

from wattline.base.json_members import members
from wattline.dialects.anthropic.usage import write_usage
from wattline.dialects.base import Energy
from wattline.dialects.openai.answer import parsed
from wattline.dialects.splice import dumps, edit, value_of
from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import data, event, event_name
from wattline.wire.usage import Usage

_MADE: dict[str, Any] = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
}


def usage_event(piece: Piece | None, usage: Usage, energy: Energy) -> bytes:
    """The event that tells the client its usage; see `Dialect.write_usage`.

    An upstream's own `message_delta` keeps every other byte; without one an event is made, which says
    `end_turn` since SDKs take the stop reason from it.
    """
    if piece is not None and piece.mark is Mark.USAGE:
        kept = _spliced(piece, usage, energy)
        if kept is not None:
            return kept
    made = edit(dumps(_MADE), {"usage": write_usage(None, None, usage, energy)})
    return event(made, "message_delta")


def _spliced(piece: Piece, usage: Usage, energy: Energy) -> bytes | None:
    """The upstream's event with its usage edited; None when it holds no object."""
    raw, payload = piece.raw, data(piece.raw)
    found = members(payload) if payload is not None else None
    if payload is None or found is None:
        return None
    own = value_of(payload, found, "usage")
    kept = own if isinstance(parsed(own), dict) and not piece.bad_usage else None
    said = piece.usage if kept is not None else None
    new = edit(payload, {"usage": write_usage(kept, said, usage, energy)}, found)
    start = raw.find(payload)
    if start < 0:  # its data stood on several lines
        return event(new, event_name(raw))
    return raw[:start] + new + raw[start + len(payload) :]
