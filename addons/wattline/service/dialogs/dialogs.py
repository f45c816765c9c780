"""What is kept of users' conversations: read, cleared, added to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from wattline.base.clock import Clock
from wattline.service.accounts.account_checks import check_user_id
from wattline.service.accounts.account_faults import ledger_told
from wattline.service.dialogs.turns import Turn, Turns
from wattline.store.dialogs import Dialog, Message, SqliteDialogs

log = logging.getLogger("wattline.dialogs")


class Dialogs:
    """A dialog has its user's id as its name. Each verb raises Fault."""

    def __init__(self, store: SqliteDialogs, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self.turns = Turns()

    async def read(self, user: str) -> Dialog:
        """All of it; an empty one where there is none."""
        check_user_id(user)
        async with ledger_told():
            return await asyncio.to_thread(self._store.read, user)

    async def clear(self, user: str) -> None:
        """Forget all messages, those of a completion under way too."""
        check_user_id(user)
        async with ledger_told():
            self.turns.cleared(user)
            await self._store.clear(user)
        log.info("the dialog of %s was cleared", user)

    async def add(self, user: str, turn: Turn, messages: Sequence[Message], first: int) -> None:
        """Keep what was said in a turn, and forget what is older than place `first`. Nothing is kept when the
        dialog was cleared meanwhile.
        """
        if turn.void:
            return
        async with ledger_told():
            await self._store.add(user, messages, self._now(), first)
        log.info("the dialog of %s has %d more messages", user, len(messages))

    async def set_system(self, user: str, content: str) -> None:
        """The user's own system message, for completions that bring none (A-063)."""
        check_user_id(user)
        async with ledger_told():
            await self._store.set_system(user, content, self._now())
        log.info("the system message of %s was set", user)

    async def drop_system(self, user: str) -> bool:
        """Forget it; False when there was none."""
        check_user_id(user)
        async with ledger_told():
            found = await self._store.drop_system(user)
        if found:
            log.info("the system message of %s was deleted", user)
        return found

    def _now(self) -> int:
        return int(self._clock.wall() * 1000)
