"""The ledger can't be used: what a page or a client is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wattline.base.errors import Kind, OurFault
from wattline.store.base import LedgerDown


@contextmanager
def ledger_told() -> Iterator[None]:
    """Around what reads or writes it. Raises OurFault 503 in place of LedgerDown."""
    try:
        yield
    except LedgerDown as error:
        raise OurFault(
            "The ledger can't be used now; nothing was changed. The log says why.",
            status=503,
            code="ledger_down",
            kind=Kind.UNAVAILABLE,
            retry_after=5,
        ) from error
