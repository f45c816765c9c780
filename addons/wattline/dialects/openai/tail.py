"""The last events of a stream: the usage with its energy (A-051)."""

from __future__ import annotations

from typing import Any

from wattline.base.json_members import members
from wattline.dialects.base import Energy
from wattline.dialects.openai.answer import parsed
from wattline.dialects.openai.stream import lenient
from wattline.dialects.openai.usage import ABSENT, read_usage, write_usage
from wattline.dialects.splice import dumps, edit, edit_object, value_of
from wattline.wire.call import Call, Operation
from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import data, event, event_name
from wattline.wire.usage import Usage


def usage_event(
    call: Call, piece: Piece | None, usage: Usage, energy: Energy, like: Piece | None
) -> bytes:
    """The event that tells the client its usage; see `Dialect.write_usage`.

    Typed events carry it in their own last event: without one this is empty.
    """
    if call.operation not in (Operation.CHAT, Operation.COMPLETION):
        return _in_last_event(call, piece, usage, energy) if piece is not None else b""
    if call.wants_usage and piece is not None and piece.mark is Mark.USAGE:
        kept = _spliced(call, piece.raw, usage, energy)
        if kept is not None:
            return kept
    return _made(call, piece or like, usage, energy)


def _in_last_event(call: Call, piece: Piece, usage: Usage, energy: Energy) -> bytes:
    spliced = _spliced(call, piece.raw, usage, energy)
    return piece.raw if spliced is None else spliced


def _spliced(call: Call, raw: bytes, usage: Usage, energy: Energy) -> bytes | None:
    """The upstream's event with its usage edited; None when it holds no object."""
    payload = data(raw)
    found = members(payload) if payload is not None else None
    if payload is None or found is None:
        return None
    if call.operation is Operation.RESPONSES:
        response = value_of(payload, found, "response")
        if response is None:
            return None
        new = edit(payload, {"response": _with_usage(call, response, usage, energy)}, found)
    else:
        new = _with_usage(call, payload, usage, energy)
    return _replaced(raw, payload, new)


def _with_usage(call: Call, holder: bytes, usage: Usage, energy: Energy) -> bytes:
    found = members(holder)
    raw = value_of(holder, found, "usage") if found is not None else None
    said = read_usage(parsed(raw))
    new = write_usage(call.operation, raw, said, usage, energy)
    return edit_object(holder, {"usage": new})


def _replaced(raw: bytes, payload: bytes, new: bytes) -> bytes:
    start = raw.find(payload)
    if start < 0:  # its data stood on several lines
        return event(new, event_name(raw))
    return raw[:start] + new + raw[start + len(payload) :]


def _made(call: Call, like: Piece | None, usage: Usage, energy: Energy) -> bytes:
    """A usage event of our own. A client that did not ask for one may read `choices[0]` of every chunk,
    so for such a client there is one, with nothing in it.
    """
    chat = call.operation is Operation.CHAT
    empty: dict[str, Any] = {"index": 0, "delta": {}} if chat else {"text": "", "index": 0}
    choices = [] if call.wants_usage else [empty | {"finish_reason": None}]
    known = _identity(like)
    head = {
        "id": known.get("id", f"{'chatcmpl' if chat else 'cmpl'}-{call.id}"),
        "object": "chat.completion.chunk" if chat else "text_completion",
        "created": known.get("created", 0),
        "model": known.get("model", call.model),
        "choices": choices,
    }
    counts = write_usage(call.operation, None, ABSENT, usage, energy)
    return event(edit(dumps(head), {"usage": counts}))


def _identity(piece: Piece | None) -> dict[str, Any]:
    """The id, model and time of an event, those that are what they should be."""
    payload = data(piece.raw) if piece is not None else None
    value = lenient(payload) if payload is not None else None
    types = {"id": str, "model": str, "created": int}
    return (
        {key: value[key] for key, kind in types.items() if isinstance(value.get(key), kind)}
        if value
        else {}
    )
