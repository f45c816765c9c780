from __future__ import annotations

import pytest

from wattline.base.clock import ManualClock
from wattline.base.errors import ClientFault
from wattline.rules.compiled.entrance import Auth
from wattline.service.entrance import guesses as module
from wattline.service.entrance.guesses import Guesses

AUTH = Auth(wrong_per_minute=3)
HOME, AWAY = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def guesses(clock):
    return Guesses(clock)


def wrong(guesses, count, peer=HOME, auth=AUTH):
    for _ in range(count):
        guesses.wrong(auth, peer)


def refused(act, *args):
    with pytest.raises(ClientFault) as caught:
        act(*args)
    assert (caught.value.status, caught.value.code) == (429, "too_many_attempts")
    return caught.value.retry_after


def test_after_so_many_an_address_can_not_guess_on(guesses, clock):
    """T23: right or wrong, it is told the same."""
    wrong(guesses, 3)
    clock.advance(20)
    assert refused(guesses.wrong, AUTH, HOME) == 40.0
    assert refused(guesses.refuse, AUTH, HOME) == 40.0
    assert refused(guesses.admit, AUTH, HOME, "the right one") == 40.0
    guesses.wrong(AUTH, AWAY)
    guesses.admit(AUTH, AWAY, "the right one")
    clock.advance(40)
    guesses.admit(AUTH, HOME, "the right one")


def test_what_was_right_before_still_works(guesses):
    """Who shares an address with a guesser is not locked out."""
    guesses.admit(AUTH, HOME, "ann")
    wrong(guesses, 3)
    guesses.admit(AUTH, HOME, "ann")
    refused(guesses.admit, AUTH, HOME, "bob")


def test_refused_guesses_do_not_lengthen_the_wait(guesses, clock):
    wrong(guesses, 3)
    for _ in range(59):
        clock.advance(1)
        refused(guesses.wrong, AUTH, HOME)
    clock.advance(1)
    guesses.wrong(AUTH, HOME)


def test_an_ipv6_network_is_one_address(guesses):
    for number in range(3):
        guesses.wrong(AUTH, f"2001:db8::{number}")
    refused(guesses.wrong, AUTH, "2001:db8::ffff")
    guesses.wrong(AUTH, "2001:db8:0:1::")


def test_no_bound(guesses):
    auth = Auth(wrong_per_minute=0)
    wrong(guesses, 100, auth=auth)
    guesses.admit(auth, HOME, "ann")


def test_what_was_right_is_forgotten_in_halves(guesses, monkeypatch):
    monkeypatch.setattr(module, "MAX_PROVED", 10)
    for number in range(15):
        guesses.admit(AUTH, HOME, str(number))
    wrong(guesses, 3)
    guesses.admit(AUTH, HOME, "14")
    guesses.admit(AUTH, HOME, "5")
    for number in range(100):
        guesses.admit(AUTH, AWAY, str(number))
    refused(guesses.admit, AUTH, HOME, "14")
    assert len(guesses._proved) + len(guesses._older) <= 20
