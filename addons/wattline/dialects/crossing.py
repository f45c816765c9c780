"""Which calls can cross from one dialect to another."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wattline.wire.call import Operation

TEXT: Final = frozenset({Operation.CHAT, Operation.COMPLETION, Operation.RESPONSES})
"""Operations that are all a request for text."""
_EMBEDS: Final = frozenset({"openai", "gemini", "ollama"})
_ASKS_VECTORS: Final = _EMBEDS | {"gateway"}
_RERANKS: Final = "openai"
"""The providers' dialect; clients have others too."""
_COUNTS: Final = frozenset({"anthropic", "gemini"})
"""Dialects with a way to count a prompt's tokens."""
_ONLY_TEXT: Final = frozenset({"generate"})
_SHAPED: Final[Mapping[str, str]] = MappingProxyType({"inference": "openai", "assistant": "openai"})
"""Clients' dialects whose requests and answers, but for errors, are those of a provider's dialect."""


def native(client: str) -> str:
    """The dialect of providers that take the bytes of a client's dialect."""
    return _SHAPED.get(client, client)


def crosses(operation: Operation, client: str, provider: str) -> bool:
    """A call of a client's dialect can be put to a provider that speaks another, or the same."""
    if operation in TEXT:
        return True
    if operation is Operation.EMBEDDINGS and client in _ASKS_VECTORS:
        return provider in _EMBEDS
    if operation is Operation.RERANK:
        return provider == _RERANKS
    if operation is Operation.COUNT_TOKENS and client in _COUNTS:
        return provider in _COUNTS
    return native(client) == provider and provider not in _ONLY_TEXT
