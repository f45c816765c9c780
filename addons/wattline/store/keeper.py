"""What the ledger needs beside its groups: WAL syncs, checkpoints, probes in an outage."""

from __future__ import annotations

import asyncio
import logging
import sqlite3

from wattline.store.groups import Groups
from wattline.store.writer import LedgerMoved, Writer

CHECKPOINT_ROWS = 1_000
"""Rows after which the WAL is moved into the database even when traffic never pauses."""

logger = logging.getLogger("wattline.store")


class Keeper:
    """Ticks every `every` seconds while there is something to do."""

    def __init__(self, writer: Writer, groups: Groups, every: float) -> None:
        self._writer, self._groups, self._every = writer, groups, every
        self._synced = self._checkpointed = groups.rows

    async def run(self) -> None:
        """Until cancelled, or nothing more can be done without a restart."""
        while not self._groups.lasting:
            await self._groups.stirred.wait()
            await asyncio.sleep(self._every)
            self._groups.stirred.clear()
            await self._tick()

    async def _tick(self) -> None:
        if self._groups.down:
            self._groups.probe()
            self._groups.stirred.set()
            return
        rows, quiet = self._groups.rows, self._groups.rows == self._synced
        if not await self._sync():
            return
        self._synced = rows
        if rows > self._checkpointed:
            if quiet or rows - self._checkpointed >= CHECKPOINT_ROWS:
                await self._checkpoint(rows)
            else:
                self._groups.stirred.set()

    async def _sync(self) -> bool:
        try:
            # Not on the writer's thread: commits go on meanwhile.
            await asyncio.get_running_loop().run_in_executor(None, self._writer.sync_wal)
        except LedgerMoved as error:
            self._groups.fail(str(error), final=True)
        except OSError as error:
            # After a failed fsync the kernel may have dropped the pages and call the next one a
            # success, so nothing that follows could be trusted.
            self._groups.fail(
                f"the ledger's disk failed to sync ({error.strerror}): check the disk, then restart "
                "wattline",
                final=True,
            )
        else:
            return True
        return False

    async def _checkpoint(self, rows: int) -> None:
        self._checkpointed = rows
        try:
            await self._writer.checkpoint()
        except sqlite3.Error as error:
            # The rows are safe in the WAL; if it can't grow, the next group says so.
            logger.warning(
                "ledger: checkpoint failed (%s); the -wal file grows until one works", error
            )
