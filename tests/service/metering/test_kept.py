"""Answers that are kept for a moment."""

from __future__ import annotations

import asyncio

import pytest

from wattline.base.clock import ManualClock
from wattline.service.metering.kept import Kept


async def test_many_ask_and_it_is_asked_once():
    clock, asked, go = ManualClock(), [], asyncio.Event()

    async def ask() -> int:
        asked.append(1)
        await go.wait()
        return len(asked)

    kept = Kept(clock, seconds=3)
    waiting = [asyncio.ensure_future(kept.get("q", ask)) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    go.set()
    assert await asyncio.gather(*waiting[1:]) == [1] * 19
    clock.advance(2.9)
    assert await kept.get("q", ask) == 1
    clock.advance(0.2)
    assert await kept.get("q", ask) == 2
    assert await kept.get("other", ask) == 3


async def test_what_took_long_is_kept_long():
    clock, asked = ManualClock(), []

    async def ask() -> int:
        asked.append(1)
        clock.advance(2)
        return len(asked)

    kept = Kept(clock, seconds=3)
    assert await kept.get("q", ask) == 1
    clock.advance(19)
    assert await kept.get("q", ask) == 1
    clock.advance(2)
    assert await kept.get("q", ask) == 2


async def test_an_error_is_told_and_not_kept():
    kept, asked = Kept(ManualClock()), []

    async def ask() -> int:
        asked.append(1)
        if len(asked) == 1:
            raise LookupError
        return 5

    with pytest.raises(LookupError):
        await kept.get("q", ask)
    assert await kept.get("q", ask) == 5


async def test_it_is_bounded():
    kept = Kept(ManualClock(), most=10)

    async def ask() -> int:
        return 1

    for number in range(100):
        await kept.get(number, ask)
        assert len(kept._known) <= 10
