"""A call of the past is explained without reading all of the ledger."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wattline.cli.explain_past import _lines
from wattline.engine.backtest import Replay
from wattline.rules.load import load
from wattline.service.history import recalled
from wattline.service.history.past import past_calls
from wattline.service.history.recalled import recall_call, recalled_json
from wattline.store.base import Opened
from wattline.store.history import LONGEST_CALL, ShortRow, history
from wattline.store.rows import opened_values
from wattline.store.start import connect
from wattline.store.writer import OPEN
from wattline.wire.call import SHADOW

AT = 1_790_000_000_000
FIRST = Opened(
    attempt="a", call="c", number=1, at=AT, principal="ann", provider="p", model="m", entry="m",
    requested="m", rule="r", dialect="openai", operation="chat", stream=False, estimate=9,
    estimate_energy=None, hold=0, book="v1", features={"path": "/v1/chat/completions", "tokens": 9},
)  # fmt: skip
RULES = """
version: 1
providers: {p: {url: "http://127.0.0.1:1/v1", key: "${K}", dialect: openai}}
models: {m: {provider: p, name: m, rate: "1"}}
windows: {each: {calls: 900, per: 1d, scope: principal}}
rules: [{name: r, when: {}, try: [m]}]
"""
BOOK = load(RULES, env={"K": "sk-a-key-of-p"})


def a_ledger(path: Path, *rows: Opened) -> Path:
    connection = connect(path / "ledger.sqlite", "normal", 1_000)
    for row in rows:
        connection.execute(OPEN, opened_values(row))
    connection.close()
    return path / "ledger.sqlite"


def at(number: int, milliseconds: int, **changed: Any) -> Opened:
    return replace(FIRST, attempt=f"a{number}", call=f"c{number}", at=milliseconds, **changed)


def test_a_later_attempt_is_looked_for_as_long_as_a_call_can_last(tmp_path: Path) -> None:
    second = {"call": "c1", "number": 2, "features": {}}
    ledger = a_ledger(
        tmp_path,
        at(1, AT),
        replace(at(2, AT + LONGEST_CALL), **second),
        replace(at(3, AT + LONGEST_CALL + 1), **second | {"number": 3}),
    )
    with history(ledger, 0, AT + 1) as found:
        (past,) = past_calls(found.calls())
        (short,) = found.short()
    assert len(past.attempts) == 2
    assert isinstance(short, ShortRow)
    assert len(short.ends) == 2


def test_at_most_so_many_calls_before_it_are_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = a_ledger(tmp_path, *(at(number, AT + number) for number in range(51)))
    fed = 0
    feed = Replay.feed

    def counted(self: Replay, past: Any) -> Any:
        nonlocal fed
        fed += 1
        return feed(self, past)

    monkeypatch.setattr(Replay, "feed", counted)
    monkeypatch.setattr(recalled, "MOST", 20)
    found = recall_call(ledger, "c50", BOOK, {})
    assert found is not None
    assert fed == 20
    assert any("the last 20 attempts before it, and of no earlier ones" in n for n in found.notes)
    assert found.explanation is not None
    (window,) = found.explanation.windows
    assert window.fill == pytest.approx(20 / 900)
    monkeypatch.setattr(recalled, "MOST", 50)
    found = recall_call(ledger, "c50", BOOK, {})
    assert found is not None
    assert found.notes[-1] == (
        "Windows, breakers and figures are rebuilt from the attempts before it."
    )


def test_a_shadow_call_names_its_original(tmp_path: Path) -> None:
    copy = {"principal": SHADOW.id, "features": {"shadow_of": "c1"}}
    ledger = a_ledger(tmp_path, at(1, AT), at(2, AT + 5, **copy))
    found = recall_call(ledger, "c2", BOOK, {})
    assert found is not None
    assert found.explanation is None
    (note,) = found.notes
    assert "wattline explain --call c1" in note
    assert "older version" not in note
    assert recalled_json(found)["copy_of"] == "c1"


def test_what_an_older_version_wrote_is_no_copy(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path, at(1, AT, features={}))
    found = recall_call(ledger, "c1", BOOK, {})
    assert found is not None
    assert "older version" in found.notes[-1]
    assert recalled_json(found)["copy_of"] is None


@pytest.mark.parametrize(
    ("key", "told"), [(2, 2), (None, None), (0, None), ("x", None), (True, None)]
)
def test_which_key_each_attempt_took_is_told(tmp_path: Path, key: object, told: object) -> None:
    features = {**FIRST.features, **({} if key is None else {"key": key})}
    ledger = a_ledger(tmp_path, replace(FIRST, features=features))
    found = recall_call(ledger, "c", BOOK, {"K": "sk-a-key-of-p"})
    assert found is not None
    shown = recalled_json(found)
    assert [attempt["key"] for attempt in shown["attempts"]] == [told]
    lines = [line for line in _lines(found, shown) if line.startswith("attempt 1 ")]
    assert [("with key 2:" in line) for line in lines] == [told == 2]
