"""The admin that the environment names (B-064, B-126), made at the start if need be."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from wattline.base.errors import Fault
from wattline.base.ids import hash_secret
from wattline.base.settings import SettingsError
from wattline.service.accounts.accounts import Accounts
from wattline.service.accounts.master import DEFAULT_ADMIN_KEY, refuse_weak
from wattline.wire.call import Role

USER_ID, API_KEY = "DEFAULT_ADMIN_USER_ID", DEFAULT_ADMIN_KEY
LABEL = API_KEY
"""Of the key that the environment gave: when it gives another, the old one stops."""

log = logging.getLogger("wattline.tokens")


async def ensure_admin(accounts: Accounts, env: Mapping[str, str]) -> None:
    """The user and key are there and valid. Raises SettingsError for a key that could be guessed or is
    another user's, and for an id that can't be one.
    """
    secret = env.get(API_KEY)
    if secret is None:
        if env.get(USER_ID):
            log.warning("%s is set and %s is not: no admin is made", USER_ID, API_KEY)
        return
    refuse_weak(API_KEY, secret)
    user = env.get(USER_ID, "").strip() or "admin"
    try:
        await _ensure_user(accounts, user)
        await _ensure_key(accounts, user, secret)
    except Fault as fault:
        raise SettingsError(f"{USER_ID} {user[:100]!r} can't be used: {fault.message}") from fault


async def _ensure_user(accounts: Accounts, user: str) -> None:
    found = accounts.store.user(user)
    if found is None:
        await accounts.create_user(user, role=Role.ADMIN)
    elif found.role is not Role.ADMIN or found.disabled is not None:
        await accounts.change_user(user, role=Role.ADMIN, disabled=None)


async def _ensure_key(accounts: Accounts, user: str, secret: str) -> None:
    hashed = hash_secret(secret)
    found = accounts.store.key_by_hash(hashed)
    if found is not None and found.user != user:
        raise SettingsError(f"{API_KEY} is the key of another user: take a new one")
    for old in accounts.store.all_keys():
        if old.label == LABEL and old.hash != hashed:
            await accounts.delete_key(old.id)
    if found is None:
        await accounts.create_key(user, role=Role.ADMIN, label=LABEL, secret=secret)
    else:
        await accounts.change_key(found.id, role=Role.ADMIN, disabled=None, expires=None)
