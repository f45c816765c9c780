"""`wattline cache`: the table and its totals."""

from __future__ import annotations

from typing import Any

import pytest

from wattline.cli.cache import show


def found(dollars: float | None) -> dict[str, Any]:
    broken = {
        "what": "message 12 differs from the one that was sent before at its place",
        "lostDollars": dollars,
    }
    one = {
        "conversation": "x-session-id 5f0c…", "principal": "ann", "model": "gpt-4o", "calls": 12,
        "promptTokens": 60_000, "cachedTokens": 20_000, "lostTokens": 41_200, "lostDollars": dollars or 0.0,
        "breaks": [broken, broken],
    }  # fmt: skip
    totals = {
        "calls": 12, "promptTokens": 60_000, "cachedTokens": 20_000, "lostTokens": 41_200,
        "lostDollars": dollars or 0.0, "breaks": {"message": 2},
    }  # fmt: skip
    return {"conversations": [one], "totals": totals}


@pytest.mark.parametrize("dollars", [None, 0.0515])
def test_dollars_are_told_where_a_price_is_known(
    dollars: float | None, capsys: pytest.CaptureFixture[str]
) -> None:
    show(found(dollars))
    text = capsys.readouterr().out
    assert ("US$" in text) is (dollars is not None)
    assert ("US$ 0.0515 less by public prices" in " ".join(text.split())) is (dollars is not None)
    assert "0.0000" not in text


def test_in_a_file_it_is_as_wide_as_a_usual_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(found(0.0515))
    table = capsys.readouterr().out.split("12 calls")[0]
    assert "and 1 before" in " ".join(table.split()), table
    assert all(len(line.rstrip()) <= 80 for line in table.splitlines())
