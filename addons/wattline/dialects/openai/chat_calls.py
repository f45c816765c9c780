"""Tool calls in chat messages, and where Google's compatible API keeps their thought signatures."""

from __future__ import annotations

from typing import Any

from wattline.dialects.json_text import dumps
from wattline.wire.parts import ToolCall


def read_signature(call: Any) -> str | None:
    """The thought signature of a call as it stands in a message."""
    value = call
    for key in ("extra_content", "google", "thought_signature"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None


def write_signature(signature: str | None) -> dict[str, Any]:
    """The members of a call that carry its signature."""
    if signature is None:
        return {}
    return {"extra_content": {"google": {"thought_signature": signature}}}


def write_call(call: ToolCall, *, signed: bool = True) -> dict[str, Any]:
    """A call in a message."""
    found = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    return found | write_signature(call.signature) if signed else found


def argument_text(value: Any) -> str:
    """A call's arguments as JSON text; some providers give the object itself."""
    if isinstance(value, str):
        return value
    return "{}" if value is None else dumps(value).decode()
