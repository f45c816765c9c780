"""A ledger's calls, whole and in short."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from wattline.service.history.past import past_calls, past_in_short
from wattline.store.base import Opened, Refused, Settled, State
from wattline.store.decisions import _NOTE
from wattline.store.history import history
from wattline.store.rows import opened_values, refused_values, settled_values
from wattline.store.start import connect
from wattline.store.writer import OPEN, SETTLE
from wattline.wire.call import SHADOW
from wattline.wire.usage import Usage, UsageSource

FIRST = Opened(
    attempt="a", call="c", number=1, at=1_790_000_000_123, principal="ann", provider="p0", model="m/x",
    entry="m", requested="m", rule="r", dialect="openai", operation="chat", stream=False, estimate=9,
    estimate_energy=None, hold=0, book="v1", features={"path": "/v1/x", "tokens": 9},
)  # fmt: skip
USED = Usage(7, 3, 0, 0, UsageSource.PROVIDER)


def a_ledger(path: Path, seed: int, calls: int = 60) -> None:
    """Calls of all kinds: failed over, unsettled, drilled, shadows, questions, refused."""
    luck = random.Random(seed)
    connection = connect(path, "normal", 1_000)
    for number in range(calls):
        at = FIRST.at + number * luck.choice([0, 1, 333])
        if luck.random() < 0.2:
            refused = Refused(
                call=f"c{number}", at=at, principal="bob", requested="m", rule="", dialect="openai",
                operation="chat", stream=True, book="v1", status=429, code="rate_limit_exceeded",
                left_out=luck.randint(0, 2), features={"path": "/v1/x"},
            )  # fmt: skip
            connection.execute(_NOTE, refused_values(refused))
            continue
        who = luck.choice(["ann", "bob", SHADOW.id])
        one = replace(
            FIRST, call=f"c{number}", at=at, principal=who, stream=luck.random() < 0.5,
            operation=luck.choice(["chat", "lookup"]),
        )  # fmt: skip
        for place in range(1, luck.randint(1, 3) + 1):
            name = f"c{number}-{place}"
            row = replace(
                one, attempt=name, number=place, features=one.features if place == 1 else {}
            )
            connection.execute(OPEN, opened_values(row))
            if luck.random() < 0.9:
                end = Settled(
                    name, at + luck.randint(0, 999), luck.choice([State.COMPLETE, State.TRUNCATED]), 200,
                    luck.choice([None, USED]), luck.choice([None, 55]), luck.choice([None, "cut"]),
                    luck.choice([(), (), ("drill",), ("own_key",)]), 5, luck.choice([None, 9]),
                )  # fmt: skip
                connection.execute(SETTLE, (*settled_values(end), name))
    connection.close()


@pytest.mark.parametrize("seed", range(4))
def test_calls_in_short_are_the_same_calls(tmp_path: Path, seed: int) -> None:
    ledger = tmp_path / "ledger.sqlite"
    a_ledger(ledger, seed)
    middle = FIRST.at + 2_000
    for span in ((0, 10**14), (middle, 10**14), (0, middle)):
        with history(ledger, *span) as found:
            whole = list(past_calls(found.calls()))
            short = list(past_in_short(found.short()))
        assert short == whole
    assert json.dumps([past.at for past in whole])
    assert len(whole) > 3
