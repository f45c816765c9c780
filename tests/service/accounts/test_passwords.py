"""Passwords: hashed in threads, a few at a time."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from argon2 import PasswordHasher, extract_parameters

from wattline.base.errors import ClientFault, OurFault
from wattline.base.tasks import spawn
from wattline.service.accounts.passwords import Passwords, current_hasher, normal, read_password

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


async def test_hash_and_verify():
    passwords = Passwords(QUICK)
    kept = await passwords.hash("correct horse")
    assert kept.startswith("$argon2id$")
    assert await passwords.verify(kept, "correct horse")
    assert not await passwords.verify(kept, "Correct horse")
    assert not await passwords.verify(kept, "")
    assert await passwords.hash("correct horse") != kept


@pytest.mark.parametrize(
    "kept", ["", "plain", "$argon2id$", "$argon2id$v=19$m=1,t=1,p=1$a$b", "$2b$12$x"]
)
async def test_a_damaged_hash_is_nobodys(kept):
    assert not await Passwords(QUICK).verify(kept, "x")


async def test_nobody_costs_the_same_hash():
    """An unknown address must not be told by its time: as many hashes are verified."""
    calls = []

    class Counted:
        def hash(self, text):
            calls.append("hash")
            return QUICK.hash(text)

        def verify(self, kept, text):
            calls.append("verify")
            return QUICK.verify(kept, text)

    passwords = Passwords(Counted())
    kept = await passwords.hash("known")
    assert not await passwords.verify(None, "x")
    calls.clear()
    assert not await passwords.verify(None, "x")
    nobody = list(calls)
    calls.clear()
    assert not await passwords.verify(kept, "x")
    assert nobody == calls == ["verify"]


def test_parameters_are_the_least_that_is_recommended():
    parameters = extract_parameters(current_hasher().hash("x"))
    assert parameters.memory_cost >= 19_456
    assert parameters.time_cost >= 2


async def test_older_parameters_are_known():
    assert Passwords().outdated(QUICK.hash("x"))
    assert not Passwords(QUICK).outdated(QUICK.hash("x"))


class Slow:
    """A hasher that waits to be let go."""

    def __init__(self):
        self.go = threading.Event()
        self.now = self.most = 0
        self._lock = threading.Lock()

    def hash(self, text):
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.go.wait(30)
        with self._lock:
            self.now -= 1
        return text


async def test_a_flood_waits_and_then_is_refused():
    slow = Slow()
    passwords = Passwords(slow, at_once=2, waiting=3)
    tasks = [spawn(passwords.hash(str(n)), name=str(n)) for n in range(5)]
    deadline = time.monotonic() + 30
    while slow.now < 2 and time.monotonic() < deadline:
        await asyncio.sleep(0)
    with pytest.raises(OurFault) as refused:
        await passwords.hash("one too many")
    assert (refused.value.status, refused.value.retry_after) == (503, 1)
    slow.go.set()
    assert await asyncio.gather(*tasks) == list("01234")
    assert slow.most == 2
    assert await passwords.hash("again") == "again"


async def test_who_leaves_gives_its_place_back():
    slow = Slow()
    passwords = Passwords(slow, at_once=1, waiting=1)
    first = spawn(passwords.hash("a"), name="a")
    waiting = spawn(passwords.hash("b"), name="b")
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    slow.go.set()
    assert await passwords.hash("c") == "c"
    assert await first == "a"


@pytest.mark.parametrize("text", ["", "short", "1234567", "aaaaaaaaaaaaaaaa", "abababababab"])
def test_weak_passwords(text):
    with pytest.raises(ClientFault) as refused:
        read_password(text)
    assert refused.value.code == "weak_password"
    assert not text or text not in refused.value.message


def test_one_form_of_each_character():
    assert read_password("passwort-für") == read_password("passwort-fu\u0308r")
    assert normal("e\u0301") == "é"
