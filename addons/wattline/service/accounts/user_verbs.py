"""What the command line asks about users."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from wattline.service.accounts.accounts import AS_CONFIGURED, Accounts
from wattline.service.accounts.asked import Answer, Asked, Verb, wrong
from wattline.service.accounts.key_facts import user_facts
from wattline.store.people import User


async def _credit(accounts: Accounts, asked: Asked) -> Answer:
    name, subtract = asked.need("user"), asked.flag("subtract")
    amount, reason = asked.energy("energy"), asked.text("reason")
    asked.end()
    if amount is None:
        raise wrong("energy: is missing.", "energy")
    owner = _owner(accounts, name)
    change = accounts.subtract if subtract else accounts.credit
    await change(owner.id, amount, reason or ("debit" if subtract else "credit"))
    return {"user": user_facts(accounts, owner)}


async def _users(accounts: Accounts, asked: Asked) -> Answer:
    role = asked.role() if asked.given("role") else None
    asked.end()
    found = [user for user in accounts.store.users() if role in (None, user.role)]
    return {"users": [_counted(accounts, user) for user in sorted(found, key=lambda u: u.id)]}


async def _create_user(accounts: Accounts, asked: Asked) -> Answer:
    """A user without a key."""
    user, name, email = asked.text("user"), asked.text("name"), asked.text("email")
    role, tier, credit = asked.role(), asked.text("tier"), asked.energy("credit")
    asked.end()
    start = AS_CONFIGURED if credit is None else credit
    made = await accounts.create_user(
        user, name=name or "", email=email, role=role, tier=tier, start=start
    )
    return _person(accounts, made)


async def _set_user(accounts: Accounts, asked: Asked) -> Answer:
    """What is not given stays; null takes a tier, a name or an e-mail address away."""
    changes = asked.of_user()
    owner = _owner(accounts, asked.need("user"))
    asked.end()
    if not changes:
        raise wrong("There is nothing to change.")
    return _person(accounts, await accounts.change_user(owner.id, **changes))


async def _disable_user(accounts: Accounts, asked: Asked) -> Answer:
    owner = _owner(accounts, asked.need("user"))
    asked.end()
    return _person(accounts, await accounts.disable_user(owner.id))


async def _enable_user(accounts: Accounts, asked: Asked) -> Answer:
    owner = _owner(accounts, asked.need("user"))
    asked.end()
    return _person(accounts, await accounts.enable_user(owner.id))


def _owner(accounts: Accounts, name: str) -> User:
    key = accounts.store.key(name)
    return accounts.user(name if key is None else key.user)


def _person(accounts: Accounts, user: User) -> Answer:
    return {"user": _counted(accounts, user), "notes": accounts.notes(user)}


def _counted(accounts: Accounts, user: User) -> Answer:
    return {**user_facts(accounts, user), "keys": len(accounts.store.keys_of(user.id))}


USER_VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "credit": _credit,
        "users": _users,
        "create_user": _create_user,
        "set_user": _set_user,
        "disable_user": _disable_user,
        "enable_user": _enable_user,
    }
)
