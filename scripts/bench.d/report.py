"""The run as text tables and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from figures import ratios, spread
from goals import STOCK, goals
from samples import Samples

_TITLES = {
    "cpu_us": "CPU us",
    "sans_io_us": "CPU us by itself",
    "over_native_us": "CPU us over native",
    "key_us": "CPU us, key",
    "key_window_us": "CPU us, key and windows",
    "token_us": "CPU us, token",
    "token_window_us": "CPU us, token and windows",
    "rules_10_us": "CPU us, 10 rules",
    "rules_1000_us": "CPU us, 1,000 rules",
    "rps": "requests/s",
    "first_ms": "first event ms",
    "added_first_ms": "added first ms",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "core": "core share",
    "idle_mib": "idle MiB",
    "open_mib": "open MiB",
    "over_idle_mib": "over idle MiB",
    "retried": "retried",
}
_BUSY = 0.9
"""Share of a core from which something is the limit."""


def text(samples: Samples) -> str:
    """All tables, the goals and the warnings."""
    parts = [_scenario(name, samples) for name in samples.scenarios]
    return "\n\n".join([*parts, _goals(samples), *_warnings(samples)])


def document(samples: Samples, run: dict[str, Any], failed: str | None) -> str:
    """The run as JSON: settings, machine, every round's figures, goals. Times in the keys' units."""
    verdicts = [
        {"goal": goal.title, "limit": goal.limit, "value": value, "verdict": verdict}
        for goal in goals()
        for verdict, value in [goal.verdict(samples)]
    ]
    whole = {
        "run": run,
        "machine": _machine(),
        "self_checks": failed or "passed",
        "scenarios": samples.scenarios,
        "goals": verdicts,
    }
    return json.dumps(whole, indent=1) + "\n"


def write(path: Path, content: str) -> None:
    """Put the file in place at once, so that a reader never sees half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(content, encoding="utf-8")
    part.replace(path)


def _scenario(name: str, samples: Samples) -> str:
    rows = [["gateway", "figure", "median", "min", "max", "of stock"]]
    for gateway in samples.scenarios[name]:
        for figure, title in _TITLES.items():
            values = samples.values(name, gateway, figure)
            if not values or (figure == "retried" and not any(values)):
                continue
            figures = [_number(value) for value in spread(values)]
            rows.append([gateway, title, *figures, _of_stock(samples, name, gateway, figure)])
    return f"{name}\n{_table(rows)}"


def _of_stock(samples: Samples, scenario: str, gateway: str, figure: str) -> str:
    own = samples.values(scenario, gateway, figure)
    stock = samples.values(scenario, STOCK, figure)
    if gateway == STOCK or len(own) != len(stock):
        return ""
    rounds = ratios(own, stock)
    return f"{median(rounds):.2f}" if rounds else ""


def _goals(samples: Samples) -> str:
    rows = [["goal", "wanted", "measured", ""]]
    for goal in goals():
        verdict, value = goal.verdict(samples)
        bound = f"{'>=' if goal.at_least else '<='} {goal.limit:g} {goal.unit}"
        measured = "" if value is None else f"{_number(value)} {goal.unit}"
        rows.append([goal.title, bound, measured, verdict])
    return f"goals (median over the rounds)\n{_table(rows)}"


def _warnings(samples: Samples) -> Iterator[str]:
    for scenario, gateways in samples.scenarios.items():
        for gateway in gateways:
            core = samples.values(scenario, gateway, "core")
            bench = samples.values(scenario, gateway, "bench_core")
            if core and median(bench) > _BUSY > median(core):
                yield (
                    f"warning: {scenario}, {gateway}: mock and load generator kept their core "
                    f"{median(bench):.0%} busy, so they are the limit and not the gateway"
                )


def _machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in ("mitmproxy", "aiohttp", "wattline")},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  "
        + "  ".join(
            # The first columns are names, the others numbers.
            cell.ljust(width) if place == 0 or not _numeric(rows, place) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _numeric(rows: Sequence[Sequence[str]], place: int) -> bool:
    return all(not row[place] or row[place][0] in "-0123456789<>" for row in rows[1:])
