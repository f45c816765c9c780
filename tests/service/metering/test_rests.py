"""Which rests of before a restart go on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from kit.decisions import a_book, a_provider, a_target
from wattline.base.clock import ManualClock
from wattline.engine.failover import Verdict
from wattline.engine.rest import Resting
from wattline.rules.compiled.rule import Rule
from wattline.service.metering.rests import Rests, key_mark
from wattline.store.rests import RestRow, SqliteRests

ONE, TWO = a_provider("one"), a_provider("two")
TWO = replace(TWO, keys=(replace(TWO, key=1), replace(TWO, key=2)))
BOOK = a_book(Rule("all", (), cast("Any", None)), providers=(ONE, TWO))
LIMITED = Verdict(next=True, code="http_429", retry_after=30.0)
REFUSED = Verdict(next=True, code="http_401", rest_credential=True)


@dataclass
class Kept:
    """A store that keeps rows in a list."""

    rows: list[RestRow] = field(default_factory=list)

    def note(self, row: RestRow) -> None:
        self.rows.append(row)

    def forget(self, account: str) -> None:
        self.rows = [row for row in self.rows if row.account != account]

    def clear(self) -> None:
        self.rows.clear()


def rests(clock: ManualClock) -> tuple[Rests, Kept]:
    kept = Kept()
    return Rests(Resting(), cast("SqliteRests", kept), clock), kept


def begun(*verdicts: Verdict, target: Any = None) -> tuple[RestRow, ...]:
    """What is written down."""
    made, kept = rests(ManualClock())
    for verdict in verdicts:
        made.after(verdict, target or a_target(ONE), BOOK)
    return tuple(kept.rows)


def test_only_a_rest_that_begins_is_written_down():
    """A 429 during a longer rest changes nothing; a refused key after a 429 does."""
    assert [row.reason for row in begun(REFUSED, LIMITED, LIMITED)] == ["its key was refused"]
    rows = begun(LIMITED, REFUSED)
    assert [(row.until - row.at, row.limited) for row in rows] == [(30_000, True), (300_000, False)]
    assert begun(Verdict(next=True, code="http_500")) == ()


def test_each_key_and_each_callers_own_rests_by_itself():
    (second,) = begun(REFUSED, target=a_target(TWO.keys[1]))
    (own,) = begun(LIMITED, target=a_target(ONE, owner="ann"))
    made, _ = rests(ManualClock())
    assert made.restore([second, own], BOOK) == 2
    for account, found in (
        ("two", False),
        ("two key 2", True),
        ("one", False),
        ("one of ann", True),
    ):
        assert (made.resting.resting(account, made.clock.monotonic()) is not None) is found


@pytest.mark.parametrize(
    "changed",
    [
        {"book": "other"},
        {"account": "gone"},
        {"account": "gone of ann", "key": ""},
        {"key": "zzzz"},
        {"key": ""},
        {"until": 0},
        {"until": -(10**15)},
    ],
)
def test_what_is_over_or_of_others_is_left(changed):
    (row,) = begun(REFUSED)
    made, _ = rests(ManualClock())
    assert made.restore([row._replace(**changed)], BOOK) == 0
    assert made.resting.nobody


@pytest.mark.parametrize("until", [10**12, 10**15, 10**18])
def test_a_clock_that_was_set_back_makes_no_rest_longer(until):
    (row,) = begun(LIMITED)
    made, _ = rests(ManualClock())
    at = made.clock.wall() * 1000
    assert (
        made.restore([row._replace(at=int(at + until), until=int(at + until + 30_000))], BOOK) == 1
    )
    rest = made.resting.resting("one", made.clock.monotonic())
    assert rest is not None
    assert rest.until - made.clock.monotonic() <= 30.001


def test_a_key_is_known_by_its_text_and_its_place():
    credential = ONE.credential
    assert credential is not None
    others = [
        replace(ONE, credential=replace(credential, secret="sk-another")),
        replace(ONE, credential=None),
        replace(ONE, origin=ONE.origin._replace(port=444)),
        replace(ONE, key=2),
    ]
    marks = {key_mark(ONE), *map(key_mark, others)}
    assert len(marks) == 5
    assert all(len(mark) == 4 for mark in marks)


def test_who_does_not_say_for_how_long_rests_longer_each_time():
    """No `Retry-After`, 0, or one that can't be read; inside a 200 too."""
    clock = ManualClock()
    made, kept = rests(clock)
    waits: list[float] = []
    unsaid = [
        Verdict(next=True, code="http_429"),
        Verdict(next=True, code="inband_rate_limit"),
        Verdict(next=True, code="http_429", retry_after=0.0),
    ]
    for verdict in unsaid:
        made.after(verdict, a_target(ONE), BOOK, clock.monotonic())
        made.after(verdict, a_target(ONE), BOOK, clock.monotonic() - 1.0)
        rest = made.resting.resting("one", clock.monotonic())
        assert rest is not None
        assert (rest.reason, rest.limited, rest.guessed) == ("it is limited", True, True)
        waits.append(rest.until - clock.monotonic())
        clock.advance(waits[-1])
    assert waits == [1.0, 2.0, 4.0]
    made.after(Verdict(next=True, code="http_503"), a_target(ONE), BOOK, clock.monotonic())
    assert made.resting.resting("one", clock.monotonic()) is None
    made.clear()
    assert made.after(unsaid[0], a_target(ONE), BOOK, clock.monotonic()) == 1.0
    assert kept.rows == [], "it is not kept over a restart"
    made.answered("one", clock.monotonic())
    assert made.resting.resting("one", clock.monotonic()) is None
    made.after(Verdict(next=True, code="http_429", retry_after=9.0), a_target(ONE), BOOK)
    made.answered("one", clock.monotonic())
    assert made.resting.resting("one", clock.monotonic()) is not None, "the provider said so"


def test_what_was_said_is_not_lost_to_what_is_supposed():
    clock = ManualClock()
    made, _ = rests(clock)
    unsaid = Verdict(next=True, code="http_429")
    for _ in range(6):  # the next one would be 60 s
        made.after(unsaid, a_target(ONE), BOOK, clock.monotonic())
        clock.advance(60.0)
    made.after(LIMITED, a_target(ONE), BOOK, clock.monotonic())
    said = made.resting.resting("one", clock.monotonic())
    assert said is not None
    made.after(unsaid, a_target(ONE), BOOK, clock.monotonic())
    made.answered("one", clock.monotonic())
    assert made.resting.resting("one", clock.monotonic()) == said
    assert not said.guessed


def test_what_is_said_takes_the_place_of_what_was_supposed():
    clock = ManualClock()
    made, _ = rests(clock)
    made.resting.rest("one", clock.monotonic() + 60.0, "it is limited", guessed=True)
    made.after(LIMITED, a_target(ONE), BOOK, clock.monotonic())
    rest = made.resting.resting("one", clock.monotonic())
    assert rest is not None
    assert not rest.guessed
    assert rest.until == clock.monotonic() + 30.0
