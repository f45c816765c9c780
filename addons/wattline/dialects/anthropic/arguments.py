"""The arguments of a tool call: JSON text in neutral form, an object at Anthropic; and texts in base64."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final, NoReturn

UNREADABLE: Final = "_unparsed_arguments"
"""The one member of an input whose arguments are no JSON object: it holds their text as the model wrote it,
so that the model sees its own mistake and nothing is lost.
"""

_MAX_DEPTH = 100


def input_of(arguments: str) -> dict[str, Any]:
    """The object for Anthropic. No text at all is a call without arguments."""
    if not arguments.strip():
        return {}
    try:
        value = json.loads(arguments, parse_constant=_refuse)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) and _fits(value) else {UNREADABLE: arguments}


def arguments_of(value: dict[str, Any]) -> str:
    """The JSON text of an input; the text itself where `input_of` had kept it.

    Raises RecursionError for one that no strict parser would have read.
    """
    if len(value) == 1 and isinstance(text := value.get(UNREADABLE), str):
        return text
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encoded(text: str) -> str:
    """A text as base64 of its UTF-8."""
    return base64.b64encode(text.encode("utf-8", "replace")).decode()


def decoded(data: str) -> str | None:
    """The text in base64; None when it is none."""
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _fits(value: dict[str, Any]) -> bool:
    """Whether it can be written again: its depth is bounded, and texts are Unicode."""
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.keys()
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str) and not item.isascii() and _torn(item):
                return False
        level = below
    return not level


def _torn(text: str) -> bool:
    """Whether it has half a pair of surrogates."""
    return any("\ud800" <= character <= "\udfff" for character in text)
