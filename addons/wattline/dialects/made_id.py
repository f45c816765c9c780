"""The id that a provider gave to what a call made: a response, a video, an interaction."""

from __future__ import annotations

import msgspec

from wattline.dialects.follow_up import is_id
from wattline.wire.sse import data


class _Named(msgspec.Struct, gc=False):
    id: str | None = None


class _Made(msgspec.Struct, gc=False):
    """A whole answer (xAI calls the id of a video `request_id`), or the event that begins a stream."""

    id: str | None = None
    request_id: str | None = None
    response: _Named | None = None
    interaction: _Named | None = None


_DECODER = msgspec.json.Decoder(_Made)


def made_id(answer: bytes) -> str | None:
    """The id in a whole answer; None when it has none that may stand in a path. Never raises."""
    found = _decoded(answer)
    if found is None:
        return None
    return next((id_ for id_ in (found.id, found.request_id) if is_id(id_)), None)


def begun_id(event: bytes) -> str | None:
    """The same of a stream's event that says which answer has begun."""
    found = _decoded(data(event) or b"")
    holder = None if found is None else found.response or found.interaction
    return holder.id if holder is not None and is_id(holder.id) else None


def _decoded(answer: bytes) -> _Made | None:
    try:
        return _DECODER.decode(answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
