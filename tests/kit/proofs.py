"""What a sidecar wrote down about what it passed on."""

from __future__ import annotations

import asyncio
from typing import Any

from kit.sidecars import Running
from wattline.service.watching.proofs import proof_file, read_proofs


async def proofs(running: Running, count: int = 1) -> list[dict[str, Any]]:
    """Its records, the newest first, once there are so many."""
    async with asyncio.timeout(10):
        while True:
            await running.sidecar.parts.records.proofs.written()
            found = list(read_proofs(proof_file(running.state), 0))
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)
