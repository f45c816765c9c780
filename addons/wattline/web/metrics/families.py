"""Counts and gauges as families of Prometheus's samples. Names with `gateway_` are those that dashboards of
another gateway know (E-100..E-103).

https://prometheus.io/docs/instrumenting/exposition_formats
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from wattline.base.amounts import MICRO
from wattline.base.quantiles import Quantiles
from wattline.engine.breaker import State
from wattline.service.metering.counts import Counts
from wattline.web.metrics.gauges import Gauges

QUANTILES: Final = (0.5, 0.95, 0.99)
_STATES: Final = MappingProxyType({State.CLOSED: 0.0, State.HALF_OPEN: 1.0, State.OPEN: 2.0})


class Families:
    """What a registry asks: everything as it is now. A collector of prometheus_client."""

    def __init__(self, counts: Counts, gauges: Gauges) -> None:
        self._counts = counts
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """All families."""
        yield from self._calls()
        yield from self._attempts()
        yield from self._ways()
        yield from self._ledger()
        yield from self._process()

    def _calls(self) -> Iterator[Metric]:
        counts = self._counts
        yield _counter(
            "gateway_requests",
            "Calls by the provider that was asked last, and how they ended.",
            ("provider", "status"),
            counts.requests,
        )
        yield _summary(
            "gateway_request_duration_seconds",
            "Seconds of calls; quantiles are of the last ten minutes.",
            {(name,): found for name, found in counts.durations.items()},
            ("provider",),
            self._gauges.now,
        )
        yield _counter(
            "gateway_tokens",
            "Tokens of answers. `cached` is part of `prompt`, `reasoning` of `completion`.",
            ("provider", "type"),
            counts.tokens,
        )
        yield _counter(
            "gateway_errors",
            "Failed attempts, and calls for which no provider was asked (provider `none`).",
            ("provider", "error_type"),
            counts.errors,
        )

    def _attempts(self) -> Iterator[Metric]:
        counts = self._counts
        yield _counter(
            "wattline_attempts",
            "Attempts at providers by the model's name there and by how they ended.",
            ("provider", "model", "outcome"),
            counts.attempts,
        )
        energy = CounterMetricFamily(
            "wattline_energy", "Energy that was debited.", labels=["provider"]
        )
        for provider, micro in counts.energy.items():
            energy.add_metric([provider], micro / MICRO)
        yield energy

    def _ways(self) -> Iterator[Metric]:
        counts = self._counts
        yield _single(
            "wattline_failovers", "Attempts at another target of the same call.", counts.failovers
        )
        yield _single(
            "wattline_translated",
            "Attempts with output whose provider speaks another dialect than the client.",
            counts.translated,
        )
        yield _counter(
            "wattline_cache",
            "Calls whose answer may be kept, by whether it was there.",
            ("result",),
            {("hit",): counts.hits, ("miss",): counts.misses},
        )
        yield _counter(
            "wattline_affinity",
            "Calls of rules with affinity: at the target of their conversation, elsewhere, or the first ones.",
            ("result",),
            {(result,): count for result, count in counts.kept.items()},
        )
        yield _counter(
            "wattline_proofs",
            "What was passed on and proved, by kind and by what its digests say.",
            ("kind", "verdict"),
            counts.proofs,
        )
        yield _single(
            "wattline_failed_open",
            "Calls that went on as they came, since the sidecar's own code failed.",
            counts.failed_open,
        )
        yield _counter(
            "wattline_shadow_calls",
            "Copies of calls for shadow targets: sent, or dropped since there was no room.",
            ("outcome",),
            {(outcome,): count for outcome, count in counts.shadows.items()},
        )
        yield _counter(
            "wattline_windows_full",
            "Times that a rate window had no room, by whose it is.",
            ("of",),
            {(of,): count for of, count in counts.full.items()},
        )
        available = GaugeMetricFamily(
            "wattline_provider_available",
            "1 when the provider can be asked; 0 when it rests, is switched off or not configured.",
            labels=["provider"],
        )
        for name, usable in self._gauges.providers.items():
            available.add_metric([name], float(usable))
        yield available
        yield from self._health()

    def _health(self) -> Iterator[Metric]:
        breaker = GaugeMetricFamily(
            "wattline_breaker_state",
            "The worst breaker among a provider's models: 0 closed, 1 half open, 2 open.",
            labels=["provider"],
        )
        score = GaugeMetricFamily(
            "wattline_provider_score",
            "1 for a provider that never fails and answers at once, towards 0 for one that does neither.",
            labels=["provider"],
        )
        for name, (state, figure) in self._gauges.health.items():
            breaker.add_metric([name], _STATES[state])
            score.add_metric([name], figure)
        yield breaker
        yield score

    def _ledger(self) -> Iterator[Metric]:
        ledger = self._gauges.ledger
        yield _summary(
            "wattline_ledger_commit_seconds",
            "Seconds of group commits; quantiles are of the last ten minutes.",
            {(): ledger.commits},
            (),
            self._gauges.now,
        )
        yield _single("wattline_ledger_rows", "Rows written.", ledger.rows)
        yield GaugeMetricFamily(
            "wattline_ledger_down", "1 while the ledger can't be written.", float(ledger.down)
        )
        yield GaugeMetricFamily(
            "wattline_ledger_waiting", "Rows that wait for a commit.", ledger.waiting
        )
        yield GaugeMetricFamily(
            "wattline_ledger_kept",
            "Settlements in memory only, while the ledger can't be written.",
            ledger.kept,
        )

    def _process(self) -> Iterator[Metric]:
        gauges = self._gauges
        yield GaugeMetricFamily(
            "wattline_open_calls", "Calls that have not ended, streams included.", gauges.open_calls
        )
        yield GaugeMetricFamily(
            "wattline_uptime_seconds", "Seconds since the start.", gauges.uptime
        )
        yield _single(
            "wattline_log_lines_missing",
            "Lines that are not in the log: a queue or the disk was full, or nobody took them.",
            gauges.log_missing,
        )
        yield _info("wattline_build_info", "What runs.", {"version": gauges.version})
        yield _info("wattline_rules_info", "Which rules apply.", {"version": gauges.rules_version})


def _counter[K: tuple[str, ...]](
    name: str, text: str, labels: tuple[str, ...], table: Mapping[K, int]
) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in table.items():
        family.add_metric(values, count)
    return family


def _single(name: str, text: str, count: int) -> Metric:
    return CounterMetricFamily(name, text, value=count)


def _info(name: str, text: str, labels: dict[str, str]) -> Metric:
    family = Metric(name, text, "gauge")
    family.add_sample(name, labels, 1.0)
    return family


def _summary(
    name: str,
    text: str,
    table: Mapping[tuple[str, ...], Quantiles],
    labels: tuple[str, ...],
    now: float,
) -> Metric:
    family = Metric(name, text, "summary")
    for values, found in table.items():
        named = dict(zip(labels, values, strict=True))
        for share, value in zip(QUANTILES, found.at(QUANTILES, now), strict=True):
            family.add_sample(name, {**named, "quantile": str(share)}, value)
        family.add_sample(f"{name}_sum", named, found.sum)
        family.add_sample(f"{name}_count", named, float(found.count))
    return family
