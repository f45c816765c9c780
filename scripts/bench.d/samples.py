"""The figures of a run, by scenario, gateway and round."""

from __future__ import annotations

from dataclasses import dataclass, field

type Rounds = list[dict[str, float]]

PLAIN = (1, 16, 64)
STREAMS = (16, 64)
LONG = "100 kB prompt, 16 connections"
RULES = "10 and 1,000 rules, 16 connections"
KEYS = "open and with keys, 16 connections"
CHECK = "who calls, and how often, by itself"
DECIDE = "a decision by itself"
REPLAY = "a backtest by itself"
MEMORY = "memory, 1,000 open streams"


def plain_name(connections: int) -> str:
    """The scenario of plain calls over that many connections."""
    return f"plain calls, {connections} connection{'s' * (connections > 1)}"


def stream_name(streams: int) -> str:
    """The scenario of that many paced streams."""
    return f"{streams} streams x 50 events/s"


def pair_name(client: str, provider: str) -> str:
    """The scenario of one translation: a client's dialect, answered by a provider of another."""
    return f"translation, {client} client, {provider} provider"


@dataclass(slots=True)
class Samples:
    """What was measured; the n-th entries of two gateways in a scenario are of the same round."""

    scenarios: dict[str, dict[str, Rounds]] = field(default_factory=dict)

    def add(self, scenario: str, gateway: str, figures: dict[str, float]) -> None:
        """Append a round."""
        self.scenarios.setdefault(scenario, {}).setdefault(gateway, []).append(figures)

    def values(self, scenario: str, gateway: str, figure: str) -> list[float]:
        """A figure round by round; empty when it was not measured."""
        rounds = self.scenarios.get(scenario, {}).get(gateway, [])
        return [r[figure] for r in rounds if figure in r]

    def derive_translation(self, native: str) -> None:
        """For translations: CPU per event beyond that of the scenario `native` in the same round."""
        base = self.values(native, "wattline", "cpu_us")
        for scenario, gateways in self.scenarios.items():
            rounds = gateways.get("wattline", [])
            if not scenario.startswith("translation") or len(rounds) != len(base):
                continue
            for figures, passed in zip(rounds, base, strict=True):
                figures["over_native_us"] = figures["cpu_us"] - passed

    def derive_added(self) -> None:
        """For streams: the time to the first event beyond that of direct calls in the same round."""
        for scenario, gateways in self.scenarios.items():
            direct = self.values(scenario, "direct", "first_ms")
            for name, rounds in gateways.items():
                if name == "direct" or len(direct) != len(rounds):
                    continue
                for figures, base in zip(rounds, direct, strict=True):
                    figures["added_first_ms"] = figures["first_ms"] - base
