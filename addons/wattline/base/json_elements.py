"""Where the elements of a JSON array stand in its bytes."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

import msgspec

_BETWEEN = re.compile(rb"[ \t\n\r]*,?[ \t\n\r]*")
_SPACE = re.compile(rb"[ \t\n\r]*")
_RAW_ARRAY: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_LENIENT = json.JSONDecoder()


class Element(NamedTuple):
    """One element: its bytes are `raw[start:end]`."""

    start: int
    end: int


def elements(raw: bytes) -> list[Element] | None:
    """The elements of the array in `raw`, in order; None when it is no array."""
    try:
        values = _RAW_ARRAY.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Lone surrogates, which the stricter parser refuses, are no reason to give up.
        return _walk(raw)
    found: list[Element] = []
    position = raw.index(b"[") + 1
    for value in values:
        start = _after(_BETWEEN, raw, position)
        position = start + len(memoryview(value))
        found.append(Element(start, position))
    return found


def _after(pattern: re.Pattern[bytes], raw: bytes, position: int) -> int:
    match = pattern.match(raw, position)
    return position if match is None else match.end()


def _walk(raw: bytes) -> list[Element] | None:
    """The same by the lenient parser. In Latin-1 a character is a byte, and JSON's marks are the same."""
    text = raw.decode("latin-1")
    try:
        if not isinstance(json.loads(text), list):
            return None
        found: list[Element] = []
        position = _after(_SPACE, raw, raw.index(b"[") + 1)
        while raw[position : position + 1] != b"]":
            _, end = _LENIENT.raw_decode(text, position)
            found.append(Element(position, end))
            position = _after(_BETWEEN, raw, end)
    except (ValueError, RecursionError):
        return None
    return found
