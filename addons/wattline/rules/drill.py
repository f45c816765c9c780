"""A fault drill as rules ask for it: which fault, for whose calls, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wattline.rules.globs import Patterns

STATUSES: Final[Mapping[str, int]] = MappingProxyType(
    {"429": 429, "500": 500, "503": 503, "529": 529}
)
"""The kinds that are an answer: nothing is sent to the provider."""
REFUSE: Final = "refuse"
STALL: Final = "stall"
CUT: Final = "cut"
MALFORMED: Final = "malformed"
SLOW_DRIP: Final = "slow_drip"
BY_EVENT: Final = frozenset({STALL, CUT, MALFORMED})
"""The kinds that begin after some events of a real answer."""


@dataclass(frozen=True, slots=True)
class Drill:
    """One `fault:`. All that is set must fit for a call to be drawn at all."""

    kind: str
    share: float
    """Of the calls that fit, 0 to 1."""
    until: float
    """Unix seconds: from then on there is no drill."""
    headers: tuple[tuple[str, Patterns], ...] = ()
    principals: Patterns | None = None
    users: Patterns | None = None
    targets: Patterns | None = None
    """`provider/model`, an entry or a provider; None: every target of the rule."""
    after: int = 0
    """Events of a stream that come through untouched."""
    retry_after: float | None = None
    """Seconds that the made answer asks to wait."""
    pause: float = 1.0
    """Seconds before each event of a slow drip."""

    @property
    def status(self) -> int | None:
        """The status of the made answer; None for the kinds that are none."""
        return STATUSES.get(self.kind)
