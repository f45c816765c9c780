"""What `wattline doctor` tells of a sidecar that runs."""

from __future__ import annotations

import asyncio
import json
from urllib.request import Request, urlopen

from kit.sidecars import running
from wattline.cli.doctor import examine
from wattline.cli.finding import Mark
from wattline.cli.usage import LEDGER

ADMIN = "q7Zp2LxW9vRt4KsD"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


async def bad(settings):
    found = await asyncio.to_thread(lambda: list(examine(settings)))
    return [one.text for one in found if one.mark is Mark.BAD]


async def test_a_sidecar_that_can_not_write_its_ledger_is_told(tmp_path):
    """What `wattline health` says, and not that a first start will make the ledger."""
    async with running(tmp_path, 1, check=False) as run:
        assert await bad(run.sidecar.settings) == []
        file = run.state / LEDGER
        file.rename(file.with_name("elsewhere"))
        async with asyncio.timeout(30):
            while (await run.call(CHAT)).status == 200:
                await asyncio.sleep(0.01)
        gone, ill = sorted(await bad(run.sidecar.settings))
    assert gone == f"ledger {file} is gone, its newest commits are in ledger.sqlite-wal"
    assert ill.startswith("the sidecar is degraded: ledger: ")
    assert "moved or deleted" in ill


async def test_what_an_operator_switched_off_is_told(tmp_path):
    async with running(tmp_path, 2, env={"ADMIN_FIRST": ADMIN}) as run:
        host, port = run.address[:2]
        request = Request(
            f"http://{host}:{port}/api/admin/providers/p0/disable",
            json.dumps({"reason": "invoice"}).encode(),
            {"authorization": f"Bearer {ADMIN}", "content-type": "application/json"},
        )
        (await asyncio.to_thread(urlopen, request)).close()
        found = await asyncio.to_thread(lambda: list(examine(run.sidecar.settings)))
    (told,) = [one for one in found if "switched off" in one.text]
    assert told.mark is Mark.NOTE
    assert told.text == "p0 is switched off by an operator: invoice"
