"""Whose turn it is in a dialog: one completion after the other, in the order in which they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from wattline.base.errors import ClientFault, Kind


@dataclass(slots=True)
class Turn:
    """One completion's. `void`: the dialog was cleared meanwhile, so its messages belong to no dialog."""

    void: bool = False


@dataclass(slots=True)
class _Line:
    """Those who want a turn in one dialog."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    count: int = 0
    current: Turn | None = None


class Turns:
    """Dialogs are known by name for as long as somebody has a turn or waits for one."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def __len__(self) -> int:
        return len(self._lines)

    @asynccontextmanager
    async def turn(self, dialog: str, waiting: int) -> AsyncIterator[Turn]:
        """Wait for a turn and have it. Raises ClientFault 429 when `waiting` others wait already."""
        line = self._lines.setdefault(dialog, _Line())
        if line.count > waiting:
            raise _busy(line.count)
        line.count += 1
        try:
            async with line.lock:
                line.current = Turn()
                try:
                    yield line.current
                finally:
                    line.current = None
        finally:
            line.count -= 1
            if not line.count:
                del self._lines[dialog]

    def cleared(self, dialog: str) -> None:
        """What is said in the turn that runs is not to be kept."""
        line = self._lines.get(dialog)
        if line is not None and line.current is not None:
            line.current.void = True


def _busy(count: int) -> ClientFault:
    return ClientFault(
        f"{count} completions of this dialog are under way or wait (rules.yaml: dialogs.waiting). Wait for one "
        "to end.",
        status=429,
        code="dialog_busy",
        kind=Kind.RATE_LIMIT,
        retry_after=1,
    )
