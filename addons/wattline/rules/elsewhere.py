"""What a sidecar that runs has of its own environment, told to another process by names alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from wattline.rules.book import Book


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another process's availability of each provider and caller: no key, no hash of one, no value."""

    providers: Mapping[str, str | None] = field(default_factory=dict)
    """Each provider's name, and why that process can't use it; None when it can."""
    callers: frozenset[str] = frozenset()
    """Names under `auth.keys` whose key that process has."""

    @classmethod
    def of(cls, book: Book) -> Self:
        """What the process of this book has."""
        return cls(
            {provider.name: provider.unavailable for provider in book.providers.values()},
            frozenset(book.auth.keys.values()),
        )

    def unavailable(self, provider: str, here: str | None) -> str | None:
        """Why that process can't use the provider: what is found here for one it does not know."""
        return self.providers.get(provider, here)
