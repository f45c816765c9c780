"""Makes the key that the benchmark's calls have: `python keyed.py STATE MODEL`, before the sidecar starts."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from rulesfile import keyed_text
from wattline.base.clock import SystemClock
from wattline.engine.spending import Spending
from wattline.rules.load import load
from wattline.service.accounts.accounts import Accounts
from wattline.store.sqlite import SqliteLedger
from wattline.wire.call import Budgets

SECRET = "bench"  # noqa: S105 - it opens a mock
"""What `calls` sends as a bearer."""
PLENTY = 10**17
"""Micro-units: counted on each call, never reached."""


async def make(state: Path, model: str) -> None:
    """A user with a balance, and a key with every bound."""
    clock = SystemClock()
    book = load(f"{keyed_text()}rules: [{{name: all, try: model}}]\n", env={})
    ledger = await SqliteLedger.open_at(state / "ledger.sqlite", clock)
    accounts = Accounts(ledger.accounts, ledger, clock, lambda: book, Spending())
    await accounts.create_user("bench", start=PLENTY)
    await accounts.create_key(
        "bench",
        tier="bench",
        expires=accounts.now_ms() + 10**9,
        budgets=Budgets(PLENTY, PLENTY, PLENTY),
        models=(model,),
        secret=SECRET,
    )
    await ledger.close()


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1]), sys.argv[2]))
