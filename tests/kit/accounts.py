"""Accounts on a ledger of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from wattline.base.clock import ManualClock
from wattline.engine.spending import Spending
from wattline.rules.book import Book
from wattline.rules.load import load
from wattline.service.accounts.accounts import Accounts
from wattline.store.audit import audit
from wattline.store.sqlite import SqliteLedger

LEAST = "rules: [{name: all, try: model}]\n"


def book(text: str = "", **env: str) -> Book:
    return load(text + LEAST, env=env)


@asynccontextmanager
async def accounts_at(
    folder: Path, text: str = "", **more: Any
) -> AsyncIterator[tuple[Accounts, ManualClock]]:
    """A ledger in `folder` and its accounts; at the end everything must add up."""
    clock, path = ManualClock(), folder / "ledger.sqlite"
    rules = book(text, **more.pop("env", {}))
    ledger = await SqliteLedger.open_at(path, clock, **more)
    accounts = Accounts(ledger.accounts, ledger, clock, lambda: rules, Spending())
    try:
        yield accounts, clock
    finally:
        await ledger.close()
    report = audit(path)
    assert report.ok, report
