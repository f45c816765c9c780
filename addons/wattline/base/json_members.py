"""Where the members of a JSON object stand in its bytes, so that one can be replaced without touching any
other byte. The object has been read before, or comes from an upstream and may be anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import msgspec

_STRING = rb'"(?:[^"\\]++|\\.)*+"?'
_TOKEN_BYTES = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)
_KEY = re.compile(rb'[ \t\n\r]*("(?:[^"\\]++|\\.)*+")[ \t\n\r]*:[ \t\n\r]*', re.DOTALL)
_AFTER = re.compile(rb"[ \t\n\r]*[,}]")
_SCALAR = re.compile(rb"[-+.\w]+")
_NOTHING = msgspec.Raw(b"")


class Member(NamedTuple):
    """One member of an object. `raw[start:end]` is its value, `raw[at:start]` its key, the colon and
    the white space between them.
    """

    key: str
    start: int
    end: int
    at: int


_RAW_OBJECT: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(
    dict[str, msgspec.Raw]
)


def members(raw: bytes) -> list[Member] | None:
    """The members of the object in `raw`, in order, duplicates included; None when it is no object."""
    try:
        values = _RAW_OBJECT.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # NaN and lone surrogates, which the stricter parser refuses, are no reason to give up.
        return _walk(raw, None) if _is_object(raw) else None
    found = _walk(raw, iter(values.values()))
    return _walk(raw, None) if found is None else found


def first_members(
    raw: bytes, wanted: Iterable[str]
) -> tuple[AbstractSet[str], list[Member]] | None:
    """All keys of the object in `raw`, which has none twice, and its members up to the last that is
    wanted, at least one. None when it is no object or takes a closer look.
    """
    try:
        values = _RAW_OBJECT.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    keys = values.keys()
    found = _walk(raw, iter(values.values()), {key for key in wanted if key in keys})
    return None if found is None else (keys, found)


def sole_value(raw: bytes, key: str) -> tuple[int, int] | None:
    """Where the value of the object's member `key` (of plain letters) stands, without a walk: its bytes, and
    the key's name, are nowhere else in the object. None otherwise.
    """
    if raw.count(b'"%s"' % key.encode()) != 1:
        return None
    try:
        value = memoryview(_RAW_OBJECT.decode(raw).get(key, _NOTHING))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    start = raw.find(value) if value else -1
    if start < 0 or raw.find(value, start + 1) >= 0:
        return None
    return start, start + len(value)


def with_last(raw: bytes, key: str, value: bytes) -> bytes | None:
    """The object with one more member at its end; None when it is no object or has that key."""
    try:
        values = _RAW_OBJECT.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if key in values:
        return None
    end = raw.rindex(b"}")
    comma = b"," if values else b""
    return b'%s%s"%s":%s%s' % (raw[:end], comma, key.encode(), value, raw[end:])


def _is_object(raw: bytes) -> bool:
    try:
        return isinstance(json.loads(raw.decode()), dict)
    except (ValueError, RecursionError):
        return False


def _walk(
    raw: bytes, values: Iterator[msgspec.Raw] | None, wanted: set[str] | None = None
) -> list[Member] | None:
    """Go through a valid object. `values` are its members' values in order, whose lengths say where
    each ends; None when they don't fit (duplicate keys). Without them the ends are searched for. With
    `wanted`, no further than the last of them.
    """
    found: list[Member] = []
    position = raw.index(b"{") + 1
    while key := _KEY.match(raw, position):
        start = key.end()
        if values is None:
            end = _value_end(raw, start)
        else:
            value = memoryview(next(values, _NOTHING))
            end = start + len(value)
            if not value or not raw.startswith(value, start):
                return None
        found.append(Member(_key(key[1]), start, end, key.start(1)))
        if wanted is not None:
            wanted.discard(found[-1].key)
            if not wanted:
                return found
        after = _AFTER.match(raw, end)
        if after is None:
            return None
        position = after.end()
    return found


def _key(literal: bytes) -> str:
    return str(json.loads(literal)) if b"\\" in literal else literal[1:-1].decode()


def _value_end(raw: bytes, start: int) -> int:
    scalar = _SCALAR.match(raw, start)
    if scalar is not None:
        return scalar.end()
    depth = 0
    for token in _TOKEN_BYTES.finditer(raw, start):
        if token[0] in (b"{", b"["):
            depth += 1
        elif token[0] in (b"}", b"]"):
            depth -= 1
        if depth == 0:
            return token.end()
    return len(raw)
