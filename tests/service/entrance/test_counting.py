"""Windows over requests against a slow model that keeps every request for ever."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.base.clock import ManualClock
from wattline.engine.windows import ADDRESS_SLOTS, Windows
from wattline.rules.compiled.window import Over, Scope, Window
from wattline.service.entrance.counting import (
    OVER_AUTH,
    OVER_CALL,
    OVER_INFERENCE,
    OVER_PAGE,
    OVER_REFUSED,
    OVER_SOCKET,
    Counting,
)
from wattline.wire.call import Principal
from wattline.wire.notice import Standing

KINDS = (OVER_AUTH, OVER_CALL, OVER_INFERENCE, OVER_PAGE, OVER_REFUSED, OVER_SOCKET)
DOORS = st.lists(
    st.builds(
        Window,
        st.uuids().map(str),
        st.sampled_from([1.0, 5.0, 30.0]),
        st.integers(1, 4),
        scope=st.sampled_from([Scope.ADDRESS, Scope.PRINCIPAL, Scope.GLOBAL]),
        over=st.sampled_from([kind for kind in Over if kind is not Over.CALLS]),
    ),
    max_size=4,
)
REQUESTS = st.lists(
    st.tuples(
        st.integers(0, 8),
        st.sampled_from(KINDS),
        st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"]),
        st.sampled_from([None, "ann", "bob"]),
    ),
    max_size=40,
)
NETWORK = {"2001:db8::1": "2001:db8::", "2001:db8::2": "2001:db8::"}


class Model:
    """Whose requests came when, in a list for each window."""

    def __init__(self, doors):
        self.doors = doors
        self.taken = {window.name: [] for window in doors}

    def key(self, window, address, caller):
        network = NETWORK.get(address, address)
        by_caller = caller or ("nobody", network)
        return {Scope.GLOBAL: 0, Scope.ADDRESS: network, Scope.PRINCIPAL: by_caller}[window.scope]

    def ask(self, now, kinds, address, caller):
        """Whether it may pass, the wait, and what is left in the tightest window."""
        asked = [window for window in self.doors if window.over in kinds]
        waits, left = [], []
        for window in asked:
            times = self.times(window, now, address, caller)
            if len(times) >= window.calls:
                waits.append(times[len(times) - window.calls] + window.per - now)
        if not waits:
            for window in asked:
                self.taken[window.name].append((now, self.key(window, address, caller)))
        for window in asked:
            times = self.times(window, now, address, caller)
            room = max(window.calls - len(times), 0)
            spare = max(len(times) + 1 - window.calls, 1)
            after = times[spare - 1] + window.per - now if times else 0.0
            left.append((room, -after, window.calls))
        return max(waits, default=None), min(left, default=None)

    def times(self, window, now, address, caller):
        key = self.key(window, address, caller)
        return [
            at for at, whose in self.taken[window.name] if whose == key and at + window.per > now
        ]


@settings(max_examples=300, deadline=None)
@given(DOORS, REQUESTS)
def test_requests_pass_when_every_window_has_a_place(doors, requests):
    """D-078..D-081, E-080, E-081, decision 10."""
    clock = ManualClock()
    counting, model = Counting(Windows(), clock), Model(doors)
    for pause, kinds, address, caller in requests:
        clock.advance(pause / 2)
        principal = None if caller is None else Principal(caller)
        fault, standing = counting.count(doors, kinds, address, principal)
        wait, tightest = model.ask(clock.now, kinds, address, caller)
        assert (fault is None) == (wait is None)
        if fault is not None:
            assert (fault.status, fault.retry_after) == (429, wait)
        if tightest is None:
            assert standing is None
        else:
            room, after, limit = tightest
            assert (standing.remaining, standing.reset) == (room, math.ceil(clock.wall() - after))
            assert standing.limit in {
                w.calls for w in doors if w.over in kinds and w.calls >= limit - 4
            }


def test_a_refused_request_is_told_when_the_next_may_pass():
    """D-081: Reset says the same moment as Retry-After."""
    clock = ManualClock()
    counting = Counting(Windows(), clock)
    window = Window("w", 60.0, 2, scope=Scope.ADDRESS, over=Over.REQUESTS)
    told = []
    for _ in range(4):
        fault, standing = counting.count((window,), OVER_PAGE, "192.0.2.1", None)
        told.append((fault and fault.retry_after, standing))
        clock.advance(10)
    begin = int(clock.epoch + 1000)
    assert told == [
        (None, Standing(2, 1, begin + 60)),
        (None, Standing(2, 0, begin + 60)),
        (40.0, Standing(2, 0, begin + 60)),
        (30.0, Standing(2, 0, begin + 60)),
    ]
    assert "2 of 2 requests in 60 s" in fault.message


def test_an_address_takes_little_memory():
    """However many requests it may make: from some number on they are counted a little longer, never less."""
    clock = ManualClock()
    windows = Windows()
    counting = Counting(windows, clock)
    window = Window("w", 64.0, 100_000, scope=Scope.ADDRESS, over=Over.REQUESTS)
    for _ in range(20_000):
        clock.advance(64 / 20_000)
        fault, standing = counting.count((window,), OVER_PAGE, "192.0.2.1", None)
        assert fault is None
    assert standing.remaining <= 80_000 + 1
    counter = windows._find(window, "192.0.2.1")
    assert len(counter.slots) <= 2 * ADDRESS_SLOTS
    clock.advance(64.0)
    assert counting.count((window,), OVER_PAGE, "192.0.2.1", None)[1].remaining >= 99_000
    clock.advance(66.0)
    assert counting.count((window,), OVER_PAGE, "192.0.2.1", None)[1].remaining == 99_999


def test_so_many_addresses_are_remembered():
    clock = ManualClock()
    windows = Windows(max_keys=100)
    counting = Counting(windows, clock)
    window = Window("w", 60.0, 1, scope=Scope.ADDRESS, over=Over.REQUESTS)
    for number in range(1_000):
        address = f"10.0.{number // 256}.{number % 256}"
        assert counting.count((window,), OVER_PAGE, address, None)[0] is None
    assert windows.size == 100
    assert counting.count((window,), OVER_PAGE, "10.0.3.231", None)[0] is not None


def test_strangers_push_out_no_caller():
    """E-083: however many addresses send a request without a key, the callers' counts stay."""
    clock = ManualClock()
    counting = Counting(Windows(max_keys=100), clock)
    window = Window("w", 60.0, 1, scope=Scope.PRINCIPAL, over=Over.REQUESTS)
    ann = Principal("ann")
    assert counting.count((window,), OVER_PAGE, "192.0.2.1", ann)[0] is None
    for number in range(1_000):
        address = f"10.0.{number // 256}.{number % 256}"
        assert counting.count((window,), OVER_PAGE, address, None)[0] is None
    fault, _ = counting.count((window,), OVER_PAGE, "192.0.2.1", ann)
    assert fault is not None
    assert "window w:" in fault.message
    assert counting.count((window,), OVER_PAGE, "10.0.3.231", None)[0] is not None
