"""One completion of a dialog at a time."""

from __future__ import annotations

import asyncio

import pytest

from wattline.base.errors import ClientFault
from wattline.service.dialogs.turns import Turns


async def test_turns_come_in_their_order():
    turns, order = Turns(), []

    async def take(number):
        async with turns.turn("ann", 100):
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(take(number) for number in range(50)))
    assert order == list(range(50))
    assert len(turns) == 0


async def test_dialogs_do_not_wait_for_each_other():
    turns = Turns()
    async with turns.turn("ann", 0), turns.turn("bob", 0):
        assert len(turns) == 2
    assert len(turns) == 0


async def test_the_queue_has_a_bound():
    turns, go = Turns(), asyncio.Event()

    async def take():
        async with turns.turn("ann", 2):
            await go.wait()

    waiting = [asyncio.ensure_future(take()) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(ClientFault) as caught:
        await take()
    assert (caught.value.status, caught.value.code) == (429, "dialog_busy")
    go.set()
    await asyncio.gather(*waiting)
    await take()
    assert len(turns) == 0


async def test_who_leaves_gives_its_place_back():
    turns, go = Turns(), asyncio.Event()

    async def take():
        async with turns.turn("ann", 1):
            await go.wait()

    first, second = (asyncio.ensure_future(take()) for _ in range(2))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait((second,))
    third = asyncio.ensure_future(take())
    await asyncio.sleep(0)
    first.cancel()
    go.set()
    await third
    await asyncio.wait((first,))
    assert len(turns) == 0


async def test_a_turn_of_a_cleared_dialog_is_void():
    turns = Turns()
    turns.cleared("ann")  # nobody has a turn
    async with turns.turn("ann", 0) as turn:
        assert not turn.void
        turns.cleared("bob")
        assert not turn.void
        turns.cleared("ann")
        assert turn.void
    async with turns.turn("ann", 0) as turn:
        assert not turn.void


async def test_a_failure_ends_a_turn():
    turns = Turns()
    with pytest.raises(ValueError, match="x"):
        async with turns.turn("ann", 0):
            raise ValueError("x")
    async with turns.turn("ann", 0):
        pass
