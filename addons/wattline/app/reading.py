"""How it is at this moment, for metrics."""

from __future__ import annotations

from wattline import __version__
from wattline.app.ground import Ground
from wattline.app.memory import Memory
from wattline.engine.breaker import State
from wattline.rules.compiled.facts import Subject
from wattline.rules.compiled.provider import Provider
from wattline.web.metrics.gauges import Gauges


def read_gauges(
    ground: Ground, memory: Memory, *, started: float, open_calls: int, log_missing: int
) -> Gauges:
    """One reading. `started` is monotonic seconds."""
    book, now = ground.book(), ground.clock.monotonic()
    return Gauges(
        now=now,
        uptime=now - started,
        version=__version__,
        rules_version=book.version,
        open_calls=open_calls,
        ledger=ground.ledger.gauges,
        providers={n: _usable(memory, p, now) for n, p in book.providers.items()},
        health={n: _health(memory, p, now) for n, p in book.providers.items()},
        log_missing=log_missing,
    )


def _usable(memory: Memory, provider: Provider, now: float) -> bool:
    view = memory.view
    return (
        provider.unavailable is None
        and view.rests(provider, now) is None
        and view.parked(provider.name) is None
    )


def _health(memory: Memory, provider: Provider, now: float) -> tuple[State, float]:
    subject = Subject(provider.name, (provider.account,))
    return memory.view.worst(provider.name, now), memory.view.fares(subject, now).score
