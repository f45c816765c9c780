"""Whose client it probably is that asks for a path which is no route."""

from __future__ import annotations

import re
from typing import Final

_GEMINI: Final = re.compile(r"/v2/|/v1(?:beta|alpha)/|/v1/(?:models|tunedModels)/[^/]+:")
_ANTHROPIC: Final = re.compile(r"/v3/|/v1/message")
_OLLAMA: Final = re.compile(r"/v5/|/api/(?!v1/)")


def likely_dialect(path: str) -> str:
    """A dialect's name by a path on our own address: its beginning says it, `openai` where it does not."""
    for name, begins in (("gemini", _GEMINI), ("anthropic", _ANTHROPIC), ("ollama", _OLLAMA)):
        if begins.match(path):
            return name
    return "openai"
