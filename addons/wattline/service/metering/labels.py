"""Words that may stand as labels of metrics: few, and none that a client could choose."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wattline.rules.book import Book
from wattline.rules.compiled.provider import FROM_CACHE

OTHER: Final = "other"
"""A name that is not in rules.yaml."""
NONE: Final = "none"
"""There was no provider."""

_OUTCOMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "http_401": "authentication",
        "http_402": "authentication",
        "http_403": "authentication",
        "inband_authentication": "authentication",
        "inband_permission": "authentication",
        "inband_insufficient_quota": "authentication",
        "http_429": "rate_limit",
        "inband_rate_limit": "rate_limit",
        "http_408": "timeout",
        "http_504": "timeout",
        "connect_timeout": "timeout",
        "first_byte_timeout": "timeout",
        "idle_timeout": "timeout",
        "total_timeout": "timeout",
        "refused": "connection",
        "unreachable": "connection",
        "dns": "connection",
        "tls": "connection",
        "reset": "connection",
        "cut": "broken_off",
        "bad_answer": "bad_answer",
        "answer_too_large": "bad_answer",
        "context_length": "context_length",
        "unsendable": "internal",
        "credential_origin": "internal",
        "internal_error": "internal",
        "shutdown": "internal",
        "upgrade_refused": "connection",
    }
)


def error_type(code: str) -> str:
    """An outcome's code (`engine.failover`) as one of a few words."""
    known = _OUTCOMES.get(code)
    if known is not None:
        return known
    if code.startswith(("http_5", "inband_")):
        return "server_error"
    return "invalid_request" if code.startswith("http_4") else OTHER


class Names:
    """Which names of providers and models are in the rules of the moment."""

    __slots__ = ("_book", "_models")

    def __init__(self) -> None:
        self._book: Book | None = None
        self._models: frozenset[str] = frozenset()

    def provider(self, name: str, book: Book) -> str:
        """`name` if an operator wrote it; a call that is only passed on names a host instead."""
        return name if name in book.providers or name == FROM_CACHE else OTHER

    def model(self, name: str, book: Book) -> str:
        """`name` if an operator wrote it."""
        if book is not self._book:
            self._book, self._models = book, _models(book)
        return name if name in self._models else OTHER


def _models(book: Book) -> frozenset[str]:
    listed = {model.id for provider in book.providers.values() for model in provider.models}
    return frozenset(listed | {target.model for chain in book.models.values() for target in chain})
