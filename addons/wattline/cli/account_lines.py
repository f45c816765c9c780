"""What `wattline keys` and `wattline users` print, and the amounts that they read."""

from __future__ import annotations

import json
import re
import sys
from decimal import Decimal
from typing import Any

from wattline.cli.wrong_value import none_of, wrong_value

_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


def print_json(result: dict[str, Any], *, as_json: bool) -> bool:
    """Print it as it is, if that was asked for; whether it was."""
    if as_json:
        json.dump(result, sys.stdout, indent=2)
        print()
    return as_json


def print_notes(result: dict[str, Any]) -> None:
    """What most likely is a mistake, on stderr."""
    for note in result["notes"]:
        sys.stderr.write(f"note: {note}\n")


def print_user(user: dict[str, Any]) -> None:
    """A line on a user."""
    from wattline.cli.terminal import safe

    state = "" if user["disabled"] is None else ", disabled"
    tier = f", tier {user['tier']}" if user["tier"] else ""
    balance = energy_text(user["balance"], "no limit")
    print(safe(f"{user['id']} ({user['role']}{tier}{state}): {balance}"))


def print_balance(result: dict[str, Any], *, as_json: bool) -> None:
    """What a user has after a change."""
    if not print_json(result, as_json=as_json):
        print_user(result["user"])


def credited(
    user: str, energy: str | None, *, subtract: bool, reason: str | None
) -> dict[str, Any]:
    """What is asked to move a balance. Raises Failure."""
    given = amount(energy, "ENERGY")
    return {"user": user, "energy": given, "subtract": subtract, "reason": reason}


def energy_text(energy: float | None, nothing: str) -> str:
    """An amount for people; `nothing` when there is none."""
    if energy is None:
        return nothing
    return f"{energy:,.6f}".rstrip("0").rstrip(".")


def amount(text: str | None, option: str) -> str | None:
    """An amount of energy that can be one, given with an option. Raises Failure."""
    if text is not None and not _AMOUNT.fullmatch(text):
        raise wrong_value(option, text, "is no amount of energy: write for example 5000 or 0.5")
    return text


def role_of(text: str | None, option: str = "--role") -> str | None:
    """What a credential may do. Raises Failure."""
    from wattline.wire.call import Role

    words = [role.value for role in Role]
    if text is not None and text not in words:
        raise none_of(option, text, words)
    return text


def micro(text: str, option: str) -> int:
    """An amount of energy as micro-units. Raises Failure."""
    return int(Decimal(amount(text, option) or "0").scaleb(6))
