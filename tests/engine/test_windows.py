from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from kit.decisions import a_window
from wattline.base.clock import ManualClock
from wattline.engine.counter import MAX_SLOTS
from wattline.engine.windows import Claim, Refusal, Room, Ticket, Windows


def taken(result: Ticket | Refusal) -> Ticket:
    assert isinstance(result, Ticket), str(result)
    return result


def refused(result: Ticket | Refusal | None) -> Refusal:
    assert isinstance(result, Refusal)
    return result


def test_a_slot_is_free_again_exactly_after_the_period():
    """C-080: the window slides; it has no buckets."""
    windows, window = Windows(), a_window("groq", calls=2)
    taken(windows.take([Claim(window, "k")], 0.0))
    taken(windows.take([Claim(window, "k")], 30.0))
    refusal = refused(windows.take([Claim(window, "k")], 59.5))
    assert (refusal.used, refusal.limit, refusal.unit) == (2, 2, "calls")
    assert refusal.retry_after == pytest.approx(0.5)
    taken(windows.take([Claim(window, "k")], 60.0))
    assert refused(windows.take([Claim(window, "k")], 60.0)).retry_after == pytest.approx(30.0)


def test_a_limit_of_thirty_admits_thirty():
    """C-081, C-027: limited when as many calls as allowed are in the last 60 seconds."""
    windows, window = Windows(), a_window("groq", calls=30)
    for number in range(30):
        taken(windows.take([Claim(window, "groq")], number / 10))
    refusal = refused(windows.take([Claim(window, "groq")], 47.6))
    assert str(refusal) == "window groq: 30 of 30 calls in 60 s; free in 12.4 s"


def test_a_failed_attempt_gives_its_slot_back():
    """C-082, decision 6: in the end only successes count, while calls on their way count as well."""
    windows, window = Windows(), a_window(calls=1)
    ticket = taken(windows.take([Claim(window, "k")], 0.0))
    assert windows.peek([Claim(window, "k")], 1.0) is not None
    windows.release(ticket, 1.0)
    assert windows.peek([Claim(window, "k")], 1.0) is None
    again = taken(windows.take([Claim(window, "k")], 2.0))
    windows.settle(again, 5, 3.0)
    assert refused(windows.take([Claim(window, "k")], 61.9)).used == 1


def test_release_and_settle_count_once():
    """A ticket is closed by whichever comes first; nothing after it changes a thing."""
    windows, window = Windows(), a_window(calls=2, tokens=100)
    other = taken(windows.take([Claim(window, "k", tokens=10)], 0.0))
    ticket = taken(windows.take([Claim(window, "k", tokens=10)], 0.0))
    windows.release(ticket, 1.0)
    windows.release(ticket, 1.0)
    windows.settle(ticket, 90, 1.0)
    windows.settle(other, 30, 1.0)
    windows.settle(other, 90, 1.0)
    windows.release(other, 1.0)
    assert windows.fill(window, "k", 1.0) == 0.5
    assert windows.peek([Claim(window, "k", tokens=70)], 1.0) is None
    assert windows.peek([Claim(window, "k", tokens=71)], 1.0) is not None


def test_all_claims_or_none():
    """Decision 10: every window counts, and the one that lasts longest answers."""
    windows = Windows()
    minute, hour, wide = (
        a_window("minute", calls=1),
        a_window("hour", 3600.0, 1),
        a_window("x", calls=9),
    )
    taken(windows.take([Claim(minute, "a"), Claim(hour, "a")], 0.0))
    refusal = refused(windows.take([Claim(wide, "a"), Claim(minute, "a"), Claim(hour, "a")], 10.0))
    assert refusal.window is hour
    assert refusal.retry_after == pytest.approx(3590.0)
    assert windows.fill(wide, "a", 10.0) == 0.0


def test_no_claim_is_always_granted():
    windows = Windows()
    ticket = taken(windows.take([], 0.0))
    windows.settle(ticket, 5, 0.0)
    assert windows.size == 0


def test_one_place_claimed_twice_is_one_claim():
    windows, window = Windows(), a_window(calls=1)
    refused(windows.take([Claim(window, "k"), Claim(window, "k")], 0.0))
    refused(windows.peek([Claim(window, "k"), Claim(window, "k")], 0.0))
    taken(windows.take([Claim(window, "k"), Claim(window, "other")], 0.0))


def test_more_tokens_than_the_limit_never_fit():
    windows, window = Windows(), a_window("tpm", tokens=4000)
    refusal = refused(windows.take([Claim(window, "k", tokens=4001)], 0.0))
    assert refusal.retry_after is None
    assert str(refusal) == (
        "window tpm: 4001 tokens asked, 4000 allowed in 60 s; never free for this call"
    )
    assert windows.size == 0
    taken(windows.take([Claim(window, "k", tokens=4000)], 0.0))


def test_never_lasts_longer_than_any_wait():
    windows = Windows()
    calls, tokens = a_window("calls", calls=1), a_window("tokens", tokens=10)
    taken(windows.take([Claim(calls, "k")], 0.0))
    for claims in ([Claim(calls, "k"), Claim(tokens, "k", tokens=11)],) * 2:
        assert refused(windows.take(claims, 0.0)).retry_after is None
        assert refused(windows.take(claims[::-1], 0.0)).retry_after is None


def test_a_full_token_window_refuses_a_call_of_unknown_size():
    windows, window = Windows(), a_window(tokens=10)
    ticket = taken(windows.take([Claim(window, "k", tokens=0)], 0.0))
    windows.settle(ticket, 10, 1.0)
    assert refused(windows.take([Claim(window, "k", tokens=0)], 2.0)).retry_after == pytest.approx(
        58
    )


def test_the_real_count_may_be_over_the_limit():
    windows, window = Windows(), a_window(calls=5, tokens=10)
    ticket = taken(windows.take([Claim(window, "k", tokens=1)], 0.0))
    windows.settle(ticket, 10_000, 1.0)
    assert windows.fill(window, "k", 1.0) == 1.0
    assert refused(windows.take([Claim(window, "k", tokens=1)], 2.0)).used == 10_000
    assert windows.fill(window, "k", 60.0) == 0.0


@pytest.mark.parametrize("way", ["settle", "release"])
def test_a_ticket_that_outlives_its_window_changes_nothing(way):
    windows, window = Windows(), a_window(calls=1, tokens=10)
    old = taken(windows.take([Claim(window, "k", tokens=5)], 0.0))
    taken(windows.take([Claim(window, "k", tokens=5)], 60.0))
    if way == "settle":
        windows.settle(old, 1_000, 61.0)
    else:
        windows.release(old, 61.0)
    assert windows.fill(window, "k", 61.0) == 1.0
    assert refused(windows.take([Claim(window, "k", tokens=1)], 61.0)).used == 1


def test_keys_are_apart_and_limits_may_change():
    """A reload changes a limit; what was counted stays."""
    windows, before, after = Windows(), a_window(calls=1), a_window(calls=2)
    taken(windows.take([Claim(before, "a")], 0.0))
    taken(windows.take([Claim(before, "b")], 0.0))
    taken(windows.take([Claim(after, "a")], 0.0))
    assert refused(windows.take([Claim(after, "a")], 0.0)).limit == 2


async def test_one_free_slot_admits_one_of_many():
    """Decision 6: N concurrent calls can't all pass one free slot."""
    windows, window, clock = Windows(), a_window(calls=3), ManualClock()
    for _ in range(2):
        taken(windows.take([Claim(window, "k")], clock.monotonic()))
    start = asyncio.Event()

    async def one() -> Ticket | Refusal:
        await start.wait()
        if windows.peek([Claim(window, "k")], clock.monotonic()) is None:
            await asyncio.sleep(0)
        return windows.take([Claim(window, "k")], clock.monotonic())

    tasks = [asyncio.ensure_future(one()) for _ in range(50)]
    await asyncio.sleep(0)
    start.set()
    results = await asyncio.gather(*tasks)
    assert sum(isinstance(result, Ticket) for result in results) == 1


def test_a_restart_is_rebuilt_in_any_order():
    windows, window = Windows(), a_window(calls=3, tokens=100)
    for at in (20.0, 10.0, 30.0, -50.0):
        windows.seed(window, "k", at, 1, 10)
    assert refused(windows.take([Claim(window, "k")], 35.0)).retry_after == pytest.approx(35.0)
    assert windows.fill(window, "k", 35.0) == 1.0
    assert windows.fill(window, "k", 70.0) == pytest.approx(2 / 3)
    assert windows.fill(window, "k", 90.0) == 0.0


@pytest.mark.parametrize(
    ("at", "calls", "tokens"),
    [(float("nan"), 1, 1), (float("inf"), 1, 1), (0.0, -1, 1), (0.0, 1, -1)],
)
def test_a_seed_that_can_not_be_is_refused(at, calls, tokens):
    windows, window = Windows(), a_window(calls=3)
    with pytest.raises(ValueError, match="can't seed"):
        windows.seed(window, "k", at, calls, tokens)
    assert windows.size == 0


def test_a_claim_is_never_negative():
    for amounts in ({"calls": -1}, {"tokens": -1}):
        with pytest.raises(ValueError, match="negative"):
            Claim(a_window(calls=1), "k", **amounts)


def test_idle_keys_are_swept_a_few_at_a_time():
    windows, window = Windows(), a_window(calls=1)
    for number in range(1_000):
        taken(windows.take([Claim(window, f"k{number}")], 0.0))
    assert windows.size == 1_000
    taken(windows.take([Claim(window, "new")], 61.0))
    assert 900 < windows.size < 1_000
    for number in range(100):
        taken(windows.take([Claim(window, f"n{number}")], 61.0))
    assert windows.size == 101


def test_windows_of_older_rules_are_swept_too():
    windows, old, new = Windows(), a_window("old", calls=1), a_window("new", calls=1_000)
    taken(windows.take([Claim(old, "k")], 0.0))
    for _ in range(5):
        taken(windows.take([Claim(new, "k")], 100.0))
    assert windows.size == 1


def test_the_number_of_keys_has_a_cap():
    """A flood of addresses neither fills the memory nor touches another window."""
    windows, flood, mine = Windows(max_keys=10), a_window("a", calls=1), a_window("b", calls=1)
    taken(windows.take([Claim(mine, "me")], 0.0))
    for number in range(1_000):
        taken(windows.take([Claim(flood, f"k{number}")], 1.0))
    assert windows.size == 11
    assert windows.peek([Claim(mine, "me")], 1.0) is not None
    assert windows.peek([Claim(flood, "k999")], 1.0) is not None


def test_refused_calls_leave_nothing_behind():
    windows, full, wide = Windows(), a_window("full", calls=1), a_window("wide", calls=1)
    taken(windows.take([Claim(full, "all")], 0.0))
    for number in range(100):
        refused(windows.take([Claim(wide, f"k{number}"), Claim(full, "all")], 1.0))
    assert windows.size == 1


def test_failing_calls_do_not_pile_up():
    windows, window = Windows(), a_window(per=86_400.0, calls=10)
    for number in range(20_000):
        windows.release(taken(windows.take([Claim(window, "k")], number / 100)), number / 100)
    (counter,) = next(iter(windows._counters.values())).values()
    assert len(counter.slots) < 10


def test_a_very_high_limit_is_kept_with_bounded_memory():
    """Joined slots leave at the later one's time: never more is let through than the limit."""
    windows, window = Windows(), a_window(per=1_000.0, calls=50_000)
    for number in range(50_000):
        ticket = taken(windows.take([Claim(window, "k", tokens=1)], number / 100))
        windows.settle(ticket, 2, number / 100)
    (counter,) = next(iter(windows._counters.values())).values()
    assert len(counter.slots) <= MAX_SLOTS
    assert (counter.calls, counter.tokens) == (50_000, 100_000)
    refusal = refused(windows.take([Claim(window, "k")], 600.0))
    assert refusal.retry_after is not None
    assert 400.0 <= refusal.retry_after <= 400.3
    for now in (1_100.0, 1_250.0, 1_499.0):
        assert windows.fill(window, "k", now) * 50_000 == pytest.approx((1_500 - now) * 100, abs=26)
        assert windows.fill(window, "k", now) * 50_000 >= (1_500 - now) * 100 - 1
    assert windows.fill(window, "k", 1_500.0) == 0.0


def test_open_calls_are_never_joined():
    windows, window = Windows(), a_window(calls=100_000)
    tickets = [taken(windows.take([Claim(window, "k")], 0.0)) for _ in range(3 * MAX_SLOTS)]
    for ticket in tickets:
        windows.release(ticket, 1.0)
    assert windows.fill(window, "k", 1.0) == 0.0


@dataclass
class Entry:
    window: int
    key: str
    at: float
    calls: int
    tokens: int


PERS = (7.0, 60.0)
LIMITS = ((2, None), (None, 20), (3, 30), (1, 15))


class SlidingWindows(RuleBasedStateMachine):
    """The windows against a list of all that was ever taken."""

    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.windows = Windows()
        self.kinds = [
            a_window(f"w{index}", PERS[index % 2], calls, tokens=tokens)
            for index, (calls, tokens) in enumerate(LIMITS)
        ]
        self.entries: list[Entry] = []

    def counted(self, index: int, key: str, now: float) -> list[Entry]:
        per = self.kinds[index].per
        return [e for e in self.entries if (e.window, e.key) == (index, key) and e.at + per > now]

    def room(self, index: int, key: str, tokens: int, now: float) -> bool:
        window, counted = self.kinds[index], self.counted(index, key, now)
        calls_fit = window.calls is None or sum(e.calls for e in counted) + 1 <= window.calls
        used = sum(e.tokens for e in counted)
        return calls_fit and (window.tokens is None or used + max(tokens, 1) <= window.tokens)

    def wait(self, places: set[int], key: str, tokens: int) -> float | None:
        """The first moment at which all fits, found by trying each moment when something leaves."""
        now = self.clock.now
        moments = [now] + [
            e.at + self.kinds[e.window].per
            for e in self.entries
            if e.key == key and e.window in places and e.at + self.kinds[e.window].per > now
        ]
        fitting = [m for m in moments if all(self.room(i, key, tokens, m) for i in places)]
        return min(fitting) - now if fitting else None

    @rule(
        target=tickets,
        places=st.sets(st.integers(0, 3), min_size=1),
        key=st.sampled_from("ab"),
        tokens=st.integers(0, 16),
    )
    def take(self, places: set[int], key: str, tokens: int):
        now = self.clock.now
        claims = [Claim(self.kinds[index], key, 1, tokens) for index in places]
        wait = self.wait(places, key, tokens)
        peeked = self.windows.peek(claims, now)
        result = self.windows.take(claims, now)
        if wait == 0:
            assert peeked is None
            mine = [Entry(index, key, now, 1, tokens) for index in places]
            self.entries += mine
            return taken(result), mine
        assert result == peeked
        refusal = refused(result)
        if wait is None:
            assert refusal.retry_after is None
        else:
            assert refusal.retry_after == pytest.approx(wait)
        used = self.counted(self.kinds.index(refusal.window), key, now)
        assert refusal.used == sum(getattr(e, refusal.unit) for e in used)
        return Ticket(()), []

    @rule(ticket=tickets, tokens=st.integers(0, 40))
    def settle(self, ticket: tuple[Ticket, list[Entry]], tokens: int):
        if not ticket[0].closed:
            for entry in ticket[1]:
                entry.tokens = tokens
        self.windows.settle(ticket[0], tokens, self.clock.now)

    @rule(ticket=tickets)
    def release(self, ticket: tuple[Ticket, list[Entry]]):
        if not ticket[0].closed:
            self.entries = [e for e in self.entries if not any(e is mine for mine in ticket[1])]
        self.windows.release(ticket[0], self.clock.now)

    @rule(
        index=st.integers(0, 3),
        ago=st.floats(0, 70),
        calls=st.integers(0, 2),
        tokens=st.integers(0, 9),
    )
    def seed(self, index: int, ago: float, calls: int, tokens: int):
        at = self.clock.now - ago
        self.windows.seed(self.kinds[index], "a", at, calls, tokens)
        self.entries.append(Entry(index, "a", at, calls, tokens))

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 6.5, 7.0, 30.0, 60.0]) | st.floats(0, 90))
    def wait_a_while(self, seconds: float):
        self.clock.advance(seconds)

    @invariant()
    def fills_agree(self):
        now = self.clock.now
        for index, window in enumerate(self.kinds):
            for key in "ab":
                counted = self.counted(index, key, now)
                shares = [
                    sum(e.calls for e in counted) / window.calls if window.calls else 0.0,
                    sum(e.tokens for e in counted) / window.tokens if window.tokens else 0.0,
                ]
                assert self.windows.fill(window, key, now) == pytest.approx(min(max(shares), 1.0))


TestSlidingWindows = SlidingWindows.TestCase
TestSlidingWindows.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_the_room_in_the_tightest_window():
    """D-081: of those that count calls the one with the fewest left, and when it has more."""
    windows = Windows()
    minute, hour = a_window("minute", calls=3), a_window("hour", 3600.0, 9)
    tokens = a_window("tokens", tokens=5)
    claims = [Claim(window, "k") for window in (minute, hour, tokens)]
    assert windows.room([Claim(tokens, "k")], 0.0) is None
    assert windows.room(claims, 0.0) == Room(3, 3, 0.0)
    taken(windows.take(claims[:2], 0.0))
    taken(windows.take(claims[:2], 10.0))
    assert windows.room(claims, 20.0) == Room(3, 1, 40.0)
    assert windows.room(claims, 60.0) == Room(3, 2, 10.0)
    assert windows.room(claims, 70.0) == Room(3, 3, 0.0)
    assert windows.room(claims[1:], 70.0) == Room(9, 7, 3530.0)


def test_room_where_a_limit_was_lowered():
    """More than the limit are counted: some must leave before the next may pass."""
    windows, window = Windows(), a_window(calls=3)
    for at in (0.0, 10.0, 20.0):
        taken(windows.take([Claim(window, "k")], at))
    assert windows.room([Claim(a_window(calls=1), "k")], 30.0) == Room(1, 0, 50.0)


def test_a_window_that_was_wider_is_told_as_it_is():
    window = a_window("mine", calls=2)
    assert str(Refusal(window, "k", 2, 2, "calls", 4.0)).startswith("window mine: 2 of 2 calls in ")
    said = str(Refusal(window, "k", 7, 2, "calls", 4.0))
    assert said.startswith("window mine: 7 calls counted in ")
    assert said.endswith(" s, 2 allowed; free in 4.0 s")
