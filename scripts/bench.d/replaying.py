"""What a backtest costs by itself: `python replaying.py` prints CPU seconds per million calls as JSON.

No socket, no gateway: a ledger of 50,000 calls is read, each call is decided again under other rules, and the sum is
multiplied. CPU time of this process is measured, reading the file included, making it not.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from random import Random

import yaml

from rulesfile import rules_text
from shapes import MODEL
from wattline.engine.decide import decide
from wattline.engine.features import features
from wattline.engine.rest import Resting
from wattline.engine.view import View
from wattline.engine.windows import Windows
from wattline.rules.book import Book
from wattline.rules.load import load
from wattline.service.history.span import Span, run
from wattline.store.base import Opened, Settled, State
from wattline.store.rows import opened_values, settled_values
from wattline.store.start import connect
from wattline.store.writer import OPEN, SETTLE
from wattline.wire.call import Call, Operation, Principal
from wattline.wire.usage import Usage, UsageSource

CALLS = 50_000
MILLION = 1_000_000
ROUNDS = 3
GAP = 0.6
"""Seconds between two calls: a million of them in a week."""
_FAILS = 0.03
_BEGUN = 1_790_000_000.0
_PORT = 9
_PLENTY = 100_000_000
_CLIENTS = tuple(f"client-{number}" for number in range(20))


def book_of(*, changed: bool) -> Book:
    """Ten rules over two providers, one with a window, with or without what is tried: another order."""
    text = yaml.safe_load(rules_text(_PORT, 10))
    text["providers"]["second"] = {"url": f"http://127.0.0.1:{_PORT}/v1"}
    text["models"]["second"] = {"provider": "second", "rate": 2}
    chain = ["second", MODEL] if changed else [MODEL, "second"]
    text["rules"][-1] = {"name": "all", "try": chain}
    text["rules"].insert(
        0, {"name": "large", "when": {"tokens": {"min": 2_500}}, "try": chain[::-1]}
    )
    text["windows"]["each"] = {"per": "60s", "calls": _PLENTY, "scope": "principal"}
    return load(yaml.safe_dump(text, sort_keys=False), env={})


def made(path: Path, calls: int) -> None:
    """A ledger of so many calls in a new file; some failed over, and some were streamed."""
    book, luck = book_of(changed=False), Random(1)  # noqa: S311  (a load, no secret)
    view = View(Windows(), Resting(), lambda _: None)
    connection = connect(path, "normal", 1_000)
    connection.execute("BEGIN")
    for number in range(calls):
        at = _BEGUN + number * GAP
        call = _call(number, luck)
        plan = decide(call, book, view, at, at)
        told = features(call, plan)
        failed = luck.random() < _FAILS
        for place, target in enumerate(plan.targets[: 1 + failed], 1):
            name = f"{call.id}-{place}"
            row = Opened(
                attempt=name, call=call.id, number=place, at=int(at * 1000), principal=call.principal.id,
                provider=target.provider.name, model=target.model, entry=target.entry,
                requested=call.model, rule=plan.rule or "", dialect=call.dialect,
                operation=call.operation, stream=call.stream, estimate=call.tokens,
                estimate_energy=None, hold=0, book="then", features=told if place == 1 else {},
            )  # fmt: skip
            connection.execute(OPEN, opened_values(row))
            end = _end(name, at, failed=failed and place == 1, tokens=call.tokens, luck=luck)
            connection.execute(SETTLE, (*settled_values(end), name))
    connection.execute("COMMIT")
    connection.close()


def _call(number: int, luck: Random) -> Call:
    return Call(
        id=f"call-{number:07}", dialect="openai", operation=Operation.CHAT, method="POST", host="",
        path="/v1/chat/completions", model=MODEL, stream=luck.random() < 0.5,
        principal=Principal(luck.choice(_CLIENTS)), tokens=luck.randint(20, 3_000),
        max_output=luck.choice((None, None, 1_000)),
    )  # fmt: skip


def _end(name: str, at: float, *, failed: bool, tokens: int, luck: Random) -> Settled:
    took = luck.randint(300, 4_000)
    used = Usage(tokens, luck.randint(5, 800), 0, 0, UsageSource.PROVIDER)
    return Settled(
        attempt=name,
        at=int(at * 1000) + took,
        state=State.FAILED if failed else State.COMPLETE,
        status=503 if failed else 200,
        usage=None if failed else used,
        energy=None if failed else used.total * 500_000,
        error="http_503" if failed else None,
        first_byte_ms=took // 2,
        total_ms=took,
    )


def per_million(ledger: Path, book: Book) -> float:
    """CPU seconds of one backtest. Raises ValueError when nothing came of it: then a figure would flatter."""
    was = gc.isenabled()
    gc.disable()
    begun = time.process_time()
    try:
        tally, unknown = run(ledger, book, Span(0), price=lambda *_: (1e-6, 2e-6))
    finally:
        if was:
            gc.enable()
    spent = time.process_time() - begun
    if unknown or not tally.calls or not tally.changed:
        raise ValueError(f"{tally.calls} calls were replayed, {tally.changed} changed")
    return spent / tally.calls * MILLION


def measured(calls: int = CALLS, rounds: int = ROUNDS) -> dict[str, float]:
    """The median over the rounds, on one ledger."""
    book = book_of(changed=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        ledger = Path(folder) / "ledger.sqlite"
        made(ledger, calls)
        figures = sorted(per_million(ledger, book) for _ in range(rounds))
    return {"million_s": figures[rounds // 2]}


if __name__ == "__main__":
    json.dump(measured(), sys.stdout)
