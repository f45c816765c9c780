"""Which keys a question about something made is asked with, and when a 404 is the answer."""

from __future__ import annotations

import pytest

from kit.decisions import a_call, a_view
from wattline.engine.plan import Plan
from wattline.engine.rest import Resting
from wattline.engine.summary import Failure
from wattline.rules.load import load
from wattline.service.lookup import is_nowhere, lookup_plan
from wattline.service.remembered import Maker
from wattline.wire.call import Operation

RULES = """
providers:
  big: {url: https://big.test/v1, key: ['${A}', '${B}', '${C}']}
  small: {url: https://small.test/v1, key: '${D}'}
rules: [{name: all, try: model}]
"""
BOOK = load(RULES, env={letter: f"sk-key-{letter}-of-four-0001" for letter in "ABCD"})
CALL = a_call(operation=Operation.LOOKUP)


def plan(key: int, *resting: str, provider: str = "big") -> Plan:
    rests = Resting()
    for account in resting:
        rests.rest(account, 9.0, "it asked to wait", limited=True)
    maker = Maker(provider, "m", "e", key, until=99.0)
    return lookup_plan(CALL, maker, BOOK, a_view(resting=rests), 0.0)


def labels(found: Plan) -> list[str]:
    return [target.label for target in found.targets]


@pytest.mark.parametrize(
    ("key", "resting", "asked"),
    [
        (2, (), [2]),
        (2, ("big", "big key 3"), [2]),
        (2, ("big key 2",), []),
        (0, (), [1, 2, 3]),
        (9, ("big key 2",), [1, 3]),
        (0, ("big", "big key 2", "big key 3"), []),
    ],
)
def test_the_key_that_made_it_or_each_that_may_have(key, resting, asked):
    found = plan(key, *resting)
    assert labels(found) == [f"big/m key {number}" for number in asked]
    assert all(skip.limited for skip in found.skipped)
    if not asked:
        assert found.skipped[0].reason.startswith("big made it: ")


def test_a_provider_with_one_key():
    assert labels(plan(0, provider="small")) == labels(plan(3, provider="small")) == ["small/m"]


def failed(*codes: str) -> list[Failure]:
    return [Failure("big/m", code, None) for code in codes]


def test_when_a_404_is_the_answer():
    known, unknown = plan(2), plan(0)
    assert is_nowhere(known, known.targets[0], failed("http_404"))
    assert is_nowhere(known, known.targets[0], failed("http_503", "http_404"))
    first, _, last = unknown.targets
    assert not is_nowhere(unknown, first, failed("http_404"))
    assert is_nowhere(unknown, last, failed("http_404", "http_404", "http_404"))
    assert not is_nowhere(unknown, last, failed("http_401", "http_404", "http_404"))
    waiting = plan(0, "big key 2")
    assert not is_nowhere(waiting, waiting.targets[-1], failed("http_404", "http_404"))
