"""`provider/model` that goes on to a rule for other names: why its own provider did not take it."""

from __future__ import annotations

from kit.decisions import a_call
from wattline.engine.decide import decide
from wattline.engine.rest import Resting
from wattline.engine.view import View
from wattline.engine.windows import Windows
from wattline.rules.load import load

RULES = """
providers:
  listing: {url: "https://a.test/v1", key: "${KEY_A}", models: [{id: known}]}
  open: {url: "https://b.test/v1", key: "${KEY_B}"}
  other: {url: "https://c.test/v1", key: "${KEY_C}"}
rules:
  - {name: by-model, try: model}
  - {name: rest, when: {model: "*/*"}, try: [other]}
"""
A, B, C = ({f"KEY_{x}": f"key-of-{x}-0123456789"} for x in "ABC")


def skips(model: str, env: dict[str, str]) -> list[tuple[str, str]]:
    plan = decide(
        a_call(model=model),
        load(RULES, env=env),
        View(Windows(), Resting(), lambda _: None),
        0.0,
        0.0,
    )
    return [(skip.target, skip.code) for skip in plan.skipped]


def test_why_nobody_takes_it():
    other = ("other/open/x", "unavailable")
    assert skips("open/x", A) == [("open/x", "unavailable"), other]
    assert skips("listing/nope", A)[0] == ("listing/nope", "unknown_model")
    assert skips("listing/known", B)[0] == ("listing/known", "unavailable")
    assert skips("nobody/x", A) == [("other/nobody/x", "unavailable")]


def test_where_somebody_takes_it_nothing_is_said():
    assert skips("open/x", C) == []
    assert skips("listing/nope", C) == []
    assert skips("listing/known", A) == []
