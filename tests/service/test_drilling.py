"""Fault drills, against a real sidecar and real sockets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from kit.sidecars import running
from kit.trials import ask, rows, with_drill
from wattline.store.history import history


@pytest.mark.parametrize("kind", ["429", "500", "503", "529", "refuse"])
async def test_a_made_fault_sends_nothing_and_fails_over(tmp_path: Path, kind: str) -> None:
    async with running(tmp_path, 2) as sidecar:
        with_drill(sidecar, f"kind: {kind}, targets: [p0]")
        reply = await sidecar.call(ask())
        assert reply.status == 200
        assert reply.headers["x-wattline-provider"] == "p1"
        assert reply.headers["x-wattline-drill"] == kind
        assert sidecar.upstreams[0].journal.requests == []
        first, second = rows(sidecar)
        assert (first["state"], first["flags"], first["energy"]) == ("failed", ["drill"], None)
        assert (second["state"], second["flags"]) == ("complete", [])


async def test_a_drill_is_no_news_of_a_provider(tmp_path: Path) -> None:
    """Neither its health nor its rests nor the counts of errors know of it."""
    extra = "health: {failures: 1, share: 0.1, disable_after: 1}"
    async with running(tmp_path, 1, extra=extra) as sidecar:
        text = sidecar.rules.read_text()
        with_drill(sidecar, "kind: 429, retry_after: 30")
        for _ in range(3):
            reply = await sidecar.call(ask())
            assert reply.status == 429
            assert reply.headers["retry-after"] == "30"
        counts = sidecar.sidecar.parts.records.settlement.counts
        assert counts.errors == {}
        assert counts.requests == {("p0", "drill"): 3}
        assert counts.attempts == {("p0", "up0", "drill"): 3}
        assert await sidecar.sidecar.parts.records.errors.latest(10) == []
        sidecar.rules.write_text(text)
        assert (await sidecar.call(ask())).status == 200


@pytest.mark.parametrize("kind", ["cut", "stall"])
async def test_a_stream_ends_after_some_events(tmp_path: Path, kind: str) -> None:
    """What came until then is metered, and costs what it costs when it happens for real."""
    async with running(tmp_path, 2) as sidecar:
        with_drill(sidecar, f"kind: {kind}, after: 4")
        reply = await sidecar.call(ask(stream=True))
        assert reply.status == 200
        assert reply.headers["x-wattline-drill"] == kind
        assert not reply.clean
        assert reply.events[-1]["error"]["code"] == "upstream_broke_off"
        assert len(reply.events) == 5
        (row,) = rows(sidecar)
        assert (row["state"], row["flags"]) == ("truncated", ["no_usage", "drill"])
        assert row["error"] == ("cut" if kind == "cut" else "idle_timeout")
        assert row["completion"] > 0
        assert sidecar.sidecar.parts.records.settlement.counts.errors == {}


@pytest.mark.parametrize("kind", ["cut", "stall", "malformed"])
async def test_a_whole_answer_fails_before_its_first_byte(tmp_path: Path, kind: str) -> None:
    async with running(tmp_path, 2) as sidecar:
        with_drill(sidecar, f"kind: {kind}, targets: [m0]")
        reply = await sidecar.call(ask())
        assert (reply.status, reply.headers["x-wattline-provider"]) == (200, "p1")
        assert [row["state"] for row in rows(sidecar)] == ["failed", "complete"]


async def test_a_malformed_event_is_one_event(tmp_path: Path) -> None:
    async with running(tmp_path, 1) as sidecar:
        plain = await sidecar.call(ask(stream=True))
        with_drill(sidecar, "kind: malformed, after: 2")
        reply = await sidecar.call(ask(stream=True))
        blocks, spoilt = (one.body.split(b"\n\n") for one in (plain, reply))
        assert reply.clean
        assert len(blocks) == len(spoilt)
        with pytest.raises(json.JSONDecodeError):
            json.loads(spoilt[2].removeprefix(b"data: "))
        assert rows(sidecar)[-1]["flags"] == ["drill"]


async def test_a_slow_drip_is_whole_and_late(tmp_path: Path) -> None:
    async with running(tmp_path, 1) as sidecar:
        with_drill(sidecar, "kind: slow_drip, pause: 0.02")
        reply = await sidecar.call(ask(stream=True))
        assert reply.clean
        assert reply.events[-1] == "[DONE]"
        moments = [at for at, _ in reply.pieces]
        assert moments[-1] - moments[0] > 0.02 * 3
        whole = await sidecar.call(ask())
        assert whole.status == 200
        figures = sidecar.sidecar.parts.memory.health.figures(("p0", "up0"))
        assert figures.calls == 0


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    ("drill", "times", "deadline", "code"),
    [
        ("kind: stall", "idle: 30, total: 0.3", 60, "total_timeout"),
        ("kind: stall", "idle: 30, total: 30", 0.3, "total_timeout"),
        ("kind: stall", "idle: 0.3, total: 30", 60, "idle_timeout"),
        ("kind: slow_drip, pause: 30", "idle: 60, total: 0.3", 60, "total_timeout"),
        ("kind: slow_drip, pause: 30", "idle: 60, total: 60", 0.3, "total_timeout"),
        ("kind: slow_drip, pause: 30", "idle: 0.3, total: 60", 60, "idle_timeout"),
    ],
)
async def test_no_longer_than_a_real_fault(tmp_path, drill, times, deadline, code, stream):
    """The timeouts of the target and the deadline of the call end a drill too."""
    timeouts = f"{{connect: 5, first_byte: 30, {times}}}"
    extra = f"limits: {{deadline: {deadline}}}\n"
    async with running(tmp_path, 1, timeouts=timeouts, extra=extra) as sidecar:
        with_drill(sidecar, drill)
        async with asyncio.timeout(10):
            await sidecar.call(ask(stream=stream))
        assert rows(sidecar)[0]["error"] == code


async def test_many_short_pauses_are_as_long_as_one(tmp_path):
    timeouts = "{connect: 5, first_byte: 30, idle: 30, total: 0.25}"
    async with running(tmp_path, 1, timeouts=timeouts) as sidecar:
        with_drill(sidecar, "kind: slow_drip, pause: 0.1")
        assert not (await sidecar.call(ask(stream=True))).clean
        assert rows(sidecar)[0]["error"] == "total_timeout"


async def test_only_calls_that_fit_are_drilled(tmp_path: Path) -> None:
    async with running(tmp_path, 1) as sidecar:
        with_drill(sidecar, "kind: 503, header: {x-chaos: 'y*'}, user: [tester]")
        assert (await sidecar.call(ask())).status == 200
        assert (await sidecar.call(ask(user="tester"))).status == 200
        headers = [("x-chaos", "yes")]
        assert (await sidecar.call(ask(), headers=headers)).status == 200
        assert (await sidecar.call(ask(user="tester"), headers=headers)).status == 500


async def test_a_real_error_stays_what_it_is(tmp_path: Path) -> None:
    """A drill spoils answers, it does not hide faults."""
    async with running(tmp_path, 1) as sidecar:
        with_drill(sidecar, "kind: cut")
        sidecar.upstreams[0].script(["400"])
        assert (await sidecar.call(ask(stream=True))).status == 400


async def test_a_drill_is_no_history(tmp_path: Path) -> None:
    """Nothing is learned from faults that were made on purpose when other rules are tried on the past."""
    async with running(tmp_path, 2) as sidecar:
        assert (await sidecar.call(ask())).status == 200
        with_drill(sidecar, "kind: 500, targets: [p0]")
        assert (await sidecar.call(ask())).status == 200
        with history(sidecar.state / "ledger.sqlite") as written:
            (plain,) = written.calls()
        assert len(plain) == 1


async def test_the_line_of_a_drilled_stream_says_so(tmp_path, caplog):
    """As docs/drills.md has it; the outcome in JSON lines stays a word."""
    caplog.set_level("INFO", "wattline.requests")
    async with running(tmp_path) as run:
        with_drill(run, "kind: cut, after: 2, targets: [p0]")
        await run.call(ask(stream=True))
    (line,) = [one for one in caplog.records if one.name == "wattline.requests"]
    assert line.getMessage().endswith(" (drill: cut)")
    assert line.args["outcome"] == "truncated"
