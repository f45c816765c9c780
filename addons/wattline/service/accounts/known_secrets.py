"""All secrets of a sidecar: what no line of a log may show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from wattline.rules.book import Book
from wattline.service.accounts.master import operator_secrets

type Source = Callable[[], Iterable[str]]


class KnownSecrets:
    """One for the process, asked for each line. The environment's are known at once, others as the parts that
    hold them come to be.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._operators = tuple(operator_secrets(env))
        self._sources: list[Source] = []
        self._book: Callable[[], Book] | None = None
        self._seen: Book | None = None
        self._keys: tuple[str, ...] = ()
        self._keys_before: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "<KnownSecrets>"

    def __call__(self) -> Iterable[str]:
        """Each of them, some perhaps twice."""
        found = [*self._operators, *self._provider_keys()]
        for source in self._sources:
            found += source()
        return found

    def add(self, source: Source) -> None:
        """Ask this too from now on, each time: its secrets may come and go."""
        self._sources.append(source)

    def follow(self, book: Callable[[], Book]) -> None:
        """The providers' keys in the rules in force; those of the rules before may still be in use."""
        self._book = book

    def _provider_keys(self) -> tuple[str, ...]:
        if self._book is not None and (book := self._book()) is not self._seen:
            self._seen, before = book, self._keys
            self._keys = tuple(provider_keys(book))
            self._keys_before = before
        return self._keys + self._keys_before


def provider_keys(book: Book) -> Iterable[str]:
    """Every key of a provider in these rules."""
    keyed = (one for provider in book.providers.values() for one in provider.each)
    return [one.credential.secret for one in keyed if one.credential is not None]
