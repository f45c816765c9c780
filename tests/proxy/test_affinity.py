"""Conversations that stay at one target, over real sockets."""

from __future__ import annotations

import itertools
import random

import pytest

from kit.admins import KEYS, desk
from kit.books import rows
from kit.clients import REVERSE, call
from kit.sidecars import running

SPREAD = """
# any model that has no entry
  - {name: spread, when: {}, try: {weighted: {p0/up0: 1, p1/up1: 1}}, affinity: true}
"""
CHAT = "/v1/chat/completions"


class Turns(random.Random):
    """Draws the first target, then the other, and so on."""

    def __init__(self) -> None:
        super().__init__()
        self._next = itertools.cycle((0.0, 0.9))

    def random(self) -> float:
        return next(self._next)


def body(text="hi", **more):
    return {"model": "x", "messages": [{"role": "user", "content": text}], **more}


@pytest.fixture
async def spread(tmp_path):
    async with running(tmp_path, 2, extra=SPREAD, check=False) as sidecar:
        sidecar.sidecar.parts.calls.answers.opening.draw = Turns()
        yield sidecar


async def ask(sidecar, session=None, **more):
    headers = [("x-session-id", session)] if session else []
    reply = await call(sidecar.address, REVERSE, sidecar.ca, body(**more), headers=headers)
    assert reply.status == 200
    return rows(sidecar.state)[-1]["provider"]


async def test_a_conversation_stays_where_it_began(spread):
    for number in range(6):
        first = await ask(spread, f"s{number}")
        assert {await ask(spread, f"s{number}") for _ in range(4)} == {first}
    assert {row["provider"] for row in rows(spread.state)} == {"p0", "p1"}
    kept = spread.sidecar.parts.records.settlement.counts.kept
    assert kept == {"new": 6, "hit": 24}


async def test_the_start_of_the_prompt_names_it_where_nothing_else_does(spread):
    for number in range(6):
        first = await ask(spread, text=f"question {number}")
        assert {await ask(spread, text=f"question {number}") for _ in range(4)} == {first}


async def test_failover_breaks_it_and_the_new_target_keeps_it(spread):
    first = await ask(spread, "s")
    place = int(first[1])
    await spread.upstreams[place].stop()
    other = f"p{1 - place}"
    assert await ask(spread, "s") == other
    assert await ask(spread, "s") == other
    assert spread.sidecar.parts.records.settlement.counts.kept == {"new": 1, "broken": 1, "hit": 1}


async def test_explain_says_so(tmp_path):
    """By an admin's request that is not made."""
    async with desk(tmp_path, 2, extra="\n" + KEYS, auth=SPREAD) as asked:
        asked.sidecar.sidecar.parts.calls.answers.opening.draw = Turns()
        headers = [("x-session-id", "s")]
        for _ in range(2):
            made = await asked.ask("POST", CHAT, body(), headers=headers)
            assert made.status == 200
        told = await asked.ask(
            "POST", CHAT, body(), headers=[*headers, ("x-wattline-explain", "1")]
        )
        first = rows(asked.state)[0]["provider"]
    assert told.status == 200
    place = int(first[1])
    assert f"{first}/up{place} answered this conversation last" in told.body.decode()
