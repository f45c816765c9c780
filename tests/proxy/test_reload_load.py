"""rules.yaml rewritten all the time under load: every call has an answer, by one whole version."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from dataclasses import dataclass, field, replace

import pytest

from kit.books import check_books, rows
from kit.clients import REVERSE, client
from kit.sidecars import QUICK, Running, rules, running

pytestmark = pytest.mark.slow

SECONDS = 6.0
EVERY = 0.1
CLIENTS = 16
PATH = "/v1/chat/completions"
HEADERS = [("host", "localhost"), ("content-type", "application/json")]
RATES = {"alpha": 2, "beta": 4}
"""What a valid version names, and its rate."""
PACED = replace(QUICK, token_speed=150)


def version(url: str, name: str) -> str:
    text = rules([f"{url}/v1"]).replace("name: up0", f"name: {name}")
    return text.replace("rate: '2.0'", f"rate: '{RATES[name]}.0'")


@dataclass
class Seen:
    models: list[str] = field(default_factory=list)
    """The model of each answer, in the order of their ends."""
    wrong: list[str] = field(default_factory=list)
    saved: int = 0


def save(running: Running, text: str) -> None:
    """As editors save: a new file put in the place of the old one."""
    new = running.rules.with_suffix(".new")
    new.write_text(text)
    new.rename(running.rules)


async def rewrite(running: Running, seen: Seen, until: float) -> None:
    """Valid versions in turn; every third time one in place and in two halves, every fifth a broken
    one before it."""
    dice = random.Random(1)
    texts = [version(running.upstreams[0].url, name) for name in RATES]
    for turn, text in zip(itertools.count(1), itertools.cycle(texts), strict=False):
        if time.monotonic() > until:
            return
        if turn % 5 == 0:
            save(
                running, dice.choice(["rules: [", "", "\0", text.replace("try: model", "try: mdl")])
            )
            await asyncio.sleep(EVERY / 2)
        if turn % 3 == 0:
            cut = dice.randrange(1, len(text) - 30)
            with running.rules.open("w") as file:
                file.write(text[:cut])
                file.flush()
                await asyncio.sleep(EVERY / 2)
                file.write(text[cut:])
        else:
            save(running, text)
        seen.saved += 1
        await asyncio.sleep(EVERY)


async def caller(running: Running, seen: Seen, number: int, until: float) -> None:
    connection = await client(running.address, REVERSE, None)
    try:
        for turn in itertools.count(number):
            if time.monotonic() > until:
                return
            stream = bool(turn % 2)
            body = {
                "model": "m",
                "stream": stream,
                "messages": [{"role": "user", "content": f"caller {number} turn {turn}"}],
            }
            await connection.send("POST", PATH, HEADERS, json.dumps(body).encode())
            async for _ in connection.pieces():
                pass
            look(connection.reply, seen, stream=stream)
    finally:
        connection.close()


def look(reply, seen: Seen, *, stream: bool) -> None:
    """One answer, all of it by one version: name, model of every chunk, and rate."""
    if (reply.status, reply.clean) != (200, True):
        seen.wrong.append(f"{reply.status} {reply.clean} {reply.body[:300]!r}")
        return
    model = reply.headers["x-wattline-model"]
    parts = reply.events[:-1] if stream else [reply.json()]
    usage = parts[-1]["usage"]
    energy = usage["total_tokens"] / RATES[model] * 1.5
    if stream and reply.events[-1] != "[DONE]":
        seen.wrong.append(f"no [DONE]: {reply.body[-300:]!r}")
    if {part["model"] for part in parts} != {model}:
        seen.wrong.append(f"{model}: {[part['model'] for part in parts]}")
    if abs(usage["energy"] - energy) > 1e-6:
        seen.wrong.append(f"{model}: {usage} should cost {energy}")
    seen.models.append(model)


async def test_rules_rewritten_under_load(tmp_path):
    """A-071, 3.x of the rules: no failed call, no answer of a version that nobody wrote, and streams
    keep the version that they began with."""
    async with running(tmp_path, 1, knobs=PACED) as sidecar:
        save(sidecar, version(sidecar.upstreams[0].url, "alpha"))
        seen, until = Seen(), time.monotonic() + SECONDS
        async with asyncio.timeout(60):
            await asyncio.gather(
                rewrite(sidecar, seen, until),
                *(caller(sidecar, seen, number, until) for number in range(CLIENTS)),
            )
        assert not seen.wrong, seen.wrong[:3]
        assert seen.saved >= 30
        assert set(seen.models) == set(RATES)
        changes = sum(a != b for a, b in itertools.pairwise(seen.models))
        assert changes >= 20
        assert len(seen.models) > CLIENTS * 5
    attempts = rows(sidecar.state)
    assert {row["state"] for row in attempts} == {"complete"}
    books = {row["book"]: row["model"] for row in attempts}
    assert set(books.values()) == set(RATES)
    for row in attempts:
        assert books[row["book"]] == row["model"], "one version, two models"
    check_books(sidecar)


async def test_a_stream_in_flight_keeps_its_version_through_many(tmp_path):
    """A long stream: priced and named by the rules it began with, ten versions later."""
    async with running(tmp_path, 1) as sidecar:
        url = sidecar.upstreams[0].url
        save(sidecar, version(url, "alpha"))
        sidecar.upstreams[0].script(["stall_mid:3"])
        connection = await client(sidecar.address, REVERSE, None)
        body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        await connection.send("POST", PATH, HEADERS, json.dumps(body).encode())
        pieces = connection.pieces()
        await anext(pieces)
        for name in itertools.islice(itertools.cycle(["beta", "alpha"]), 11):
            save(sidecar, version(url, name))
            reply = await sidecar.call({**body, "stream": False})
            assert reply.headers["x-wattline-model"] == name
        sidecar.upstreams[0].release()
        async for _ in pieces:
            pass
        seen = Seen()
        look(connection.reply, seen, stream=True)
        assert not seen.wrong, seen.wrong
        assert seen.models == ["alpha"]
        connection.close()
    check_books(sidecar)


async def test_a_caller_that_leaves_during_a_reload_does_not_lose_the_edit(tmp_path):
    """The edit is taken by the next call, and by those that come while it is being read."""
    async with running(tmp_path, 1) as sidecar:
        books = sidecar.sidecar.books
        save(sidecar, version(sidecar.upstreams[0].url, "alpha"))
        leaving = asyncio.ensure_future(books.fresh())
        await asyncio.sleep(0)
        assert books._reading.locked()
        leaving.cancel()
        await asyncio.wait([leaving])
        assert leaving.cancelled()
        first, second = await asyncio.gather(books.fresh(), books.fresh())
        assert first is second
        assert [target.model for target in first.models["m"]] == ["alpha"]
