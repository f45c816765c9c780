"""What the project wants to reach, and whether a run reached it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from figures import ratios
from samples import (
    CHECK,
    DECIDE,
    KEYS,
    LONG,
    MEMORY,
    PLAIN,
    REPLAY,
    RULES,
    STREAMS,
    Samples,
    pair_name,
    plain_name,
    stream_name,
)
from shapes import PAIRS

STOCK = "stock"
OWN = "wattline"
MANY_RULES = "wattline-1000"
KEYED = "wattline-keys"
VARIANTS = {MANY_RULES: RULES, KEYED: KEYS}
"""Those that differ from `wattline` in their rules only, and the scenario in which the two meet."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a figure of `own`: on its ratio to `base` in the same round, or on itself."""

    title: str
    scenario: str
    figure: str
    limit: float
    own: str = OWN
    base: str | None = STOCK
    at_least: bool = False
    unit: str = "x"

    def value(self, samples: Samples) -> float | None:
        """The median over the rounds; None when it was not measured."""
        own = samples.values(self.scenario, self.own, self.figure)
        if self.base is not None:
            base = samples.values(self.scenario, self.base, self.figure)
            own = ratios(own, base) if len(own) == len(base) else []
        return median(own) if own else None

    def reached(self, value: float) -> bool:
        """Whether `value` keeps the bound."""
        return value >= self.limit if self.at_least else value <= self.limit

    def verdict(self, samples: Samples) -> tuple[str, float | None]:
        """`PASS`, `MISS` or `not measured`, and the value."""
        value = self.value(samples)
        if value is None:
            return "not measured", None
        return ("PASS" if self.reached(value) else "MISS"), value


def goals() -> Iterator[Goal]:
    """All of them, in the order of the report."""
    yield Goal("CPU per plain call, of stock", plain_name(16), "cpu_us", 0.6)
    for connections in PLAIN[1:]:
        title = f"requests/s at {connections}, of stock"
        yield Goal(title, plain_name(connections), "rps", 1.6, at_least=True)
    yield Goal("p50 at 1 connection, of stock", plain_name(1), "p50_ms", 0.9)
    yield Goal("CPU per streamed event at 64, of stock", stream_name(64), "cpu_us", 1.0)
    for streams in STREAMS:
        title = f"added time to first event at {streams}, of stock's"
        yield Goal(title, stream_name(streams), "added_first_ms", 0.5)
    yield Goal("CPU per 100 kB prompt, of stock", LONG, "cpu_us", 0.5)
    yield Goal("1,000 rules, CPU of 10 rules'", RULES, "cpu_us", 1.05, own=MANY_RULES, base=OWN)
    for rules, limit in ((10, 40), (1_000, 60)):
        title = f"a decision with {rules:,} rules, by itself"
        yield Goal(title, DECIDE, f"rules_{rules}_us", limit, base=None, unit="us CPU")
    title = "backtest, 1,000,000 calls"
    yield Goal(title, REPLAY, "million_s", 60, base=None, unit="s CPU")
    title = "key, balance, budget and tier, CPU of none"
    yield Goal(title, KEYS, "cpu_us", 1.1, own=KEYED, base=OWN)
    for credential in ("key", "token"):
        title = f"check of a {credential} and of windows, by itself"
        yield Goal(title, CHECK, f"{credential}_window_us", 80, base=None, unit="us CPU")
    for client, provider in PAIRS:
        scenario = pair_name(client, provider)
        for figure, what in (("sans_io_us", "by itself"), ("over_native_us", "end to end")):
            title = f"translation {what}, per event, {client} from {provider}"
            yield Goal(title, scenario, figure, 60, base=None, unit="us CPU")
    yield Goal("1,000 streams over idle", MEMORY, "over_idle_mib", 60, base=None, unit="MiB")
    yield Goal("memory when idle", MEMORY, "idle_mib", 120, base=None, unit="MiB")
