"""Tasks with a name and an owner: the event loop alone keeps only weak references."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

_running: set[asyncio.Task[Any]] = set()


def spawn[T](work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Start `work` and keep it alive until it ends. The caller owns its result and its errors."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task
