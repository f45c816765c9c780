"""Calls that go on from what an earlier one made, where a provider has several keys."""

from __future__ import annotations

import pytest

from kit.decisions import a_call, a_view
from wattline.base.clock import ManualClock
from wattline.base.errors import Fault
from wattline.engine.decide import decide
from wattline.engine.plan import Plan
from wattline.engine.rest import Resting
from wattline.rules.load import load
from wattline.service.following import followed
from wattline.service.remembered import Place, Remembered
from wattline.wire.call import Operation

RULES = """
providers:
  big: {{url: https://big.test/v1, key: [{keys}], choose: spread}}
  small: {{url: https://small.test/v1, key: '${{D}}'}}
models: {{m: {{provider: big, chain: [small/m, m, big/n]}}}}
rules: [{{name: all, try: model}}]
"""
ENV = {letter: f"sk-key-{letter}-of-four-0001" for letter in "ABCD"}
CALL = a_call(operation=Operation.RESPONSES)


def plan(resting: Resting | None = None, keys: str = "'${A}', '${B}', '${C}'") -> Plan:
    return decide(
        CALL, load(RULES.format(keys=keys), env=ENV), a_view(resting=resting), 0.0, 0.0, 0.4
    )


def remembered(
    place: Place, kind: str = "responses", caller: str = CALL.principal.id
) -> Remembered:
    found = Remembered(ManualClock().monotonic)
    found.note(kind, caller, "r1", place)
    return found


def labels(found: Plan) -> list[str]:
    return [target.label for target in found.targets]


EARLIER = {"previous_response_id": "r1"}
MADE = remembered(Place("big", "m", "m", 2))


def test_only_the_key_that_made_it_and_the_order_of_the_rules():
    assert len(labels(plan())) == 7
    assert labels(followed(plan(), CALL, EARLIER, MADE)) == [
        "small/m",
        "big/m key 2",
        "big/n key 2",
    ]


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ({}, MADE),
        ({"previous_response_id": None}, MADE),
        ({"previous_response_id": ["r1"]}, MADE),
        ({"previous_response_id": "r2"}, MADE),
        ({"previous_interaction_id": "r1"}, MADE),
        (EARLIER, remembered(Place("big", "m", "m", 2), caller="somebody")),
        (EARLIER, remembered(Place("big", "m", "m", 2), kind="videos")),
        (EARLIER, remembered(Place("big", "m", "m"))),
        (EARLIER, remembered(Place("gone", "m", "m", 2))),
        (EARLIER, remembered(Place("big", "m", "m", 9))),
    ],
)
def test_what_is_not_known_changes_nothing(value, known):
    before = plan()
    assert followed(before, CALL, value, known) is before


def test_other_calls_are_not_looked_at():
    chat = a_call()
    assert chat.operation is not Operation.RESPONSES
    before = plan()
    assert followed(before, chat, EARLIER, MADE) is before


@pytest.mark.parametrize(("limited", "status"), [(True, 429), (False, 503)])
def test_a_key_that_waits(limited, status):
    """Nobody else has what the call goes on from."""
    resting = Resting()
    resting.rest("big key 2", 9.0, "it asked to wait", limited=limited)
    with pytest.raises(Fault, match="big") as raised:
        followed(plan(resting), CALL, EARLIER, MADE)
    assert (raised.value.status, raised.value.retry_after) == (status, pytest.approx(9.0))
