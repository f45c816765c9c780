"""How providers of OpenAI's chat completions differ in what they take."""

from __future__ import annotations

import re
from dataclasses import dataclass

_REASONING_MODEL = re.compile(r"(?:.*/)?(?:o[1-9]|gpt-(?:[5-9]|[1-9][0-9])|codex)(?![0-9a-z])")
_PLAIN_MODEL = re.compile(r"(?:.*/)?(?:gpt-(?:3|4)|chatgpt-4)")


@dataclass(frozen=True, slots=True)
class ChatTraits:
    """What a provider knows beside what all of them do. The defaults are OpenAI's own API.

    Many refuse a request with a field that they do not know, so what is not said here is not sent.
    """

    limit: str | None = None
    """The field for the most tokens of an answer. None: by the model's name, `max_completion_tokens` for
    OpenAI's reasoning models, which refuse the other, and `max_tokens`, which all providers know, for
    the rest.
    """
    developer: bool = True
    """Knows the role `developer`; it is written as `system` otherwise."""
    hints: bool = True
    """Knows OpenAI's `store`, `service_tier`, `user` and the like."""
    top_k: bool = False
    effort: bool = True
    """Knows `reasoning_effort`."""
    cache: bool = False
    """Knows Anthropic's `cache_control` on parts (OpenRouter)."""
    reasoning: str | None = None
    """The field of an assistant's message in which it takes the model's thought back: `reasoning_content`
    (DeepSeek), `reasoning` (OpenRouter, Groq, vLLM). None: it takes none.
    """
    headers: tuple[tuple[str, str], ...] = ()
    """Hints that it takes as headers, and the names of these."""
    signatures: bool = False
    """Takes `reasoning_details` (OpenRouter) and calls' `extra_content` (Google) back."""


OPENAI = ChatTraits()
COMPATIBLE = ChatTraits(developer=False, hints=False)
"""A provider of which nothing more is known."""


def limit_name(traits: ChatTraits, model: str) -> str:
    """The field for the most tokens of an answer."""
    if traits.limit is not None:
        return traits.limit
    return "max_completion_tokens" if _REASONING_MODEL.match(model) else "max_tokens"


def takes_effort(traits: ChatTraits, model: str) -> bool:
    """Whether a model takes `reasoning_effort`: OpenAI's older ones refuse it."""
    return traits.effort and not _PLAIN_MODEL.match(model)
