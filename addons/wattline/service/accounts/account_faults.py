"""What goes wrong with accounts, as faults that a page can pass on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wattline.base.errors import ClientFault, Kind, OurFault
from wattline.store.accounts import Taken
from wattline.store.base import BadRow, LedgerDown


@asynccontextmanager
async def ledger_told() -> AsyncIterator[None]:
    """What any store beside the ledger says, as a fault: 400 for what it can't keep, 503 when it is down."""
    try:
        yield
    except BadRow as error:
        raise bad_value(f"This can't be kept: {error}.", None) from None
    except LedgerDown as error:
        raise OurFault(
            "The ledger can't be written; nothing was changed. The log says why.",
            status=503,
            code="ledger_down",
            kind=Kind.UNAVAILABLE,
            retry_after=5,
        ) from error


@asynccontextmanager
async def accounts_told() -> AsyncIterator[None]:
    """What the store of accounts says, as a fault: as `ledger_told`, and 409 for what is somebody's already."""
    try:
        async with ledger_told():
            yield
    except Taken as taken:
        column = str(taken).rpartition(".")[2]
        code = (
            "email_exists"
            if column == "email"
            else "user_exists"
            if "users" in str(taken)
            else "key_exists"
        )
        raise ClientFault(
            f"There is one with this {column} already.", status=409, code=code, param=column
        ) from None


def missing(what: str, name: str) -> ClientFault:
    """404: there is no such user, or key."""
    return ClientFault(
        f"There is no {what} {name[:100]!r}.",
        status=404,
        code=f"{what}_not_found",
        kind=Kind.NOT_FOUND,
    )


def bad_value(message: str, param: str | None) -> ClientFault:
    """400: a value that can't be."""
    return ClientFault(message, code="invalid_value", param=param)
