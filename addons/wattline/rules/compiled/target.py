"""Where a call can go."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from wattline.rules.compiled.provider import Provider, Timeouts, account_name

AS_ASKED = "*"
"""A target's model when the rule names only a provider: the model that the client asked for."""


@dataclass(frozen=True, slots=True)
class Target:
    """A provider and the model name it knows (`*`: the one that was asked for). `entry` is its name
    in rules.yaml.
    """

    provider: Provider
    model: str
    entry: str
    rate: Fraction | None = None
    """Tokens for one unit of energy before the margin; None: unknown."""
    timeouts: Timeouts | None = None
    """Only when the model's own differ from the provider's."""
    adapt: frozenset[str] = frozenset()
    """Beside those of its provider."""
    per_second: Fraction | None = None
    per_character: Fraction | None = None
    """Energy for sound, only where the model's own differs from the book's."""
    owner: str | None = None
    """The caller whose own key its provider has here; None: the operator's, or none."""

    @property
    def account(self) -> str:
        """Whose limits at the provider count: it rests under this name."""
        return self.provider.account_of(self.owner)

    @property
    def place(self) -> tuple[str, str]:
        """What its health is known by: a provider that is down is so for all of its keys."""
        return account_name(self.provider.name, self.owner), self.model

    @property
    def label(self) -> str:
        """Its name, with the number of its key where there are several."""
        key = self.provider.key
        return f"{self} key {key}" if key and self.owner is None else str(self)

    def __str__(self) -> str:
        return f"{self.provider.name}/{self.model}"
