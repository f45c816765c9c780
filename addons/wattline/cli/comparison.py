"""The sidecar that runs beside what this shell has: the two are often started with other variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wattline.base.settings import Settings
from wattline.cli.book import Rules, load_rules, read_rules
from wattline.cli.running import Running, find_running
from wattline.rules.book import Book
from wattline.rules.elsewhere import Elsewhere
from wattline.rules.problems import RulesError


@dataclass(frozen=True, slots=True)
class Difference:
    """A provider that only one of the two can use. The reason is that of the one that can't."""

    provider: str
    in_sidecar: bool
    reason: str

    def __str__(self) -> str:
        if self.in_sidecar:
            return f"{self.provider}: the sidecar can use it, this shell can't ({self.reason})"
        return (
            f"{self.provider}: this shell could use it, the sidecar can't ({self.reason}): "
            "a changed variable needs a restart"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """A sidecar of this state folder, and the rules file that a command was asked about."""

    running: Running
    path: Path

    @property
    def name(self) -> str:
        """The sidecar in words, without an article."""
        return f"sidecar on {self.running.address} (process {self.running.pid})"

    @property
    def same_file(self) -> bool:
        """It runs these rules."""
        rules = self.running.rules
        return rules is not None and rules.resolve() == self.path.resolve()

    @property
    def elsewhere(self) -> Elsewhere:
        """What its environment gives it."""
        return Elsewhere(self.running.providers, self.running.callers)

    def differences(self, book: Book) -> list[Difference]:
        """Providers of both that only one can use; `book` is read with this shell's environment."""
        return list(_differences(self.running.providers, book))

    def as_json(self, book: Book | None) -> dict[str, Any]:
        """For programs; `differences` is null when they can't be told."""
        running = self.running
        differences = None
        if book is not None and self.same_file:
            differences = [
                {"provider": d.provider, "sidecar": d.in_sidecar, "reason": d.reason}
                for d in self.differences(book)
            ]
        return {
            "pid": running.pid,
            "host": running.host,
            "port": running.port,
            "version": running.version,
            "rules": None if running.rules is None else str(running.rules),
            "rules_version": running.rules_version,
            "providers": dict(running.providers),
            "differences": differences,
        }


def compare(settings: Settings, path: Path) -> Comparison | None:
    """With the sidecar of the state folder, if one answers."""
    running = find_running(settings.state)
    return None if running is None else Comparison(running, path)


def read_as_sidecar(settings: Settings, comparison: Comparison | None) -> Rules:
    """The rules with what the sidecar has, where it runs the same file; else with what this shell has.

    Raises RulesError, OSError.
    """
    if comparison is None or not comparison.same_file:
        return read_rules(settings)
    rules = load_rules(settings, elsewhere=comparison.elsewhere)
    version = comparison.running.rules_version or rules.book.version
    return replace(rules, book=replace(rules.book, version=version))


def read_here(settings: Settings) -> Book | None:
    """The rules with what this shell has; None when they can't be used so."""
    try:
        return read_rules(settings).book
    except (RulesError, OSError):
        return None


def _differences(there: Mapping[str, str | None], book: Book) -> Iterator[Difference]:
    for name, provider in book.providers.items():
        if name not in there:
            continue
        reason = there[name]
        if reason is None and provider.unavailable is not None:
            yield Difference(name, in_sidecar=True, reason=provider.unavailable)
        elif reason is not None and provider.unavailable is None:
            yield Difference(name, in_sidecar=False, reason=reason)
