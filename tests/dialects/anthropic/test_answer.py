"""Whole answers: their usage, and the energy written into them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.anthropic_calls import DIALECT, call, spoiled
from wattline.dialects.anthropic.answer import count_reply
from wattline.dialects.base import Answer, Energy
from wattline.wire.call import Operation
from wattline.wire.usage import Usage, UsageSource

ENERGY = Energy(15_750_000)
COUNT = call(Operation.COUNT_TOKENS)
RAW = b'{"model":"claude-x-2","id":"msg_1","type":"message","role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"Eq\\/="},{"type":"text","text":"Hello"},{"type":"tool_use","id":"t","name":"get","input":{"a":"bc"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":5,"cache_read_input_tokens":20,"cache_creation":{"ephemeral_5m_input_tokens":5},"output_tokens":12,"service_tier":"standard"}}'
USAGE = Usage(35, 12, cached=20, written=5)


def test_an_answers_facts() -> None:
    assert DIALECT.read_answer(call(), RAW) == Answer(USAGE, output=12, model="claude-x-2")


def test_energy_is_spliced_and_all_else_kept() -> None:
    """A-051."""
    expected = RAW.replace(b'"standard"}', b'"standard","energy":15.75}')
    assert DIALECT.write_answer(call(), RAW, USAGE, ENERGY) == expected
    later = RAW[:-1] + b', "context_management":{"applied_edits":[1.0e0]}}'
    expected = later.replace(b'"standard"}', b'"standard","energy":15.75}')
    assert DIALECT.write_answer(call(), later, USAGE, ENERGY) == expected


def test_a_missing_usage_is_added() -> None:
    raw = b'{"content":[{"type":"text","text":"Hello"}]}'
    assert DIALECT.read_answer(call(), raw) == Answer(None, output=5)
    usage = Usage(9, 2, source=UsageSource.ESTIMATED)
    assert json.loads(DIALECT.write_answer(call(), raw, usage, ENERGY))["usage"] == {
        "input_tokens": 9,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 2,
        "estimated": True,
        "energy": 15.75,
    }


@pytest.mark.parametrize("count", [-1, 1.5, True, "1", 10**10])
def test_counts_that_cannot_be_true(count: Any) -> None:
    raw = json.dumps({"content": [], "usage": {"input_tokens": count, "output_tokens": 1, "x": 1}})
    answer = DIALECT.read_answer(call(), raw.encode())
    assert (answer.usage, answer.bad_usage) == (None, True)
    estimate = Usage(9, 2, source=UsageSource.ESTIMATED)
    written = json.loads(DIALECT.write_answer(call(), raw.encode(), estimate, ENERGY))
    assert written["usage"]["input_tokens"] == 9
    assert "x" not in written["usage"]


def test_errors_inside_a_success() -> None:
    raw = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    assert DIALECT.read_answer(call(), raw).error == "overloaded"


def test_what_is_no_answer() -> None:
    for raw in (b"", b"<html>", b"{", b"[]", b"{}", b'{"content":"x"}', RAW[:-2]):
        assert not DIALECT.read_answer(call(), raw).sound
    assert DIALECT.write_answer(call(), b"<html>", USAGE, ENERGY) == b"<html>"


def test_counting_tokens_costs_nothing() -> None:
    raw = count_reply(17)
    assert raw == b'{"input_tokens":17}'
    assert DIALECT.read_answer(COUNT, raw) == Answer(Usage(0, 0))
    assert DIALECT.write_answer(COUNT, raw, Usage(0, 0), Energy(0)) == raw
    for bad in (b"{}", b'{"input_tokens":-1}', b'{"input_tokens":"1"}', b"", b'{"content":[]}'):
        assert not DIALECT.read_answer(COUNT, bad).sound


def test_garbage_at_any_place_is_read_and_written() -> None:
    for value in spoiled(json.loads(RAW)):
        raw = json.dumps(value).encode()
        for counted in (call(), COUNT):
            DIALECT.read_answer(counted, raw)
        written = DIALECT.write_answer(call(), raw, Usage(1, 2), ENERGY)
        assert json.loads(written)["usage"]["energy"] == 15.75
