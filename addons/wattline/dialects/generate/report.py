"""What a prompt asks for and a generate bridge can't do."""

from __future__ import annotations

from wattline.wire.parts import Audio, File, Image, ToolCall, ToolResult
from wattline.wire.prompt import Choice, Prompt

_PARTS = (
    (Image, "images in messages"),
    (Audio, "audio in messages"),
    (File, "files in messages"),
    (ToolCall, "tool calls in messages"),
    (ToolResult, "tool results in messages"),
)


def unsupported(prompt: Prompt) -> tuple[str, ...]:
    """Their names in the words of a client's request, each once."""
    parts = [part for message in prompt.messages for part in message.parts]
    found = [name for kind, name in _PARTS if any(type(part) is kind for part in parts)]
    choice, sampling = prompt.tool_choice, prompt.sampling
    facts = (
        ("tools", bool(prompt.tools)),
        ("tool_choice", choice is not None and choice.choice in (Choice.REQUIRED, Choice.NAMED)),
        ("response_format", prompt.format is not None),
        ("reasoning", prompt.thinking is not None),
        ("top_p", sampling.top_p is not None),
        ("top_k", sampling.top_k is not None),
        ("stop", bool(sampling.stop)),
        ("seed", sampling.seed is not None),
        ("presence_penalty", bool(sampling.presence_penalty)),
        ("frequency_penalty", bool(sampling.frequency_penalty)),
        ("n", (sampling.n or 1) > 1),
    )
    found += [name for name, holds in facts if holds]
    return tuple(dict.fromkeys([*found, *prompt.extras]))
