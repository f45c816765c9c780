from __future__ import annotations

import asyncio

from kit.ledgers import opened
from wattline.base.clock import ManualClock
from wattline.cli.audit import audit
from wattline.cli.usage import LEDGER
from wattline.store.sqlite import SqliteLedger


def test_what_a_killed_process_left_open_is_told(tmp_path, capsys):
    async def left() -> None:
        ledger = await SqliteLedger.open_at(tmp_path / LEDGER, ManualClock())
        await ledger.open(opened("left"))
        await ledger.close()

    asyncio.run(left())
    assert audit(tmp_path) == 0
    said = capsys.readouterr().out
    assert "The ledger adds up: 1 attempt," in said
    assert "1 attempt not settled yet: " in said
