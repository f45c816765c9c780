"""kill -9 under load: what a client got is booked once, what an upstream saw is in the ledger."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import sqlite3
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kit.books import rows
from kit.clients import REVERSE, Reply, client
from kit.forked import Nursery
from kit.processes import SidecarProcess
from kit.sidecars import QUICK, rules
from wattline.demo.journal import Entry
from wattline.demo.provider import DemoProvider
from wattline.store.audit import audit

pytestmark = pytest.mark.slow

CLIENTS = 8
EACH = 3
"""Deaths at each named point."""
CHAINS = 2
KILLS = 12
"""Deaths at random times in each chain."""
POINTS = {
    "before_send": 60,
    "after_send": 60,
    "first_chunk": 40,
    "usage_seen": 40,
    "mid_batch": 80,
    "before_commit": 50,
    "after_commit": 50,
    "before_ack": 50,
    "during_reload": 3,
}
"""Each with the most times that it is reached before the death."""
PATH = "/v1/chat/completions"


@dataclass
class Scene:
    """A sidecar that dies again and again, its upstream, and what its clients were told."""

    process: SidecarProcess
    upstream: DemoProvider
    texts: tuple[str, str]
    got: dict[str, dict[str, int]] = field(default_factory=dict)
    """Call to usage, of every answer that came to its end."""
    wrong: list[str] = field(default_factory=list)
    """Answers that no death explains."""
    crashed: int = 0
    """Attempts that starts have closed."""
    lives: int = 0
    stopping: bool = False


@asynccontextmanager
async def scene(folder: Path, nursery: Nursery):
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - a test has the loop for itself
    upstream = DemoProvider(QUICK)
    url = await upstream.start()
    times = "{connect: 5, first_byte: 20, idle: 20, total: 60}"  # a busy machine is no fault of the provider's
    text = rules([f"{url}/v1"], timeouts=times)
    path = folder / "rules.yaml"
    path.write_text(text)
    env = {"KEY_0": "sk-secret-of-upstream-0000"}
    process = SidecarProcess(path, folder / "state", env, nursery)
    try:
        yield Scene(process, upstream, (text, text.replace("'2.0'", "'4.0'")))
    finally:
        if process.process is not None:
            process.kill()
            await process.process.wait()
        await upstream.stop()


async def caller(scene: Scene, number: int) -> None:
    """Calls one after the other until the sidecar is dead."""
    with contextlib.suppress(ConnectionError):
        connection = await client(scene.process.address, REVERSE, None)
        try:
            for turn in itertools.count(number):
                stream = bool(turn % 2)
                body = {
                    "model": "m",
                    "stream": stream,
                    "messages": [{"role": "user", "content": f"caller {number} turn {turn}"}],
                }
                headers = [("host", "localhost"), ("content-type", "application/json")]
                await connection.send("POST", PATH, headers, json.dumps(body).encode())
                async for _ in connection.pieces():
                    pass
                if not connection.reply.clean:
                    return
                note(scene, connection.reply, stream=stream)
        finally:
            connection.abort()


def note(scene: Scene, reply: Reply, *, stream: bool) -> None:
    """A whole answer is an acknowledgement."""
    if scene.stopping and reply.status == 503:
        assert reply.json()["error"]["code"] == "shutting_down"
        return
    if reply.status != 200:
        scene.wrong.append(f"{reply.status} {reply.body[:300]!r}")
        return
    if stream and reply.events[-1] != "[DONE]":
        scene.wrong.append(f"a clean end without [DONE]: {reply.body[-300:]!r}")
        return
    answer = reply.events[-2] if stream else reply.json()
    scene.got[reply.headers["x-wattline-call"]] = answer["usage"]


async def rewrite(scene: Scene) -> None:
    """Save the rules, now one version and now the other."""
    path = scene.process.rules
    for text in itertools.cycle(reversed(scene.texts)):
        await asyncio.sleep(0.05)
        new = path.with_suffix(".new")
        new.write_text(text)
        new.rename(path)


async def life(scene: Scene, *, crash: str | None = None, after: float = 0.0) -> None:
    """From a start to a death: at the named point, or `after` seconds from the first answers on."""
    await scene.process.start(**({"WATTLINE_CRASH_AT": crash} if crash else {}))
    scene.lives += 1
    check(scene)
    before = len(scene.got)
    saving = asyncio.ensure_future(rewrite(scene))
    callers = [asyncio.ensure_future(caller(scene, number)) for number in range(CLIENTS)]
    try:
        if crash is None:
            async with asyncio.timeout(20):
                while len(scene.got) == before:
                    await asyncio.sleep(0.005)
            await asyncio.sleep(after)
            scene.process.kill()
        await scene.process.killed()
        async with asyncio.timeout(20):
            await asyncio.gather(*callers)
    finally:
        saving.cancel()
        for task in callers:
            task.cancel()


def check(scene: Scene) -> None:
    """After a start, with no call under way: ledger, upstream and clients agree."""
    assert not scene.wrong, scene.wrong
    attempts = rows(scene.process.state)
    by_id = {row["attempt"]: row for row in attempts}
    assert not [row for row in attempts if row["state"] == "sent"]
    complete: dict[str, list[dict]] = {}
    for row in attempts:
        if row["state"] == "complete":
            complete.setdefault(row["call"], []).append(row)
        elif row["state"] == "unsettled":
            assert "crashed" in row["flags"], dict(row)
    seen = counted(scene.upstream)
    assert set(seen) <= set(by_id), "an upstream saw an attempt that the ledger does not have"
    for call, usage in scene.got.items():
        (row,) = complete[call]
        entry = seen[row["attempt"]]
        told = (usage["prompt_tokens"], usage["completion_tokens"])
        assert (row["prompt"], row["completion"]) == told, call
        assert (entry.prompt_tokens, entry.completion_tokens) == told, call
        assert round(usage["energy"] * 1_000_000) == row["energy"], call
    for attempt, row in by_id.items():
        if row["state"] == "complete":
            entry = seen[attempt]
            assert (row["prompt"], row["completion"]) == (
                entry.prompt_tokens,
                entry.completion_tokens,
            )
    debits = Counter(booked(scene.process.state))
    assert set(debits.values()) <= {1}, "an attempt was billed twice"
    report = audit(scene.process.state / "ledger.sqlite")
    assert report.ok, report.differences
    scene.crashed = sum(row["state"] == "unsettled" for row in attempts)


def counted(upstream: DemoProvider) -> dict[str, Entry]:
    """The upstream's own count, by attempt."""
    entries = upstream.journal.requests
    assert len(entries) == upstream.journal.count, "the journal forgot some"
    marked = [entry for entry in entries if entry.attempt]
    found = {entry.attempt: entry for entry in marked}
    assert len(found) == len(marked), "an attempt was sent twice"
    return found


def booked(state: Path) -> list[str]:
    connection = sqlite3.connect(f"file:{state / 'ledger.sqlite'}?mode=ro", uri=True)
    try:
        return [a for (a,) in connection.execute("SELECT attempt FROM entries WHERE micro >= 0")]
    finally:
        connection.close()


async def survive(scene: Scene) -> None:
    """The last start: all adds up, calls are answered, and `wattline audit` says so."""
    await scene.process.start()
    check(scene)
    before = len(scene.got)
    async with asyncio.timeout(20):
        calls = [asyncio.ensure_future(caller(scene, number)) for number in range(2)]
        while len(scene.got) < before + 4:
            await asyncio.sleep(0.005)
        scene.stopping = True
        await scene.process.stop()
        await asyncio.gather(*calls)
    check(scene)
    nursery, state = scene.process.nursery, scene.process.state
    assert nursery is not None
    command = ("audit", "--state", str(state))
    audited = await asyncio.to_thread(
        nursery.run, "wattline", command, env=scene.process.env, cwd=state, timeout=30
    )
    assert audited.returncode == 0, audited.stdout + audited.stderr


async def test_killed_at_random_times(tmp_path, nursery):
    """4.3, I1 to I5: each life goes on with the ledger of the one before."""

    async def chain(number: int) -> Scene:
        dice = random.Random(number)
        async with scene(tmp_path / f"chain-{number}", nursery) as here:
            for _ in range(KILLS):
                await life(here, after=dice.uniform(0, 0.35))
            await survive(here)
            return here

    scenes = await asyncio.gather(*(chain(number) for number in range(CHAINS)))
    assert sum(here.lives for here in scenes) >= 20
    assert all(len(here.got) > KILLS * CLIENTS for here in scenes)
    assert all(here.crashed for here in scenes)


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_a_named_point(tmp_path, nursery, point):
    """4.3, I1 to I5: a death between any two steps of a call."""
    dice = random.Random(point)
    async with scene(tmp_path, nursery) as here:
        for _ in range(EACH):
            await life(here, crash=f"{point}:{dice.randint(1, POINTS[point])}")
        await survive(here)
        assert here.lives == EACH
        assert here.got
