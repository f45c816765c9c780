"""The tasks of one conversation: begun together, ended together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from wattline.base.tasks import spawn

log = logging.getLogger(__name__)


class Pumps:
    """Runs work until it ends or `stop`. `failed` is called where our own code fails in it; `name` is the log's."""

    def __init__(self, name: str, failed: Callable[[], None]) -> None:
        self._name = name
        self._failed = failed
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name} {len(self._tasks)}>"

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Begin some work."""
        task = spawn(self._guarded(work), name=name)
        self._tasks = [*(other for other in self._tasks if not other.done()), task]
        return task

    async def stop(self) -> None:
        """End all of it, and wait until it has ended."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("%s: a conversation failed", self._name)
            self._failed()
