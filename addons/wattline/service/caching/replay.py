"""A kept answer, given again: whole or as a stream, whichever the client wants now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from wattline.dialects.base import Dialect, Energy
from wattline.dialects.codecs import client_codec
from wattline.dialects.translation import unfolded
from wattline.service.caching.cache import Entry
from wattline.service.caching.cacheable import reply_of
from wattline.service.caching.outline import Outline, outline
from wattline.service.relay import Held
from wattline.wire.call import Call
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Reply, Stop

_JSON = "application/json"
RETOLD = 262_144
"""Bytes of an answer above which it is not told in another way: that would hold up other calls."""
BLOCK = 16_384
"""Bytes of a stream that are handed to the client at once."""


def as_asked(entry: Entry, call: Call, dialect: Dialect) -> Entry | None:
    """The answer in the way in which this call wants it; None when it can't be told that way whole."""
    if entry.stream == call.stream:
        return entry
    if entry.size > RETOLD:
        return None
    codec, reply = client_codec(call.dialect, call.operation), reply_of(entry, call)
    if codec is None or reply is None:
        return None
    whole = replace(entry, body=codec.write_reply(reply, call), content_type=_JSON, held=None)
    body, held = _sorted_out(unfolded(codec, reply, call))
    stream = replace(entry, body=body, content_type=dialect.stream_type, held=held)
    told, same = (stream, whole) if call.stream else (whole, stream)
    after = reply_of(told, call)
    heard = after is not None and _words(after) == _words(reply)
    return told if heard and _all_in(entry, same) else None


def _words(reply: Reply) -> list[tuple[Stop | None, dict[str, str]]]:
    """What each alternative says, by kind: a stream may cut texts and order them otherwise."""
    found = []
    for one in reply.alternatives:
        said: dict[str, str] = {}
        for part in one.parts:
            text = getattr(part, "text", "") or getattr(part, "arguments", "")
            said[part.kind] = f"{said.get(part.kind, '')}{text}"
        found.append((one.stop, {kind: text for kind, text in said.items() if text}))
    return found


def _all_in(entry: Entry, same: Entry) -> bool:
    """Told anew in its own way the answer has all that it had: we know what is in it."""
    before, after = _outline(entry), _outline(same)
    return before is not None and after is not None and before <= after


def _outline(entry: Entry) -> Outline | None:
    held = entry.held
    return outline(entry.body + (held.raw if held is not None else b""), stream=held is not None)


def _sorted_out(pieces: Iterable[Piece]) -> tuple[bytes, Held]:
    """An encoder's pieces: what comes before the tail, and what the tail is made of."""
    passing: list[bytes] = []
    end: list[bytes] = []
    usage: Piece | None = None
    like: Piece | None = None
    for piece in pieces:
        if piece.mark is Mark.USAGE or (piece.mark is Mark.END and piece.finish):
            usage = piece
        elif piece.mark is Mark.END:
            end.append(piece.raw)
        else:
            passing.append(piece.raw)
            like = like or (piece if piece.model is not None else None)
            if piece.usage is not None and piece.mark is Mark.OUTPUT:
                usage = piece
    return b"".join(passing), Held(usage, like, b"".join(end))


def whole_of(entry: Entry, call: Call, dialect: Dialect, energy: Energy) -> bytes:
    """A whole answer's body with what it costs this time."""
    return dialect.write_answer(call, entry.body, entry.usage, energy)


def stream_of(entry: Entry, call: Call, dialect: Dialect, energy: Energy) -> Iterator[bytes]:
    """A stream in blocks, its tail last, with what it costs this time."""
    for start in range(0, len(entry.body), BLOCK):
        yield entry.body[start : start + BLOCK]
    if entry.held is not None:
        yield entry.held.tail(dialect, call, entry.usage, energy)
