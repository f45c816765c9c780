"""What the gateway's pages are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wattline.service.accounts.key_check import Check
from wattline.service.accounts.logins import Logins
from wattline.service.accounts.own_keys import OwnKeys


@dataclass(frozen=True, slots=True)
class GatewayParts:
    """`check` asks a provider about a key, `ledger` is the ledger's file, `down` says why it can't be written
    (None: it can), `wrong` is told the address of a login that was wrong.
    """

    logins: Logins
    own_keys: OwnKeys
    check: Check
    ledger: Path
    down: Callable[[], str | None]
    wrong: Callable[[str], None] = lambda _: None
