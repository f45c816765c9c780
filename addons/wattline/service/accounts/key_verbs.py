"""What the command line asks about keys."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.base.errors import ClientFault
from wattline.service.accounts.accounts import AS_CONFIGURED, Accounts, Bounds, Issued
from wattline.service.accounts.asked import Answer, Asked, Verb
from wattline.service.accounts.key_facts import key_facts, user_facts
from wattline.store.people import Key
from wattline.wire.call import Role

ADMIN = "admin"
"""The id of an admin that was given none."""


async def _create(accounts: Accounts, asked: Asked) -> Answer:
    """A key, and its user if it is new. `credit` is what a new user begins with, and is added to the
    balance of one that is there.
    """
    role, name, email, credit = (
        asked.role(),
        asked.text("name"),
        asked.text("email"),
        asked.energy("credit"),
    )
    user = asked.text("user") or (ADMIN if role is Role.ADMIN else None)
    bounds: Bounds = {
        "tier": asked.text("tier"),
        "expires": asked.time("expires"),
        "budgets": asked.budgets(),
        "models": asked.models(),
        "label": asked.text("label") or "",
    }
    asked.end()
    accounts.check_expiry(bounds["expires"])
    found = accounts.store.user(user) if user is not None else None
    if found is None:
        start = AS_CONFIGURED if credit is None else credit
        issued = await accounts.create_user_with_key(
            user, name=name or "", email=email, role=role, start=start, **bounds
        )
        return _issued(accounts, issued)
    # The key first: who asks again after a mistake must not be credited twice.
    issued = await accounts.create_key(found.id, role=role, **bounds)
    if credit:
        await accounts.credit(found.id, credit)
    return _issued(accounts, issued)


async def _list(accounts: Accounts, asked: Asked) -> Answer:
    user = asked.text("user")
    asked.end()
    keys = (
        accounts.store.all_keys()
        if user is None
        else accounts.store.keys_of(accounts.user(user).id)
    )
    return {"keys": [key_facts(accounts, key) for key in keys]}


async def _show(accounts: Accounts, asked: Asked) -> Answer:
    name = asked.need("name")
    asked.end()
    key = accounts.store.key(name)
    owner = accounts.user(name if key is None else key.user)
    keys = accounts.store.keys_of(owner.id) if key is None else [key]
    return {"user": user_facts(accounts, owner), "keys": [key_facts(accounts, k) for k in keys]}


async def _rotate(accounts: Accounts, asked: Asked) -> Answer:
    return _issued(accounts, await accounts.rotate_key(_key(accounts, asked).id))


async def _disable(accounts: Accounts, asked: Asked) -> Answer:
    return _one(accounts, await accounts.disable_key(_key(accounts, asked).id))


async def _enable(accounts: Accounts, asked: Asked) -> Answer:
    return _one(accounts, await accounts.enable_key(_key(accounts, asked).id))


async def _delete(accounts: Accounts, asked: Asked) -> Answer:
    key = _key(accounts, asked)
    gone = _one(accounts, key)
    await accounts.delete_key(key.id)
    return gone


async def _set(accounts: Accounts, asked: Asked) -> Answer:
    """Other bounds of a key. What is not given stays; null takes a bound away."""
    changes: dict[str, Any] = {}
    for name, read in (("tier", lambda: asked.text("tier")), ("expires", lambda: asked.time("expires")),
                       ("models", asked.models), ("budgets", asked.budgets),
                       ("label", lambda: asked.text("label") or "")):  # fmt: skip
        if asked.has(name):
            changes[name] = read()
    return _one(accounts, await accounts.change_key(_key(accounts, asked).id, **changes))


def _key(accounts: Accounts, asked: Asked) -> Key:
    """The key that is meant: by its id, or by its user when that has only one."""
    name = asked.need("key")
    asked.end()
    key = accounts.store.key(name)
    if key is not None:
        return key
    keys = accounts.store.keys_of(name)
    if len(keys) == 1:
        return keys[0]
    if not keys:
        return accounts.key(name)  # which says that there is none
    raise ClientFault(
        f"{name} has {len(keys)} keys: {', '.join(one.id for one in keys[:10])}. Name one.",
        status=409,
        code="several_keys",
    )


def _issued(accounts: Accounts, issued: Issued) -> Answer:
    return {"secret": issued.secret, **_one(accounts, issued.key)}


def _one(accounts: Accounts, key: Key) -> Answer:
    return {"key": key_facts(accounts, key), "notes": accounts.notes(key)}


KEY_VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "create": _create,
        "list": _list,
        "show": _show,
        "rotate": _rotate,
        "disable": _disable,
        "enable": _enable,
        "delete": _delete,
        "set": _set,
    }
)
