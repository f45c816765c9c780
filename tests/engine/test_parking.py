"""What an operator switched off is in no plan, and the plan says why."""

from __future__ import annotations

from kit.decisions import state_of
from wattline.engine.decide import decide
from wattline.engine.explain import explain, render
from wattline.engine.parking import Parked, Parking
from wattline.engine.rest import Resting
from wattline.engine.summary import summary
from wattline.engine.view import View
from wattline.engine.windows import Windows
from wattline.rules.load import load
from wattline.wire.call import LOCAL, Call, Operation

RULES = """
providers:
  one: {url: "https://one.test/v1", key: "${K}"}
  two: {url: "https://two.test/v1", key: "${K}"}
models:
  m: {provider: one, name: up1, chain: [m, n]}
  n: {provider: two, name: up2}
rules:
  - {name: well, when: {health: one}, try: model}
  - {name: rest, try: model}
"""


def call() -> Call:
    return Call(
        id="req_1",
        dialect="openai",
        operation=Operation.CHAT,
        method="POST",
        host="",
        path="/v1/chat/completions",
        model="m",
        stream=False,
        principal=LOCAL,
    )


def plan(parking: Parking):
    book = load(RULES.replace("when: {health: one}, ", ""), env={"K": "sk-0123456789abcdef"})
    view = View(Windows(), Resting(), lambda _: None, parking)
    return decide(call(), book, view, 0.0, 0.0), book, view


def test_a_provider_is_left_out():
    parking = Parking({("one", ""): Parked(5, "ann", "too dear")})
    found, book, view = plan(parking)
    assert [str(target) for target in found.targets] == ["two/up2"]
    (skip,) = found.skipped
    assert (skip.target, skip.code, skip.retry_after) == ("one/up1", "parked", None)
    assert skip.reason == "one is switched off by an operator: too dear"
    assert skip.reason in render(explain(call(), book, view, 0.0, 0.0))


def test_one_model_of_it():
    parking = Parking(
        {("one", "other"): Parked(5, "ann", ""), ("two", "up2"): Parked(5, "ann", "")}
    )
    found, _, view = plan(parking)
    assert [str(target) for target in found.targets] == ["one/up1"]
    assert [skip.reason for skip in found.skipped] == ["two/up2 is switched off by an operator"]
    assert view.parked("two") is None
    assert list(view.parked_models("two")) == ["up2"]


def test_nothing_left_is_told_without_asking_to_wait():
    parking = Parking({(name, ""): Parked(5, "ann", "") for name in ("one", "two")})
    found, _, view = plan(parking)
    fault = summary((), found, "m")
    assert (fault.status, fault.code, fault.retry_after) == (503, "no_provider", None)
    assert "one is switched off by an operator" in fault.message
    assert state_of(view, "one", 0.0) == "out"
    parking.take(("one", ""))
    parking.take(("one", ""))
    assert len(parking) == 1
    assert state_of(view, "one", 0.0) == "healthy"
