"""JSON as text, and arguments of tools between text and object."""

from __future__ import annotations

from typing import Any

import msgspec

from wattline.dialects.json_text import dumps

WRONG_ARGUMENTS = "arguments"
"""Where arguments stand that are no JSON object: Gemini takes nothing else, and models err."""


def json_text(value: Any) -> str:
    """Compact JSON as text."""
    return dumps(value).decode()


def arguments(text: str) -> dict[str, Any]:
    """The object of a call's arguments."""
    if not text.strip():
        return {}
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {WRONG_ARGUMENTS: text}
    return value if isinstance(value, dict) else {WRONG_ARGUMENTS: text}
