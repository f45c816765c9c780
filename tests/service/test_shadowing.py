"""Shadow calls, against a real sidecar and real sockets."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.sidecars import Running, running
from kit.trials import ask, rows, with_rule
from wattline.cli.shadow import shadow
from wattline.cli.usage import usage
from wattline.rules.globs import Patterns
from wattline.service.exchange import Exchange
from wattline.service.shadowing import Shadows
from wattline.store.shadows import compared
from wattline.wire.call import LOCAL

FULL = "shadow: {target: p1/other, share: 1}"
PATIENT = "{connect: 30, first_byte: 60, idle: 60, total: 60}"


async def settled(sidecar: Running) -> None:
    """Wait for the shadow calls that are under way."""
    for task in list(sidecar.sidecar.parts.calls.shadows._open):
        await task
    async with asyncio.timeout(30):
        while any(row["state"] == "sent" for row in rows(sidecar)):
            await asyncio.sleep(0.01)


def shadows(sidecar: Running) -> list[dict[str, Any]]:
    return [row for row in rows(sidecar) if row["principal"] == "@shadow"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_copy_is_asked_and_metered_apart(tmp_path: Path, *, stream: bool) -> None:
    """Its row names the rule and the call; the caller's energy is that of its own answer."""
    async with running(tmp_path, 2) as sidecar:
        with_rule(sidecar, FULL)
        reply = await sidecar.call(ask(stream=stream))
        assert reply.headers["x-wattline-provider"] == "p0"
        await settled(sidecar)
        (asked,) = sidecar.upstreams[1].journal.requests
        assert json.loads(asked.body)["model"] == "other"
        own, copy = rows(sidecar)
        assert (own["principal"], own["flags"]) == ("local", [])
        assert (copy["state"], copy["flags"], copy["rule"]) == ("complete", ["shadow"], "by-model")
        assert copy["call"] != own["call"]
        assert json.loads(copy["features"]) == {"shadow_of": own["call"]}
        assert sidecar.sidecar.parts.records.settlement.counts.shadows == {"sent": 1}
        assert sum(sidecar.sidecar.parts.records.settlement.counts.requests.values()) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_the_client_does_not_wait(tmp_path: Path, *, stream: bool) -> None:
    """Its answer has its end while the copy's has not begun."""
    async with running(tmp_path, 2, timeouts=PATIENT) as sidecar:
        with_rule(sidecar, FULL)
        sidecar.upstreams[1].always("stall_head")
        async with asyncio.timeout(20):
            reply = await sidecar.call(ask(stream=stream))
        assert (reply.status, reply.clean) == (200, True)
        assert len(sidecar.sidecar.parts.calls.shadows._open) == 1
        await sidecar.sidecar.parts.calls.shadows.close()
        (copy,) = shadows(sidecar)
        assert copy["state"] != "sent"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (ask(store=True), []),
        (ask(), [("idempotency-key", "once-1")]),
        (ask(model="nobody"), []),
    ],
)
async def test_what_is_not_copied(
    tmp_path: Path, body: dict[str, Any], headers: list[tuple[str, str]]
) -> None:
    async with running(tmp_path, 2) as sidecar:
        with_rule(sidecar, FULL)
        await sidecar.call(body, headers=headers)
        await settled(sidecar)
        assert shadows(sidecar) == []
        assert sidecar.upstreams[1].journal.requests == []


async def test_a_call_that_failed_is_not_copied(tmp_path: Path) -> None:
    async with running(tmp_path, 2) as sidecar:
        with_rule(sidecar, FULL)
        sidecar.upstreams[0].script(["400"])
        assert (await sidecar.call(ask())).status == 400
        assert sidecar.upstreams[1].journal.requests == []


@pytest.mark.parametrize(("names", "copies"), [(["m"], 0), (["m", "p1/*"], 1), (["*"], 1)])
async def test_a_key_for_some_models_is_for_those_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], copies: int
) -> None:
    """The prompt goes to no target whose name the caller's key does not allow."""
    caller = replace(LOCAL, models=Patterns.of(names))
    plain = Shadows.copy

    def keyed(shadows: Shadows, exchange: Exchange) -> Exchange | None:
        return plain(shadows, replace(exchange, call=replace(exchange.call, principal=caller)))

    monkeypatch.setattr(Shadows, "copy", keyed)
    async with running(tmp_path, 2) as sidecar:
        with_rule(sidecar, FULL)
        assert (await sidecar.call(ask())).status == 200
        await settled(sidecar)
        assert len(shadows(sidecar)) == copies


async def test_what_is_too_much_is_dropped_and_counted(tmp_path: Path) -> None:
    async with running(tmp_path, 2, timeouts=PATIENT) as sidecar:
        with_rule(sidecar, FULL)
        sidecar.sidecar.parts.calls.shadows.most = 1
        sidecar.upstreams[1].always("stall_head")
        for _ in range(3):
            assert (await sidecar.call(ask())).status == 200
        assert sidecar.sidecar.parts.records.settlement.counts.shadows == {"dropped": 2}
        await sidecar.sidecar.parts.calls.shadows.close()
        assert len(shadows(sidecar)) <= 1


async def test_a_full_window_of_the_provider_drops_it(tmp_path: Path) -> None:
    """A shadow call waits for nobody's room, and takes none of the caller's."""
    async with running(tmp_path, 2) as sidecar:
        text = sidecar.rules.read_text()
        sidecar.rules.write_text(text.replace("  p1:\n", "  p1:\n    rpm: 1\n"))
        with_rule(sidecar, FULL)
        for _ in range(3):
            assert (await sidecar.call(ask())).status == 200
            await settled(sidecar)
        assert len(shadows(sidecar)) == 1
        assert sidecar.sidecar.parts.records.settlement.counts.shadows == {"sent": 1, "dropped": 2}


async def test_a_stop_ends_and_settles_it(tmp_path: Path) -> None:
    """The ledger's own invariants are checked when the sidecar has stopped."""
    async with running(tmp_path, 2, timeouts=PATIENT) as sidecar:
        with_rule(sidecar, FULL)
        sidecar.upstreams[1].always("stall_mid:2")
        assert (await sidecar.call(ask(stream=True))).clean
        async with asyncio.timeout(30):
            while not sidecar.upstreams[1].journal.requests:
                await asyncio.sleep(0.01)
        await sidecar.sidecar.parts.calls.shadows.close()
        (copy,) = shadows(sidecar)
        assert copy["state"] in ("truncated", "failed")
        assert copy["error"] == "shutdown"
        await sidecar.call(ask())
        assert len(shadows(sidecar)) == 1


async def test_figures_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(tmp_path, 2) as sidecar:
        with_rule(sidecar, FULL)
        sidecar.upstreams[1].script(["ok", "500"])
        for _ in range(2):
            await sidecar.call(ask())
            await settled(sidecar)
        (row,) = compared(sidecar.state / "ledger.sqlite")
        assert (row.rule, row.shadow, row.answered_by) == ("by-model", "p1/other", "p0/up0")
        assert (row.calls, row.complete) == (2, 1)
        assert row.total_ms is not None
        assert row.completion == row.own_completion
        shadow(sidecar.state, since="7d")
        shadow(sidecar.state, since="7d", as_json=True)
        usage(sidecar.state, by="principal", since="7d")
        said = capsys.readouterr().out
        assert "p1/other" in said
        assert '"failed": 1' in said
        assert "Beside these, 2 shadow calls took" in said
