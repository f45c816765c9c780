"""The request of a client with the beginning of its answer, for a target of the client's own dialect.

All fields are the client's own but for two: the messages, and how many tokens may be left of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wattline.dialects.lead import Lead

_LIMITS: Final = frozenset(
    {"max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict",
     "maxOutputTokens"}
)  # fmt: skip
_WITHIN: Final = ("generationConfig", "generation_config", "options")
"""Gemini's and Ollama's objects with a limit in them."""
_MESSAGES: Final = ("messages", "contents")
_ANSWERED: Final = frozenset({"assistant", "model"})


def led_body(
    value: Mapping[str, Any], written: Mapping[str, Any], lead: Lead
) -> dict[str, Any] | None:
    """`value` is what the client sent, `written` the same with the beginning, as the target's codec wrote it. None
    where the one has not its last message from the other, as where two of the assistant's were made one.
    """
    name = next((name for name in _MESSAGES if name in value), "")
    ours, theirs = value.get(name), written.get(name)
    if not isinstance(ours, list) or not isinstance(theirs, list):
        return None
    if lead.before:
        ours = ours[:-1]
    if not lead.sent or not theirs or not ours or _role(ours[-1]) in _ANSWERED:
        return None
    body = _shortened(value, lead.used)
    body[name] = [*ours, theirs[-1]]
    for inner in _WITHIN:
        if isinstance(options := value.get(inner), dict):
            body[inner] = _shortened(options, lead.used)
    return body


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None


def _shortened(fields: Mapping[str, Any], used: int) -> dict[str, Any]:
    """With fewer tokens left, under the name that the client gave the limit. Ollama's -1 is none."""
    return {
        key: max(value - used, 1)
        if key in _LIMITS and isinstance(value, int) and value > 0 and value is not True
        else value
        for key, value in fields.items()
    }
