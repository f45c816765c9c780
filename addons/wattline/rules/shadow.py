"""A shadow target as rules ask for it: a share of their calls is asked there too."""

from __future__ import annotations

from dataclasses import dataclass

from wattline.rules.compiled.target import Target


@dataclass(frozen=True, slots=True)
class Shadow:
    """One `shadow:`. `share` is 0 to 1."""

    target: Target
    share: float
