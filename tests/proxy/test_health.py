"""Targets that keep failing are left out for a while: through the whole sidecar."""

from __future__ import annotations

import asyncio

from kit.books import check_books
from kit.sidecars import running
from wattline.app import Sidecar
from wattline.base.settings import Settings

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
LONG = "health: {failures: 2, cooldown: 5m}\n"


async def by(sidecar, count=1, **more):
    replies = [await sidecar.call({**CHAT, **more}) for _ in range(count)]
    assert {reply.status for reply in replies} == {200}
    return [
        (reply.headers["x-wattline-provider"], reply.headers["x-wattline-attempts"])
        for reply in replies
    ]


async def test_a_target_that_fails_is_left_out(tmp_path):
    """A-077, B-082: after so many failures no call pays for another."""
    async with running(tmp_path, extra=LONG) as sidecar:
        sidecar.upstreams[0].always("500")
        assert await by(sidecar, 4) == [("p1", "2"), ("p1", "2"), ("p1", "1"), ("p1", "1")]
        assert sidecar.upstreams[0].journal.count == 2
    check_books(sidecar)


async def test_streams_that_break_off_count(tmp_path):
    async with running(tmp_path, extra=LONG) as sidecar:
        sidecar.upstreams[0].always("cut")
        for _ in range(2):
            await sidecar.call({**CHAT, "stream": True})
        assert await by(sidecar) == [("p1", "1")]


async def test_the_last_target_is_tried_all_the_same(tmp_path):
    async with running(tmp_path, 1, extra=LONG) as sidecar:
        sidecar.upstreams[0].script(["500"] * 4)
        statuses = [(await sidecar.call(CHAT)).status for _ in range(6)]
        assert statuses == [500, 500, 500, 500, 200, 200]


async def test_one_probe_when_the_time_has_come_and_then_all(tmp_path):
    async with running(tmp_path, extra="health: {failures: 2, cooldown: 0.5s}\n") as sidecar:
        sidecar.upstreams[0].always("500")
        await by(sidecar, 2)
        sidecar.upstreams[0].clear()
        place = ("p0", "up0")
        health, clock = sidecar.sidecar.health, sidecar.sidecar.clock
        async with asyncio.timeout(20):
            while not health.admits(place, clock.monotonic()):
                await asyncio.sleep(0.05)
        sidecar.upstreams[0].always("stall_head")
        probe = asyncio.ensure_future(sidecar.call(CHAT))
        await sidecar.upstreams[0].journal.wait_for(lambda entry: entry.stalled, count=1)
        assert await by(sidecar) == [("p1", "1")], "while the probe is under way"
        sidecar.upstreams[0].release()
        assert (await probe).headers["x-wattline-provider"] == "p0"
        sidecar.upstreams[0].clear()
        assert await by(sidecar, 2) == [("p0", "1"), ("p0", "1")]
    check_books(sidecar)


async def test_it_is_known_after_a_restart(tmp_path):
    async with running(tmp_path, extra=LONG) as sidecar:
        sidecar.upstreams[0].always("500")
        await by(sidecar, 2)
        await sidecar.sidecar.stop(grace=0)
        settings = sidecar.sidecar.settings
        again = Sidecar(
            Settings(
                rules=settings.rules,
                state=settings.state,
                host=settings.host,
                port=0,
                env=settings.env,
            ),
            mark_attempts=True,
        )
        await again.start()
        try:
            sidecar.sidecar = again
            assert await by(sidecar) == [("p1", "1")]
        finally:
            await again.stop(grace=0)


async def test_the_environment_can_switch_it_off(tmp_path):
    """B-145: DISABLE_PROVIDER_AUTO_DISABLE."""
    env = {"DISABLE_PROVIDER_AUTO_DISABLE": "true"}
    async with running(tmp_path, extra=LONG, env=env) as sidecar:
        sidecar.upstreams[0].always("500")
        assert await by(sidecar, 4) == [("p1", "2")] * 4


async def test_the_fastest_first(tmp_path):
    """B-080: by what was measured."""
    text = "  - {name: by-model, when: {}, try: model, order: fastest}"
    async with running(tmp_path) as sidecar:
        rules = sidecar.rules.read_text()
        sidecar.rules.write_text(rules.replace("  - {name: by-model, when: {}, try: model}", text))
        health, now = sidecar.sidecar.health, sidecar.sidecar.clock.monotonic()
        health.good(("p0", "up0"), now, 800.0, 900.0)
        health.good(("p1", "up1"), now, 2.0, 3.0)
        assert await by(sidecar) == [("p1", "1")]
