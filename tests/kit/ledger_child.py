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
from wattline.base.ids import hash_secret
from wattline.store.base import InsufficientBalance
from wattline.store.people import Key, User
from wattline.store.sqlite import SqliteLedger
from wattline.wire.call import Role


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


async def operator(ledger: SqliteLedger, seed: str) -> None:
    """Makes users, each with a key that is rotated once."""
    for number in range(100_000):
        name = f"user{seed}.{number}"
        await ledger.accounts.create_user(User(name, name, Role.USER, number, start=7))
        say("user", name, 7)
        key = Key(name, name, hash_secret(f"{name}.1"), "mask", Role.USER, number)
        await ledger.accounts.create_key(key)
        say("key", name, 1)
        await ledger.accounts.change_key(name, hash=hash_secret(f"{name}.2"), mask="new")
        say("key", name, 2)


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
    callers = (caller(ledger, dice, f"{seed}.{n}") for n in range(8))
    await asyncio.gather(*callers, operator(ledger, seed))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
