"""What broke a provider's prompt cache, through real sockets."""

from __future__ import annotations

import asyncio
import json

import pytest

from kit.admins import KEYS, TIERS, desk
from kit.sidecars import running
from wattline.cli.cache import cache
from wattline.cli.failure import Failure

DIAGNOSE = TIERS + "affinity: {diagnose: true}\n"
LONG = "a long instruction " * 400


def chat(system: str, *said: str):
    messages = [{"role": "system", "content": system}]
    messages += [
        {"role": "user" if n % 2 == 0 else "assistant", "content": s} for n, s in enumerate(said)
    ]
    return {"model": "m", "messages": messages}


async def test_a_changed_system_message_is_found(tmp_path):
    async with desk(tmp_path, 1, extra=DIAGNOSE) as asked:
        for body in (
            chat(f"the time is 10:00 {LONG}", "hello"),
            chat(f"the time is 10:01 {LONG}", "hello", "hi", "and now?"),
        ):
            assert (await asked.call(body=body)).status == 200
        told = await asked.get("/api/admin/cache")
        raw = json.dumps(told)
    (found,) = told["conversations"]
    assert (found["principal"], found["model"], found["calls"]) == ("ann", "m", 2)
    (broken,) = found["breaks"]
    assert broken["cause"] == "system"
    assert broken["what"] == "system changed, in its part 0"
    assert broken["role"] == "system"
    assert broken["lostTokens"] == told["totals"]["lostTokens"] > 1_000
    assert told["totals"]["breaks"] == {"system": 1}
    assert "instruction" not in raw
    assert "hello" not in raw


async def test_only_admins_may_read_it(tmp_path):
    async with desk(tmp_path, 1, extra=DIAGNOSE, auth=KEYS) as asked:
        for who, status in (("none", 401), ("user", 403), ("admin", 200)):
            assert (await asked.ask("GET", "/api/admin/cache", who=who)).status == status


async def test_off_unless_asked_for(tmp_path):
    async with desk(tmp_path, 1) as asked:
        await asked.call(body=chat(LONG, "hello"))
        assert (await asked.get("/api/admin/cache"))["conversations"] == []


BODIES = {
    "/v1/messages": [
        {
            "model": "m",
            "max_tokens": 9,
            "system": s + LONG,
            "messages": [{"role": "user", "content": "x"}],
        }
        for s in "ab"
    ],
    "/v1/responses": [{"model": "m", "instructions": s + LONG, "input": "x"} for s in "ab"],
    "/v1beta/models/m:generateContent": [
        {
            "systemInstruction": {"parts": [{"text": s + LONG}]},
            "contents": [{"role": "user", "parts": [{"text": "x"}]}],
        }
        for s in "ab"
    ],
}


@pytest.mark.parametrize("path", BODIES)
async def test_in_every_dialect(tmp_path, path):
    async with running(tmp_path, 1, extra="affinity: {diagnose: true}\n") as sidecar:
        for body in BODIES[path]:
            assert (await sidecar.call(body, path=path)).status == 200
        told = sidecar.sidecar.parts.memory.diagnosis.told()
    assert told["totals"]["breaks"] == {"system": 1}


async def test_the_command_line(tmp_path, capsys):

    async with running(tmp_path, 1, extra="affinity: {diagnose: true}\n") as sidecar:
        await asyncio.to_thread(cache, sidecar.state)
        assert "No conversation was looked at" in capsys.readouterr().out
        for number in range(2):
            await sidecar.call(chat(f"{number} {LONG}", "hello"))
        await asyncio.to_thread(cache, sidecar.state)
        assert "system changed" in capsys.readouterr().out.replace("\n", " ")
        await asyncio.to_thread(cache, sidecar.state, as_json=True)
        assert json.loads(capsys.readouterr().out)["totals"]["calls"] == 2
    with pytest.raises(Failure, match="no sidecar runs"):
        cache(sidecar.state)
