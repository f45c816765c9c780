"""Replays of calls that the engine itself decided, under the same rules and under others."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.decisions import a_book, a_call, a_provider, a_target, a_window, flag_is, text_is
from wattline.engine.backtest import Past, PastAttempt, Replay, Replayed, replay
from wattline.engine.decide import decide
from wattline.engine.features import Asking, features
from wattline.engine.health import Health
from wattline.engine.past_call import Known, read_features
from wattline.engine.rest import Resting
from wattline.engine.summary import summary
from wattline.engine.tally import Tally
from wattline.engine.tally_json import tally_json
from wattline.engine.view import View
from wattline.engine.windows import Claim, Ticket, Windows
from wattline.rules.book import Book
from wattline.rules.compiled.rule import Asked, Deny, Listed, Rule, Weighted
from wattline.rules.compiled.window import Scope
from wattline.rules.conditions.allowance import FilledOver
from wattline.rules.conditions.call import HeaderIs, TokensWithin
from wattline.rules.globs import Patterns
from wattline.wire.call import Call, Principal

ONE = a_provider("one", windows=(a_window("one", 5.0, 3),))
TWO = a_provider("two", windows=(a_window("two", 8.0, tokens=900),))
SIX = a_provider("six")
TARGETS = [a_target(p, "m", rate=Fraction(2)) for p in (ONE, TWO, SIX)]
EACH = a_window("each", 6.0, 9, scope=Scope.PRINCIPAL)


class World:
    """A small sidecar without sockets: it decides, tries, settles and writes down."""

    def __init__(self, book: Book, seed: int) -> None:
        self.book, self.luck, self.asking = book, random.Random(seed), Asking()
        self.windows, self.resting, self.health = Windows(), Resting(), Health(book.health)
        self.view = View(self.windows, self.resting, lambda _: None, health=self.health)
        self.ends: list[tuple[float, int, Ticket, PastAttempt]] = []
        self.past: list[Past] = []
        self.count = 0

    def call(self, at: float, call: Call) -> None:
        self.settle(at)
        draw = self.luck.random()
        plan = decide(call, self.book, self.view, at, at, draw)
        noted = self.asking.noted(call, self.book, self.view, at)
        attempts: list[PastAttempt] = []
        status, code = 0, ""
        keys = {Scope.PRINCIPAL: call.principal.id}
        claims = [Claim(w, keys[w.scope], 1, call.tokens) for w in self.book.windows]
        mine = self.windows.take(claims, at)
        if not isinstance(mine, Ticket):
            status, code = 429, "rate_limit_exceeded"
        elif plan.deny is not None:
            status, code = plan.deny.status, "denied_by_rule"
        elif not plan.targets:
            fault = summary((), plan, call.model)
            status, code = fault.status, str(fault.code)
        else:
            attempts = self.attempts(at, call, plan.targets)
        known = Known(call.id, call.principal.id, call.model, "openai", "chat", call.stream)
        told = features(call, plan, noted, whole=not attempts)
        found = read_features(msgspec.json.encode(told))
        version = self.book.version
        self.past.append(
            Past(at, known, plan.rule or "", version, found, tuple(attempts), status, code)
        )

    def attempts(self, at: float, call: Call, targets: Sequence[object]) -> list[PastAttempt]:
        made: list[PastAttempt] = []
        for target in targets:
            provider = target.provider  # type: ignore[attr-defined]
            claims = [Claim(w, w.name, 1, call.tokens) for w in provider.windows]
            ticket = self.windows.take(claims, at)
            assert isinstance(ticket, Ticket)
            took, failed = round(self.luck.uniform(0.1, 4.0), 3), self.luck.random() < 0.4
            self.health.claim((provider.name, "m"), at)
            error = self.luck.choice(["http_503", "refused", "http_429"]) if failed else None
            one = PastAttempt(
                str(target), at, round(at + took, 3), "failed" if failed else "complete",
                None if failed else call.tokens, None if failed else 20, None if failed else 1000,
                error, 200, int(took * 1000),
            )  # fmt: skip
            self.count += 1
            self.ends.append((one.ended, self.count, ticket, one))
            made.append(one)
            if error == "http_429":
                self.resting.rest(provider.name, at + 2.5, "it asked to wait", limited=True)
            if not failed:
                break
        return made

    def settle(self, now: float) -> None:
        for item in sorted(end for end in self.ends if end[0] <= now):
            ended, _, ticket, one = item
            self.ends.remove(item)
            place = (one.target.partition("/")[0], "m")
            if one.error is None:
                self.windows.settle(ticket, one.total, ended)
                self.health.good(place, ended, one.first_ms, one.total_ms)
            else:
                self.windows.release(ticket, ended)
                self.health.bad(place, one.error, ended)


def some_rules(luck: random.Random) -> tuple[Rule, ...]:
    """A few rules of random conditions and actions; the last is for all."""
    made = []
    for number in range(luck.randint(0, 5)):
        conditions = luck.sample(
            [
                text_is("model", "m", "x*"),
                text_is("user", "ann"),
                flag_is("stream", wanted=luck.random() < 0.5),
                TokensWithin(luck.randint(0, 200), None),
                HeaderIs("x-team", Patterns.of(["red"])),
                FilledOver(ONE.windows[0], 0.4),
            ],
            luck.randint(1, 2),
        )
        made.append(Rule(f"r{number}", tuple(conditions), an_action(luck), order=an_order(luck)))
    return (*made, Rule("rest", (), an_action(luck), order=an_order(luck)))


def an_order(luck: random.Random) -> str:
    return luck.choice(["given", "given", "fastest", "score", "least_energy"])


def an_action(luck: random.Random) -> object:
    some = tuple(luck.sample(TARGETS, luck.randint(1, 3)))
    return luck.choice(
        [Listed(some), Listed(some), Asked(), Deny("no", 403),
         Weighted(tuple((t, luck.randint(1, 3)) for t in some))]
    )  # fmt: skip


def some_history(seed: int, calls: int = 60) -> World:
    luck = random.Random(seed)
    windows = (EACH,) if luck.random() < 0.5 else ()
    chain = tuple(luck.sample(TARGETS, luck.randint(1, 3)))
    book = a_book(
        *some_rules(luck), providers=(ONE, TWO, SIX), models={"m": chain}, windows=windows
    )
    world, at = World(book, seed), 1_000.0
    for number in range(calls):
        at = round(at + luck.choice([0.0, 0.001, 0.3, 1.0, 4.0]), 3)
        who = Principal(luck.choice(["ann", "bob"]), luck.choice([None, "gold"]))
        call = a_call(
            luck.choice(["m", "m", "x1", "other"]),
            principal=who,
            stream=luck.random() < 0.5,
            tokens=luck.randint(0, 300),
            user=luck.choice([None, "ann"]),
            headers={"x-team": luck.choice(["red", "blue"])},
        )
        world.call(at, replace(call, id=f"call_{number}"))
    return world


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32))
def test_the_same_rules_over_their_own_history_change_nothing(seed: int) -> None:
    world = some_history(seed)
    changed = [
        (made.past.row.call, made.then, made.now)
        for made in replay(world.book, world.past)
        if made.then != made.now or made.past.rule != (made.plan.rule or "")
    ]
    assert changed == []


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_any_rules_over_any_history_are_replayed(seed: int, other: int) -> None:
    """Total, and the same each time; no target is full beyond its window's limit of calls."""
    world, book = some_history(seed), some_history(other, 0).book
    runs = [list(replay(book, world.past)) for _ in range(2)]
    shown = [[(made.now, made.plan.rule) for made in run] for run in runs]
    assert shown[0] == shown[1]
    tally = Tally(book)
    for made in runs[0]:
        tally.add(made)
    told = tally_json(tally, 0)
    assert told["calls"] == len(world.past)
    assert sum(move["calls"] for move in told["moves"]) == told["changed"]
    assert sum(one["now"] for one in told["targets"]) == told["calls"]


def made_by(book: Book, past: Past) -> Replayed:
    found = Replay(book).feed(past)
    assert found is not None
    return found


def one_call(**changed: object) -> Past:
    """A chat that SIX served with 100+20 tokens."""
    attempt = PastAttempt("six/m", 10.0, 12.0, "complete", 100, 20, 90, None, 100, 2000)
    fields: dict[str, object] = {
        "at": 10.0,
        "row": Known("call_1", "local", "m", "openai", "chat", False),  # noqa: FBT003
        "rule": "old",
        "book": "v0",
        "found": read_features(b'{"path":"/v1/chat/completions","host":"h","tokens":100}'),
        "attempts": (attempt,),
    }
    return Past(**(fields | changed))  # type: ignore[arg-type]


def test_another_target_is_a_change_with_a_range() -> None:
    book = a_book(Rule("all", (), Listed((TARGETS[0],))), providers=(ONE, TWO, SIX))
    made = made_by(book, one_call())
    assert (made.then.name, made.now.name) == ("six/m", "one/m")
    tally = Tally(book)
    tally.add(made)
    # 100+10 and 100+40 tokens at 2 tokens for a unit, with a margin of a half
    assert tally.energy.as_json(10**6) == {
        "then": 90e-6,
        "now": [82.5, 105.0],
        "calls": 1,
        "not_known": 0,
    }


def test_a_refusal_is_avoided_and_one_is_caused() -> None:
    full = one_call(
        attempts=(), status=429, code="rate_limit_exceeded",
        found=read_features(
            b'{"path":"/v1/chat/completions","host":"h","tokens":9,"skipped":[["one/m","window_full",3.0,1]]}'
        ),
    )  # fmt: skip
    wide = a_book(Rule("all", (), Listed((TARGETS[0], TARGETS[2]))), providers=(ONE, SIX))
    made = made_by(wide, full)
    assert (made.then.name, made.now.name) == ("refused 429", "one/m")
    narrow = a_book(
        Rule("all", (), Listed((TARGETS[2],))),
        providers=(SIX,),
        windows=(a_window("each", 60.0, 1, scope=Scope.PRINCIPAL),),
    )
    run = Replay(narrow)
    names = [run.feed(one_call(at=at)).now.name for at in (10.0, 20.0, 80.0)]  # type: ignore[union-attr]
    assert names == ["six/m", "refused 429", "six/m"]


def test_what_rested_then_rests_under_other_rules_too() -> None:
    found = read_features(
        b'{"path":"/v1/chat/completions","host":"h","tokens":1,"skipped":[["one/m","resting",30.0,1]]}'
    )
    book = a_book(Rule("all", (), Listed((TARGETS[0], TARGETS[2]))), providers=(ONE, SIX))
    run = Replay(book)
    made = run.feed(one_call(found=found))
    assert made is not None
    assert made.now.name == "six/m"
    later = run.feed(one_call(at=20.0))  # nobody looked at it then: it rests still
    assert later is not None
    assert [skip.code for skip in later.plan.skipped] == ["resting"]
    woken = run.feed(one_call(at=41.0))
    assert woken is not None
    assert woken.now.name == "one/m"


def test_refusals_of_keys_and_balances_stay() -> None:
    poor = one_call(attempts=(), status=429, code="insufficient_balance")
    book = a_book(Rule("all", (), Listed((TARGETS[2],))), providers=(SIX,))
    assert made_by(book, poor).now.name == "refused 429"


def test_what_is_not_recorded_is_told() -> None:
    book = a_book(
        Rule("team", (HeaderIs("x-team", Patterns.of(["red"])),), Deny("no")),
        Rule("all", (), Listed((TARGETS[2],))),
        providers=(SIX,),
    )
    tally = Tally(book)
    tally.add(made_by(book, one_call()))
    told = tally_json(tally, 3)
    assert any("x-team" in note for note in told["notes"])
    assert any("3 calls were left out" in note for note in told["notes"])
    assert told["never_reached"] == ["team"]
    assert Replay(book).feed(one_call(found=read_features(b"[]"))) is None
