"""A process that uses a ledger until it is killed: `python -m kit.ledger_child PATH SEED [POINT AFTER]`.

It writes a line to stdout for each thing that the ledger acknowledged. With POINT it kills itself the
AFTER-th time that it gets there.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

from kit.ledgers import opened, settled
from wattline.base.clock import SystemClock
from wattline.store.base import InsufficientBalance
from wattline.store.sqlite import SqliteLedger


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class CrashAt:
    """The hook: SIGKILL at one point."""

    def __init__(self, point: str | None, after: int) -> None:
        self.point, self.left = point, after

    def __call__(self, point: str) -> None:
        if point != self.point:
            return
        self.left -= 1
        if self.left > 0:
            return
        if point == "during_checkpoint":
            # The hook runs just before: die a moment later, from beside.
            wait = random.uniform(0, 0.004)
            threading.Thread(target=lambda: (time.sleep(wait), die()), daemon=True).start()
        else:
            die()


def say(*words: object) -> None:
    # One write, whole in the pipe or not there at all.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def caller(ledger: SqliteLedger, dice: random.Random, name: str) -> None:
    for number in range(100_000):
        attempt, principal = f"{name}.{number}", dice.choice(("ann", "bob", "free"))
        hold = dice.randrange(300)
        try:
            await ledger.open(opened(attempt, principal=principal, hold=hold, estimate_energy=hold))
        except InsufficientBalance:
            await ledger.credit(principal, 5_000, attempt)
            say("credit", attempt, principal)
            continue
        say("open", attempt, principal)
        if dice.random() < 0.1:
            continue
        energy = dice.randrange(400)
        done = ledger.settle(settled(attempt, energy=energy))
        if await done:
            say("settle", attempt, energy)


async def main(path: str, seed: str, point: str | None = None, after: str = "1") -> None:
    ledger = await SqliteLedger.open_at(
        Path(path),
        SystemClock(),
        sync_every=0.02,
        at_once=int(seed) % 2 == 0,
        crash_at=CrashAt(point, int(after)),
    )
    dice = random.Random(seed)
    for name in ("ann", "bob"):
        await ledger.credit(name, 1_000, f"begin.{seed}.{name}")
        say("credit", f"begin.{seed}.{name}", name)
    await asyncio.gather(*(caller(ledger, dice, f"{seed}.{n}") for n in range(8)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
