"""Providers that asked to wait, or refused their key, rest on after a restart: through the whole sidecar."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from kit.books import check_books
from kit.sidecars import Running, running
from wattline.app.sidecar import Sidecar
from wattline.base.clock import ManualClock
from wattline.store.rests import read_rests

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


async def by(run: Running) -> tuple[str, str]:
    """The provider that answered, and how many were asked."""
    reply = await run.call(CHAT)
    assert reply.status == 200
    return reply.headers["x-wattline-provider"], reply.headers["x-wattline-attempts"]


@asynccontextmanager
async def restarted(run: Running, env: Mapping[str, str] | None = None) -> AsyncIterator[Running]:
    """The same ledger and upstreams behind another sidecar; `env` where keys are others now."""
    await run.sidecar.stop(grace=0)
    settings = run.sidecar.settings
    again = Sidecar(replace(settings, env=settings.env if env is None else env), mark_attempts=True)
    await again.start()
    try:
        run.sidecar = again
        yield run
    finally:
        await again.stop(grace=0)


@pytest.mark.parametrize(
    ("fault", "reason", "most"),
    [("429:60", "it asked to wait", 60.0), ("401", "its key was refused", 300.0)],
)
async def test_a_rest_lasts_over_a_restart(tmp_path, fault, reason, most):
    async with running(tmp_path) as run:
        run.upstreams[0].script([fault])
        assert await by(run) == ("p1", "2")
        async with restarted(run):
            sidecar = run.sidecar
            rest = sidecar.parts.memory.resting.resting("p0", sidecar.clock.monotonic())
            assert rest is not None
            assert (rest.reason, rest.limited) == (reason, fault != "401")
            assert most - 30 < rest.until - sidecar.clock.monotonic() <= most
            assert await by(run) == ("p1", "1")
        assert run.upstreams[0].journal.count == 1
    check_books(run)


async def test_another_key_is_tried_at_once(tmp_path):
    async with running(tmp_path) as run:
        run.upstreams[0].script(["401"])
        assert await by(run) == ("p1", "2")
        env = {**run.sidecar.settings.env, "KEY_0": "sk-another-of-upstream-0000"}
        async with restarted(run, env):
            assert await by(run) == ("p0", "1")
            assert read_rests(run.state / "ledger.sqlite", 0) == []


async def test_rules_that_were_edited_meanwhile_end_rests(tmp_path):
    async with running(tmp_path) as run:
        run.upstreams[0].script(["429:60"])
        assert await by(run) == ("p1", "2")
        run.rules.write_text(run.rules.read_text() + "energy: {margin: 0.5}\n")
        async with restarted(run):
            assert await by(run) == ("p0", "1")


async def test_a_reload_ends_rests_on_disk_too(tmp_path):
    async with running(tmp_path) as run:
        old = run.rules.read_text()
        run.upstreams[0].script(["401"])
        assert await by(run) == ("p1", "2")
        run.rules.write_text(old + "energy: {margin: 0.5}\n")
        assert await by(run) == ("p0", "1")
        run.rules.write_text(old)
        async with restarted(run):
            assert read_rests(run.state / "ledger.sqlite", 0) == []
            assert await by(run) == ("p0", "1")


async def test_the_ledger_keeps_no_key(tmp_path):
    async with running(tmp_path) as run:
        run.upstreams[0].script(["401"])
        await by(run)
        await run.sidecar.stop(grace=0)
        (row,) = read_rests(run.state / "ledger.sqlite", 0)
        assert (row.account, row.reason, len(row.key)) == ("p0", "its key was refused", 4)
        assert b"sk-secret" not in (run.state / "ledger.sqlite").read_bytes()


@pytest.mark.parametrize("fault", ["429", "429:garbage", "429:0"])
async def test_who_is_limited_and_does_not_say_how_long_rests_all_the_same(tmp_path, fault):
    """Else each call would pay for another 429."""
    clock = ManualClock()
    async with running(tmp_path, clock=clock) as run:
        run.upstreams[0].always(fault)
        assert [await by(run) for _ in range(4)] == [("p1", "2")] + [("p1", "1")] * 3
        assert run.upstreams[0].journal.count == 1
        clock.advance(1.0)
        assert [await by(run) for _ in range(2)] == [("p1", "2"), ("p1", "1")]
        clock.advance(1.5)
        assert await by(run) == ("p1", "1"), "the second rest is twice as long"
        run.upstreams[0].clear()
        clock.advance(0.5)
        assert [await by(run) for _ in range(2)] == [("p0", "1")] * 2
        run.upstreams[0].always(fault)
        assert await by(run) == ("p1", "2")
        clock.advance(1.0)
        assert await by(run) == ("p1", "2"), "an answer ended it: the first rest again"
    check_books(run)


async def test_its_clients_are_told_when_to_come_again(tmp_path):
    clock = ManualClock()
    async with running(tmp_path, 1, clock=clock) as run:
        run.upstreams[0].script(["429", "429"])
        for seconds in ("1", "2"):
            reply = await run.call(CHAT)
            assert (reply.status, reply.headers["retry-after"]) == (429, seconds)
            clock.advance(float(seconds))
        assert (await run.call(CHAT)).status == 200
    check_books(run)


async def test_who_has_no_other_is_tried_all_the_same(tmp_path):
    """How long it takes was only supposed: one of many calls that was limited must not stop the others."""
    clock = ManualClock()
    async with running(tmp_path, 1, clock=clock) as run:
        upstream = run.upstreams[0]
        upstream.script(["429", "429"])
        assert [(await run.call(CHAT)).status for _ in range(3)] == [429, 429, 200]
        assert upstream.journal.count == 3
        upstream.always("429:7")
        assert (await run.call(CHAT)).status == 429
        assert (await run.call(CHAT)).headers["retry-after"] == "7", "this one was said"
        assert upstream.journal.count == 4
    check_books(run)
