"""Messages out: in turn, none lost, none held back in a queue, and a client that has gone."""

from __future__ import annotations

import asyncio

import pytest

from wattline.base.tasks import spawn
from wattline.web.sockets import OpenSocket
from wattline.web.ws.talk import Gone, Talk


class Wire:
    """An ASGI server whose client reads when it is told to."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.waiting = 0
        self.may = asyncio.Semaphore(0)
        self.gone = False

    async def send(self, message) -> None:
        self.waiting += 1
        try:
            await self.may.acquire()
        finally:
            self.waiting -= 1
        if self.gone:
            raise OSError
        self.sent.append(message.get("text") or message["type"])

    async def receive(self):
        await asyncio.Event().wait()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_tasks_take_turns_and_one_message_waits():
    """A client that does not read holds up those who write, and nothing else grows."""
    wire = Wire()
    talk = Talk(OpenSocket(wire.receive, wire.send))
    frames = {name: [f"{name}{n}".encode() for n in range(3)] for name in "abc"}
    tasks = [spawn(talk.say(frames[name]), name=name) for name in "abc"]
    await settled()
    assert (wire.sent, wire.waiting) == ([], 1)
    for _ in range(9):
        wire.may.release()
        await settled()
        assert wire.waiting <= 1
    assert wire.sent == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]
    await asyncio.gather(*tasks)


async def test_a_client_that_has_gone():
    wire = Wire()
    wire.gone = True
    wire.may.release()
    wire.may.release()
    talk = Talk(OpenSocket(wire.receive, wire.send))
    with pytest.raises(Gone):
        await talk.say([b"a", b"b"])
    await talk.end(1000)


async def test_nothing_follows_the_end():
    wire = Wire()
    talk = Talk(OpenSocket(wire.receive, wire.send))
    for _ in range(3):
        wire.may.release()
    await talk.say([b"a"])
    await talk.end(1000)
    await talk.say([b"b"])
    await talk.end(1001)
    assert wire.sent == ["a", "websocket.close"]


async def test_one_that_is_cancelled_gives_its_turn_away():
    wire = Wire()
    talk = Talk(OpenSocket(wire.receive, wire.send))
    first = spawn(talk.say([b"a"]), name="a")
    second = spawn(talk.say([b"b"]), name="b")
    await settled()
    first.cancel()
    await settled()
    wire.may.release()
    await second
    assert wire.sent == ["b"]
