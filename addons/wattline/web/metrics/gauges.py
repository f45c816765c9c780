"""What is read at the moment of a scrape; everything else was counted before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wattline.engine.breaker import State
from wattline.service.metering.counts import Counts
from wattline.store.gauges import LedgerGauges


@dataclass(frozen=True, slots=True)
class Gauges:
    """One reading. `now` is monotonic seconds, `uptime` seconds."""

    now: float
    uptime: float
    version: str
    rules_version: str
    open_calls: int
    ledger: LedgerGauges
    providers: Mapping[str, bool] = field(default_factory=dict)
    """Each provider of the rules, and whether it can be asked now."""
    health: Mapping[str, tuple[State, float]] = field(default_factory=dict)
    """Each provider's worst breaker, and its score."""
    log_missing: int = 0
    """Lines that could not be written to the log's file."""


@dataclass(frozen=True, slots=True)
class MetricsParts:
    """What the page of metrics asks."""

    counts: Counts
    gauges: Callable[[], Gauges]
