"""Targets that keep failing are left out for a while: through the whole sidecar."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from kit.books import check_books, rows
from kit.faulty import END, STREAM_HEAD, chunk, faulty
from kit.sidecars import rules, running
from wattline.app.sidecar import Sidecar
from wattline.base.settings import Settings
from wattline.engine.breaker import State
from wattline.engine.failover import HOLD_EVENTS
from wattline.engine.health import Health
from wattline.rules.compiled.upkeep import HealthRules
from wattline.service.metering.past import heal

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
PATIENT = "{connect: 5, first_byte: 20, idle: 20, total: 60}"
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


@pytest.mark.parametrize("pattern", ["http_500", "http_50?", "had an ERROR", "*error*"])
async def test_errors_that_are_excluded_do_not_count(tmp_path, pattern):
    """B-083: patterns of excluded-errors.json, by the code or the provider's own words; also after a restart."""
    async with running(tmp_path, extra=LONG) as sidecar:
        excluded = sidecar.state / "excluded-errors.json"
        excluded.write_text(json.dumps({"patterns": [pattern]}))
        sidecar.upstreams[0].always("500")
        assert await by(sidecar, 4) == [("p1", "2")] * 4
        assert sidecar.sidecar.parts.memory.health.figures(("p0", "up0")).calls == 0
        failed = [row for row in rows(sidecar.state) if row["state"] == "failed"]
        assert {row["flags"] for row in failed} == {'["excluded"]'}
    check_books(sidecar)
    excluded.unlink()
    async with running(tmp_path, extra=LONG) as sidecar:
        assert sidecar.sidecar.parts.memory.health.figures(("p0", "up0")).calls == 0
        sidecar.upstreams[0].always("500")
        assert await by(sidecar, 3) == [("p1", "2"), ("p1", "2"), ("p1", "1")]


async def test_streams_that_break_off_in_an_excluded_way_do_not_count(tmp_path):
    """B-083."""
    async with running(tmp_path, extra=LONG) as sidecar:
        (sidecar.state / "excluded-errors.json").write_text('{"patterns": ["cut"]}')
        sidecar.upstreams[0].always("cut")
        for _ in range(3):
            await sidecar.call({**CHAT, "stream": True})
        for row in rows(sidecar.state):
            assert (row["state"], '"excluded"' in row["flags"]) == ("truncated", True)
        sidecar.upstreams[0].clear()
        assert await by(sidecar) == [("p0", "1")]


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
        health, clock = sidecar.sidecar.parts.memory.health, sidecar.sidecar.clock
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


async def test_a_stream_of_before_does_not_close_it(tmp_path):
    """It began before the provider failed, and says nothing of how it is now; nor does it end the probe's time."""
    extra = "health: {failures: 2, cooldown: 0.5s}\n"
    async with running(tmp_path, timeouts=PATIENT, extra=extra) as sidecar:
        provider, memory = sidecar.upstreams[0], sidecar.sidecar.parts.memory
        clock, place = sidecar.sidecar.clock, ("p0", "up0")
        provider.script(["stall_mid:2", "500", "500"])
        before = asyncio.ensure_future(sidecar.call({**CHAT, "stream": True}))
        await provider.journal.wait_for(lambda entry: entry.stalled, count=1)
        await by(sidecar, 2)
        async with asyncio.timeout(20):
            while not memory.health.admits(place, clock.monotonic()):
                await asyncio.sleep(0.05)
        provider.release()
        assert (await before).clean
        assert memory.health.state(place, clock.monotonic()) is State.HALF_OPEN
        assert await by(sidecar) == [("p0", "1")]
        assert memory.health.state(place, clock.monotonic()) is State.CLOSED
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


async def test_a_change_of_the_rules_closes_it(tmp_path):
    """At once, and for commands and starts that look at the ledger too; failures under the new rules count."""
    async with running(tmp_path, extra=LONG) as sidecar:
        sidecar.upstreams[0].always("500")
        assert await by(sidecar, 3) == [("p1", "2"), ("p1", "2"), ("p1", "1")]
        ledger = sidecar.state / "ledger.sqlite"

        def offline():
            book, health = (
                sidecar.sidecar.books.current,
                Health(HealthRules(failures=2, cooldown=300)),
            )
            heal(health, ledger, 0.0, time.time(), book.version)
            return health.state(("p0", "up0"), 0.0)

        assert offline() is State.OPEN
        sidecar.rules.write_text(sidecar.rules.read_text() + "energy: {margin: 0.25}\n")
        assert await by(sidecar) == [("p1", "2")]
        assert offline() is State.CLOSED
        assert await by(sidecar, 2) == [("p1", "2"), ("p1", "1")]
        assert offline() is State.OPEN
    health = Health(HealthRules(failures=2, cooldown=300))
    assert heal(health, ledger, 0.0, time.time(), "edited while it was stopped")
    assert health.state(("p0", "up0"), 0.0) is State.CLOSED


async def test_the_environment_can_switch_it_off(tmp_path):
    """B-145: DISABLE_PROVIDER_AUTO_DISABLE."""
    env = {"DISABLE_PROVIDER_AUTO_DISABLE": "true"}
    async with running(tmp_path, extra=LONG, env=env) as sidecar:
        sidecar.upstreams[0].always("500")
        assert await by(sidecar, 4) == [("p1", "2")] * 4


@pytest.mark.parametrize(("env", "attempts"), [
    ({}, "1"), ({"DISABLE_PROVIDER_AFTER_MODELS": "2"}, "1"), ({"DISABLE_PROVIDER_AFTER_MODELS": "3"}, "2"),
])  # fmt: skip
async def test_a_provider_is_out_when_so_many_of_its_models_are(tmp_path, env, attempts):
    """B-082, B-146: two, unless the environment says otherwise; a model that did not fail is not tried there either."""
    async with running(tmp_path, extra=LONG, env=env) as sidecar:
        text = sidecar.rules.read_text()
        for name in "abc":
            line = f"  {name}: {{provider: p0, rate: 2, chain: [{name}, p1/{name}]}}\n"
            text = text.replace("models:\n", f"models:\n{line}")
        sidecar.rules.write_text(text)
        for name in "abc":
            assert await by(sidecar, model=name) == [("p0", "1")]
        sidecar.upstreams[0].always("500")
        for name in "aabb":
            assert await by(sidecar, model=name) == [("p1", "2")]
        assert await by(sidecar, model="c") == [("p1", attempts)]


async def test_a_tier_asks_for_a_score(tmp_path):
    """B-062: callers of it get no target whose score is lower, others do."""
    extra = """
    health: {breaker: false}
    tiers: {gold: {min_score: 0.5}, free: {rpm: 9}}
    auth: {mode: keys, keys: {ann: {key: "${ANN}", tier: gold}, bob: {key: "${BOB}", tier: free}}}
    """
    keys = {"ANN": "key-of-ann-0123456789", "BOB": "key-of-bob-0123456789"}
    ann, bob = ([("authorization", f"Bearer {key}")] for key in keys.values())
    async with running(tmp_path, extra=extra, env=keys) as sidecar:
        sidecar.upstreams[0].script(["500"] * 5)
        for _ in range(5):
            reply = await sidecar.call(CHAT, headers=bob)
            assert reply.headers["x-wattline-provider"] == "p1"
        for headers, provider in ((ann, "p1"), (bob, "p0"), (ann, "p1")):
            reply = await sidecar.call(CHAT, headers=headers)
            assert (reply.status, reply.headers["x-wattline-provider"]) == (200, provider)
        assert sidecar.upstreams[0].journal.count == 6
    check_books(sidecar)


async def test_the_fastest_first(tmp_path):
    """B-080: by what was measured."""
    text = "  - {name: by-model, when: {}, try: model, order: fastest}"
    async with running(tmp_path) as sidecar:
        before = sidecar.rules.read_text()
        sidecar.rules.write_text(before.replace("  - {name: by-model, when: {}, try: model}", text))
        health, now = sidecar.sidecar.parts.memory.health, sidecar.sidecar.clock.monotonic()
        health.good(("p0", "up0"), now, 800.0, 900.0)
        health.good(("p1", "up1"), now, 2.0, 3.0)
        assert await by(sidecar) == [("p1", "1")]


LATE = 0.3


async def late_output(sidecar, **body):
    """A call to p0, whose head comes at once and whose first output comes `LATE` seconds later."""
    sidecar.upstreams[0].script(["stall_first"])
    call = asyncio.ensure_future(sidecar.call({**CHAT, "model": "m0", **body}))
    await sidecar.upstreams[0].journal.wait_for(lambda entry: entry.stalled, count=1)
    await asyncio.sleep(LATE)
    sidecar.upstreams[0].release()
    assert (await call).status == 200


@pytest.mark.parametrize("stream", [True, False])
async def test_a_head_is_no_output(tmp_path, stream):
    """B-080: some providers send their head at once, and the first word much later."""
    text = "  - {name: by-model, when: {}, try: model, order: fastest}"
    async with running(tmp_path, timeouts=PATIENT) as sidecar:
        before = sidecar.rules.read_text()
        sidecar.rules.write_text(before.replace("  - {name: by-model, when: {}, try: model}", text))
        await late_output(sidecar, stream=stream)
        await sidecar.call({**CHAT, "model": "m1", "stream": stream})
        health = sidecar.sidecar.parts.memory.health
        late, early = health.figures(("p0", "up0")), health.figures(("p1", "up1"))
        assert late.first_ms >= 1_000 * LATE > early.first_ms
        assert late.score < early.score
        assert await by(sidecar, stream=stream) == [("p1", "1")]
        times = [row["first_byte_ms"] for row in rows(sidecar.state)]
        assert times[0] >= 1_000 * LATE > times[1]
    check_books(sidecar)


async def test_output_that_comes_after_too_much_else_is_timed(tmp_path):
    """What is held back until the first output has bounds; the time has none."""
    gate = asyncio.Event()

    async def held(peer):
        await peer.request()
        await peer.send(STREAM_HEAD + b"".join([chunk(b": ping\n\n")] * (HOLD_EVENTS + 1)))
        await gate.wait()
        said = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
        await peer.send(chunk(said) + chunk(b"data: [DONE]\n\n") + END)

    async with faulty(held) as server:
        text = rules([f"{server.origin}/v1"], timeouts=PATIENT)
        async with running(tmp_path, 1, text=text, check=False) as sidecar:
            call = asyncio.ensure_future(sidecar.call({**CHAT, "stream": True}))
            await server.arrived.wait()
            await asyncio.sleep(LATE)
            gate.set()
            assert (await call).clean
            figures = sidecar.sidecar.parts.memory.health.figures(("p0", "up0"))
            assert figures.first_ms >= 1_000 * LATE
