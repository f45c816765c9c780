"""Providers and models that an operator switched off: left out of plans until further notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

type Place = tuple[str, str]
"""A provider and its model; an empty model is the whole provider."""


@dataclass(frozen=True, slots=True)
class Parked:
    """Since when (milliseconds since 1970 UTC), by whom (a principal) and why."""

    since: int
    by: str
    reason: str

    def __str__(self) -> str:
        return f"switched off by an operator: {self.reason}" if self.reason else SWITCHED_OFF


SWITCHED_OFF = "switched off by an operator"


class Parking:
    """What is off now. Changed only after that was written down."""

    def __init__(self, parked: Mapping[Place, Parked] | None = None) -> None:
        self._parked = dict(parked or {})

    def __len__(self) -> int:
        return len(self._parked)

    def put(self, place: Place, parked: Parked) -> None:
        """Switch it off."""
        self._parked[place] = parked

    def take(self, place: Place) -> None:
        """Let it be tried again."""
        self._parked.pop(place, None)

    def of(self, provider: str, model: str = "") -> Parked | None:
        """Why a model of a provider may not be tried: the provider is off, or this model of it."""
        if not self._parked:
            return None
        whole = self._parked.get((provider, ""))
        return self._parked.get((provider, model)) if whole is None else whole

    def models(self, provider: str) -> dict[str, Parked]:
        """The models of a provider that are off one by one."""
        return {
            model: parked
            for (name, model), parked in sorted(self._parked.items())
            if name == provider and model
        }
