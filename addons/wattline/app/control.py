"""Where the command line asks, since no other process may write the ledger."""

from __future__ import annotations

from wattline.app.parts import Parts
from wattline.service.accounts.control import Control
from wattline.service.accounts.control_door import ControlDoor
from wattline.service.importing.imports import Imports


async def open_control(parts: Parts) -> None:
    """Listen in the state folder until all is closed."""
    ground, accounts = parts.ground, parts.callers.accounts
    ledger, state = ground.ledger, ground.settings.state
    imports = Imports(accounts, ledger.dialogs, ledger.referrals, ground.book)
    door = ControlDoor(Control(accounts, imports, parts.memory.diagnosis.told), state)
    await door.open()
    ground.exit.push_async_callback(door.close)
