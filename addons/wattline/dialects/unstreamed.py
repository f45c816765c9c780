"""A client's request for a stream as one for a whole answer, in its own bytes (A-052)."""

from __future__ import annotations

from typing import Final

from wattline.dialects.splice import edit, parts

_UNASKED: Final = frozenset({"ollama"})
"""Dialects that stream unless a request says no."""


def unstreamed(body: bytes, dialect: str) -> bytes:
    """`body` is of a client of `dialect`. Raises OurFault when it is no JSON object."""
    found = parts(body)
    changes: dict[str, bytes | None] = {"stream_options": None}  # refused where nothing is streamed
    if dialect in _UNASKED or any(member.key == "stream" for member in found):
        changes["stream"] = b"false"
    return edit(body, changes, found)
