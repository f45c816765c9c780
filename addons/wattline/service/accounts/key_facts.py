"""Users and keys as JSON for people and programs: never a secret, never a hash of one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from wattline.base.amounts import MICRO
from wattline.service.accounts.accounts import Accounts
from wattline.store.people import Key, User


def key_facts(accounts: Accounts, key: Key) -> dict[str, Any]:
    """A key, with its bounds and what it spent of them. Amounts are energy."""
    spent = accounts.spent(key.id)
    owner = accounts.store.user(key.user)
    active = key.active(accounts.now_ms()) and owner is not None and owner.disabled is None
    return {
        "id": key.id,
        "user": key.user,
        "key": key.mask,
        "role": key.role.value,
        "tier": key.tier,
        "label": key.label,
        "active": active,
        "created": moment(key.created),
        "expires": moment(key.expires),
        "disabled": moment(key.disabled),
        "models": None if key.models is None else list(key.models),
        "budgets": {
            "hour": energy(key.budgets.hour),
            "day": energy(key.budgets.day),
            "month": energy(key.budgets.month),
        },
        "spent": {
            "hour": energy(spent.hour),
            "day": energy(spent.day),
            "month": energy(spent.month),
        },
        "balance": energy(accounts.balance(key.user)),
    }


def user_facts(accounts: Accounts, user: User) -> dict[str, Any]:
    """A user, with the balance as energy; None: no limit."""
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "role": user.role.value,
        "tier": user.tier,
        "created": moment(user.created),
        "disabled": moment(user.disabled),
        "balance": energy(accounts.balance(user.id)),
    }


def energy(micro: int | None) -> int | float | None:
    """An amount as a JSON number."""
    if micro is None:
        return None
    return micro / MICRO if micro % MICRO else micro // MICRO


def moment(ms: int | None) -> str | None:
    """Milliseconds since 1970 UTC as ISO 8601."""
    if ms is None:
        return None
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return "9999-12-31T23:59:59+00:00"
