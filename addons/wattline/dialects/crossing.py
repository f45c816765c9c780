"""Which calls can cross from one dialect to another."""

from __future__ import annotations

from typing import Final

from wattline.wire.call import Operation

TEXT: Final = frozenset({Operation.CHAT, Operation.COMPLETION, Operation.RESPONSES})
"""Operations that are all a request for text."""
_EMBEDS: Final = frozenset({"openai", "gemini", "ollama"})
_ONLY_TEXT: Final = frozenset({"generate"})


def crosses(operation: Operation, client: str, provider: str) -> bool:
    """A call of a client's dialect can be put to a provider that speaks another, or the same."""
    if operation in TEXT:
        return True
    if operation is Operation.EMBEDDINGS and client in _EMBEDS:
        return provider in _EMBEDS
    return client == provider and provider not in _ONLY_TEXT
