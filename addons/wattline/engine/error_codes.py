"""The codes in an API's error: what the API itself says is wrong, in words of its own.

Its texts are not looked at. They may quote the call, and whoever calls could put any word into them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

_NAMES: Final = ("code", "type", "status", "reason")
"""OpenAI's and Anthropic's `code` and `type`, Google's `status`, and `reason` of its `details` and `errors`."""
_LISTS: Final = ("details", "errors")
_MOST: Final = 16
"""Elements of a list that are looked at."""
_CODE: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}", re.ASCII)


def codes_in(body: bytes) -> frozenset[str]:
    """Those of an error's body, in lower case; none where it is not an error in JSON. Never raises."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return frozenset()
    return frozenset(_found(value))


def _found(value: Any) -> Iterator[str]:
    if isinstance(value, list):  # a stream of Gemini's that could not begin
        value = value[0] if value else None
    if not isinstance(value, dict):
        return
    yield from _of(value)
    error = value.get("error")
    if not isinstance(error, dict):
        return
    yield from _of(error)
    for name in _LISTS:
        further = error.get(name)
        for one in further[:_MOST] if isinstance(further, list) else ():
            if isinstance(one, dict):
                yield from _of(one)


def _of(value: dict[str, Any]) -> Iterator[str]:
    for name in _NAMES:
        code = value.get(name)
        if isinstance(code, str) and _CODE.fullmatch(code):
            yield code.lower()
