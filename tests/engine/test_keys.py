"""Several keys of one provider: each an account of its own."""

from __future__ import annotations

import json
import math

import pytest

from kit.decisions import a_call, a_view
from wattline.engine.decide import decide
from wattline.engine.explain import as_json, explain, render
from wattline.engine.health import Health
from wattline.engine.keys import is_pointless
from wattline.engine.plan import Plan
from wattline.engine.rest import Resting
from wattline.engine.summary import Failure, summary
from wattline.engine.view import View
from wattline.engine.windows import Claim, Ticket, Windows
from wattline.rules.book import Book
from wattline.rules.compiled.facts import Subject
from wattline.rules.compiled.upkeep import HealthRules
from wattline.rules.load import load
from wattline.wire.call import Operation, Principal

ENV = {
    "A": "sk-first-key-of-three-0001",
    "B": "sk-second-key-of-three-0002",
    "C": "sk-third-key-of-three-0003",
    "D": "sk-the-other-providers-0004",
}
RULES = """
providers:
  big:
    url: https://big.test/v1
    key: [{keys}]
    rpm: 2
    choose: {choose}
  small: {{url: https://small.test/v1, key: "${{D}}"}}
models: {{m: {{provider: big, chain: [m, small/m]}}}}
rules: [{{name: all, try: model}}]
"""


def book(keys: str = "'${A}', '${B}', '${C}'", choose: str = "spread", **env: str) -> Book:
    return load(RULES.format(keys=keys, choose=choose), env={**ENV, **env})


def labels(plan: Plan) -> list[str]:
    return [target.label for target in plan.targets]


def secrets(plan: Plan) -> list[str]:
    return [t.provider.credential.secret for t in plan.targets if t.provider.credential is not None]


def test_keys_take_turns_by_the_draw():
    """Each key comes first for a third of the draws, and the others follow."""
    firsts = {"big/m key 1": 0, "big/m key 2": 0, "big/m key 3": 0}
    for n in range(900):
        plan = decide(a_call(), book_of_three, a_view(), 0.0, 0.0, n / 900)
        assert sorted(labels(plan)) == [*firsts, "small/m"]
        assert labels(plan)[-1] == "small/m"
        assert sorted(secrets(plan)) == sorted(ENV.values())
        assert plan.draw == n / 900
        firsts[labels(plan)[0]] += 1
    assert all(280 < count < 320 for count in firsts.values()), firsts


book_of_three = book()


@pytest.mark.parametrize("draw", [math.nan, math.inf, -math.inf, -0.5, 1.0, 1e300])
def test_a_draw_that_makes_no_sense_is_no_error(draw):
    assert len(decide(a_call(), book_of_three, a_view(), 0.0, 0.0, draw).targets) == 4


def test_a_conversation_keeps_its_key():
    for name in ("one", "two", "three", "four"):
        call = a_call(conversation=name)
        found = {
            labels(decide(call, book_of_three, a_view(), 0.0, 0.0, n / 7))[0] for n in range(7)
        }
        assert len(found) == 1


def test_the_first_key_first():
    for n in range(5):
        plan = decide(a_call(), book(choose="first"), a_view(), 0.0, 0.0, n / 5)
        assert labels(plan) == ["big/m key 1", "big/m key 2", "big/m key 3", "small/m"]


def test_a_key_rests_alone():
    resting = Resting()
    resting.rest("big key 2", 9.0, "its key was refused")
    plan = decide(a_call(), book_of_three, a_view(resting=resting), 0.0, 0.0)
    assert labels(plan) == ["big/m key 1", "big/m key 3", "small/m"]
    assert not plan.skipped
    ((target, skip),) = plan.keys_out
    assert (target.label, skip.code) == ("big/m key 2", "resting")


def test_a_provider_is_out_when_all_its_keys_are():
    """Then it waits for the first of them."""
    resting, windows = Resting(), Windows()
    resting.rest("big", 300.0, "its key was refused")
    resting.rest("big key 3", 9.0, "it asked to wait", limited=True)
    (_, second, _) = book_of_three.providers["big"].keys
    for _ in range(2):
        windows.take([Claim(second.windows[0], second.windows[0].name)], 0.0)
    view = a_view(windows, resting)
    plan = decide(a_call(), book_of_three, view, 1.0, 0.0)
    assert labels(plan) == ["small/m"]
    (skip,) = plan.skipped
    assert (skip.target, skip.code, skip.limited) == ("big/m", "resting", True)
    assert skip.retry_after == pytest.approx(8.0)
    assert "all 3 keys of big wait, key 3 the shortest" in skip.reason
    assert view.rests(book_of_three.providers["big"], 1.0) is None
    fault = summary([Failure("small/m", "http_429", 20.0)], plan, "m")
    assert (fault.status, fault.retry_after) == (429, pytest.approx(8.0))


def test_keys_that_are_only_supposed_to_rest_are_tried_before_nothing_is():
    resting = Resting()
    resting.rest("big", 300.0, "its key was refused")
    for account in ("big key 2", "big key 3", "small"):
        resting.rest(account, 9.0, "it is limited", limited=True, guessed=True)
    view = a_view(resting=resting)
    plan = decide(a_call(), book_of_three, view, 1.0, 0.0)
    assert plan.panic
    assert labels(plan) == ["big/m key 2", "big/m key 3", "small/m"]
    assert [out.target.label for out in plan.keys_out] == ["big/m key 1"]
    resting.answered("small")
    plan = decide(a_call(), book_of_three, view, 1.0, 0.0)
    assert not plan.panic
    assert labels(plan) == ["small/m"]
    (skip,) = plan.skipped
    assert "all 3 keys of big wait" in skip.reason


def test_each_key_has_its_own_window():
    """Two calls a minute each: six in all, and no key ever has three."""
    windows, taken = Windows(), []
    view = a_view(windows)
    for n in range(20):
        plan = decide(a_call(), book_of_three, view, 0.0, 0.0, n * 0.37 % 1.0)
        target = plan.targets[0]
        for window in target.provider.windows:
            assert isinstance(windows.take([Claim(window, window.name)], 0.0), Ticket)
        taken.append(target.label)
    assert [taken.count(f"big/m key {n}") for n in (1, 2, 3)] == [2, 2, 2]
    assert taken[6:] == ["small/m"] * 14
    full = view.full(book_of_three.providers["big"], 0, 1.0)
    assert full is not None
    assert full.retry_after == pytest.approx(59.0)


def test_what_fails_is_the_provider_not_the_key():
    """The breaker counts all keys together, and in panic all of them are tried."""
    health = Health(HealthRules(failures=2))
    view = View(Windows(), Resting(), lambda _: None, health=health)
    for _ in range(2):
        health.bad(("big", "m"), "http_500", 0.0)
    plan = decide(a_call(), book_of_three, view, 0.0, 0.0)
    assert labels(plan) == ["small/m"]
    assert [skip.code for skip in plan.skipped] == ["breaker"]
    for _ in range(2):
        health.bad(("small", "m"), "http_500", 0.0)
    plan = decide(a_call(), book_of_three, view, 0.0, 0.0)
    assert plan.panic
    assert len(plan.targets) == 4


def test_states_of_a_provider_with_several_keys():
    resting = Resting()
    view = a_view(resting=resting)
    big = Subject("big", ("big", "big key 2", "big key 3"))
    for account in big.accounts:
        assert view.fares(big, 0.0).state == "healthy"
        resting.rest(account, 5.0, "x")
    assert view.fares(big, 0.0).state == "resting"


def test_keys_that_are_not_set_are_left_out():
    """The number of a key is its place in the file, whichever are set."""
    found = book(A="", C=" ")
    assert labels(decide(a_call(), found, a_view(), 0.0, 0.0)) == ["big/m key 2", "small/m"]
    assert found.providers["big"].account == "big key 2"
    assert found.providers["big"].windows[0].name == "big key 2"
    none = book(A="", B="", C="")
    assert none.providers["big"].unavailable == "No API key for big: A or B or C is not set"
    alone = book(keys="'${A}'")
    assert alone.providers["big"].account == "big"
    assert labels(decide(a_call(), alone, a_view(), 0.0, 0.0)) == ["big/m", "small/m"]


def test_a_key_that_is_there_twice_counts_once():
    found = book(B=ENV["A"])
    assert [one.key for one in found.providers["big"].keys] == [1, 3]
    assert any("key 2 of big is the same as key 1" in warning for warning in found.warnings)
    broken = book(B="not a key")
    assert [one.key for one in broken.providers["big"].keys] == [1, 3]
    assert any("holds characters that no key has" in warning for warning in broken.warnings)


def test_a_callers_own_key_takes_the_place_of_all():
    big = book_of_three.providers["big"]
    caller = Principal("ann", user="ann", providers=frozenset({("big", big.origin)}))
    resting = Resting()
    for account in ("big", "big key 2", "big key 3"):
        resting.rest(account, 9.0, "x")
    plan = decide(a_call(principal=caller), book_of_three, a_view(resting=resting), 0.0, 0.0)
    assert [str(target) for target in plan.targets] == ["big/m", "small/m"]
    resting.rest("big of ann", 9.0, "x")
    plan = decide(a_call(principal=caller), book_of_three, a_view(resting=resting), 0.0, 0.0)
    assert [str(target) for target in plan.targets] == ["small/m"]


def test_explain_names_keys_and_never_shows_one():
    resting = Resting()
    resting.rest("big key 2", 9.0, "its key was refused")
    found = explain(a_call(), book_of_three, a_view(resting=resting), 0.0, 0.0)
    text, told = render(found), json.dumps(as_json(found))
    assert "big/m with key 1 (sk-fir…001): ready" in text
    assert "big/m with key 2 (sk-sec…002): resting for 9.0 s: its key was refused" in text
    assert "try big/m key 1, then big/m key 3, then small/m" in text
    assert "big key 3 (provider): 0% full, 2 calls" in text
    assert '"key": 2' in told
    for secret in ENV.values():
        assert secret not in text
        assert secret not in told
        assert secret not in repr(found)
        assert secret not in repr(book_of_three)


def test_after_which_failures_the_next_key_is_worth_a_try():
    plan = decide(a_call(), book_of_three, a_view(), 0.0, 0.0)
    first, second, _, small = plan.targets
    for code, pointless in [("http_401", False), ("http_429", False), ("window_full", False),
                            ("http_500", True), ("first_byte_timeout", True), ("http_404", True)]:  # fmt: skip
        failures = [Failure("big/m", code, None)]
        assert is_pointless(second, first, failures, a_call()) is pointless
        assert not is_pointless(small, first, failures, a_call())
        assert not is_pointless(first, None, failures, a_call())
        lookup = a_call(operation=Operation.LOOKUP)
        assert not is_pointless(second, first, failures, lookup)


def test_providers_that_share_a_key_share_its_window():
    found = load(
        """
providers:
  one: {url: https://big.test/v1, key: ['${A}', '${B}'], rpm: 5}
  two: {url: https://big.test/v1, key: ['${C}', '${B}'], rpm: 3}
rules: [{name: all, try: model, when: {window: {name: one, over: 0.9}}}]
""",
        env=ENV,
    )
    one, two = found.providers["one"], found.providers["two"]
    assert [key.windows[0].name for key in one.keys] == ["one", "one key 2"]
    assert [key.windows[0].name for key in two.keys] == ["two", "one key 2"]
    assert [key.windows[0].calls for key in (*one.keys, *two.keys)] == [5, 3, 3, 3]
