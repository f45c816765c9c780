"""Names of headers, as text and as bytes. The same few come with every message: each is made once, and an open
stream, which keeps its headers, shares them with all others.
"""

from __future__ import annotations

from functools import lru_cache

SHORT = 64
"""Longer names are not remembered: a client can make up as many as it likes."""
NAMES = 1024


def lower_name(raw: bytes) -> str:
    """`Content-Type` of the wire as `content-type`. Any bytes have one."""
    return _lower(raw) if len(raw) <= SHORT else raw.decode("latin-1").lower()


def wire_name(name: str) -> bytes:
    """A name for the wire. Raises UnicodeEncodeError for one that is not Latin-1."""
    return _wire(name) if len(name) <= SHORT else name.encode("latin-1")


@lru_cache(NAMES)
def _lower(raw: bytes) -> str:
    return raw.decode("latin-1").lower()


@lru_cache(NAMES)
def _wire(name: str) -> bytes:
    return name.encode("latin-1")
