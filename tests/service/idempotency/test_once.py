"""Who is first under a key, on a ledger's file of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from kit.accounts import book
from wattline.base.clock import ManualClock
from wattline.base.errors import ClientFault
from wattline.rules.compiled.entrance import Limits
from wattline.service.idempotency.kept import COST, Answer, Kept, Place
from wattline.service.idempotency.once import Claim, Once
from wattline.service.idempotency.taking import Taking, lasting
from wattline.store.audit import audit
from wattline.store.sqlite import SqliteLedger
from wattline.wire.http import Head, Whole

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
ANSWER = Answer(200, (("content-type", "text/plain"),), b"text")


@dataclass
class Desk:
    """A `Once`, and what it stands on."""

    once: Once
    ledger: SqliteLedger
    clock: ManualClock

    async def refused(self, request: str = C) -> tuple[int, str]:
        with pytest.raises(ClientFault) as caught:
            await self.once.begin(A, B, request)
        return caught.value.status, caught.value.code


@pytest.fixture
async def desk(tmp_path):
    clock, rules = ManualClock(), book()
    ledger = await SqliteLedger.open_at(tmp_path / "ledger.sqlite", clock)
    yield Desk(Once(ledger.repeats, clock, lambda: rules), ledger, clock)
    await ledger.close()
    assert audit(tmp_path / "ledger.sqlite").ok


async def test_first_then_the_same(desk):
    claim = await desk.once.begin(A, B, C)
    assert isinstance(claim, Claim)
    assert await desk.refused() == (409, "idempotency_key_in_use")
    assert await desk.refused("d" * 64) == (422, "idempotency_key_reused")
    claim.keep(ANSWER)
    claim.free()  # too late: only the first end counts
    assert await desk.once.begin(A, B, C) is ANSWER
    assert await desk.refused("d" * 64) == (422, "idempotency_key_reused")


async def test_free_and_used_up(desk):
    claim = await desk.once.begin(A, B, C)
    claim.free()
    again = await desk.once.begin(A, B, "d" * 64)
    again.use_up()
    assert await desk.refused("d" * 64) == (409, "idempotency_answer_gone")


async def test_another_process_knows(desk, tmp_path):
    """The answer is gone with its process; the key is not."""
    claim = await desk.once.begin(A, B, C)
    claim.keep(ANSWER)
    other = Desk(Once(desk.ledger.repeats, desk.clock, book), desk.ledger, desk.clock)
    assert await other.refused() == (409, "idempotency_answer_gone")
    assert await other.refused("d" * 64) == (422, "idempotency_key_reused")
    desk.clock.advance(86_400)
    assert isinstance(await other.once.begin(A, B, "e" * 64), Claim)


async def test_who_leaves_while_the_claim_is_written_leaves_nothing(desk):
    begun = asyncio.ensure_future(desk.once.begin(A, B, C))
    await asyncio.sleep(0)
    begun.cancel()
    with pytest.raises(asyncio.CancelledError):
        await begun
    async with asyncio.timeout(30):
        while desk.once._running:
            await asyncio.sleep(0)
    claim = await desk.once.begin(A, B, "d" * 64)
    assert isinstance(claim, Claim)


async def test_many_at_once_have_one_claim(desk):
    found = await asyncio.gather(
        *(desk.once.begin(A, B, C) for _ in range(50)), return_exceptions=True
    )
    assert sum(isinstance(one, Claim) for one in found) == 1


def test_bounds_that_change():
    """Smaller ones let the largest go; what stays is found."""
    kept, limits = Kept(ManualClock()), Limits(idempotency_bytes=100_000)
    kept.follow(limits)
    for number in range(20):
        kept.put(Place(A, str(number)), C, replace(ANSWER, body=b"x" * 5_000))
    assert kept.size <= 100_000
    kept.follow(replace(limits, idempotency_bytes=32_768))
    assert kept.size <= 32_768
    assert not kept.admits(0, 8_192)
    assert kept.admits(0, 4_096 - COST)
    kept.filling = 32_000
    assert not kept.admits(0, 1_000)


def claimed(kept: Kept | None = None):
    """A claim that notes what it came to."""

    class Noted:
        def __init__(self) -> None:
            self.kept = kept or Kept(ManualClock())
            self.ends: list[object] = []

        def keep(self, answer: Answer) -> None:
            self.ends.append(answer)

        def use_up(self) -> None:
            self.ends.append("used")

        def free(self) -> None:
            self.ends.append("free")

    return Noted()


HEAD = Head(200, (("content-type", "text/event-stream"), ("x-request-id", "r")))


@pytest.mark.parametrize(
    ("items", "ended", "end"),
    [
        ([Whole(200, (), b"x")], True, Answer(200, (), b"x")),
        ([Whole(200, (), b"x")], False, Answer(200, (), b"x")),
        ([Whole(503, (), b"x")], True, "free"),
        ([HEAD, b"a", b"b"], True, Answer(200, HEAD.headers[:1], b"ab", stream=True)),
        ([HEAD, b"a"], False, "used"),
        ([Head(500, ()), b"a"], True, "free"),
        ([], False, "free"),
        ([], True, "free"),
        ([HEAD, b"x" * (9 << 20)], True, "used"),
    ],
)
def test_what_an_answer_comes_to(items, ended, end):
    claim = claimed()
    taking = Taking(claim)
    for item in items:
        taking.see(item)
    if ended:
        taking.end()
    taking.close()
    assert claim.ends[0] == end
    assert claim.kept.filling == 0


def test_an_end_that_nobody_knows_uses_the_key_up():
    claim = claimed()
    Taking(claim).close(unknown=True)
    assert claim.ends == ["used"]


def test_headers_of_one_exchange_are_not_given_again():
    gone = ["x-request-id", "x-wattline-call", "date", "x-ratelimit-remaining", "retry-after"]
    gone += ["access-control-allow-origin", "anthropic-ratelimit-tokens-limit"]
    stays = ["content-type", "x-wattline-provider", "x-token-cost"]
    assert [name for name, _ in lasting([(name, "") for name in gone + stays])] == stays
