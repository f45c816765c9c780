"""What the command line asks of a running sidecar: a line of JSON in, a line of JSON out. No I/O here.

A question is `{"verb": …}` with the verb's parameters. An answer is `{"ok": true, "result": …}`, or
`{"ok": false, "error": {"status", "code", "message"}}`. Amounts are energy, as text or whole numbers;
times are milliseconds since 1970 UTC.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from wattline.base.errors import ClientFault, Fault, Kind, OurFault
from wattline.rules.fields import MICRO, exact
from wattline.service.accounts.accounts import AS_CONFIGURED, Accounts, Bounds, Issued
from wattline.service.accounts.key_facts import key_facts, user_facts
from wattline.service.importing.imports import Imports
from wattline.service.importing.rows import read_rows
from wattline.store.people import Key, User
from wattline.store.rows import MAX_MICRO, MAX_TIME
from wattline.wire.call import Budgets, Role

MAX_LINE = 16 * 1024 * 1024
"""Bytes of a question: a whole dialog that is imported fits into one."""
ADMIN = "admin"
"""The id of an admin that was given none."""

type Answer = dict[str, Any]

log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Control:
    """Answers questions about accounts. `imports` takes over what other gateways had; `caches` tells what broke
    providers' prompt caches.
    """

    def __init__(
        self,
        accounts: Accounts,
        imports: Imports | None = None,
        caches: Callable[[], Answer] | None = None,
    ) -> None:
        self._accounts = accounts
        self._imports = imports
        self._caches = caches

    async def handle(self, line: bytes) -> bytes:
        """The answer to a question, with a line feed. Total: a mistake is an answer too."""
        try:
            return _encode({"ok": True, "result": await self._answer(line)}) + b"\n"
        except Fault as fault:
            return _refusal(fault)
        except Exception:
            log.exception("a question of the command line failed")
            return _refusal(OurFault("wattline failed on this; the log has the details."))

    async def _answer(self, line: bytes) -> Answer:
        try:
            question = _decode(line)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise _wrong("This is no JSON.") from None
        if not isinstance(question, dict):
            raise _wrong("A question is an object.")
        verb = question.pop("verb", None)
        if verb == "import" and self._imports is not None:
            return await _import(self._imports, Asked(question))
        if verb == "cache" and self._caches is not None:
            return self._caches()
        work = _VERBS.get(verb) if isinstance(verb, str) else None
        if work is None:
            raise _wrong(f"The verb is one of {', '.join(_VERBS)}.")
        asked = Asked(question)
        return await work(self._accounts, asked)


class Asked:
    """Parameters. Each is taken once, by its kind; what is left over is a mistake."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = {name: value for name, value in given.items() if value is not None}
        self._named = set(given)

    def has(self, name: str) -> bool:
        """The parameter was given, be it as null."""
        return name in self._named

    def given(self, name: str) -> bool:
        """The parameter was given, and not as null."""
        return name in self._given

    def text(self, name: str) -> str | None:
        """Text. Raises ClientFault."""
        value = self._given.pop(name, None)
        if value is not None and not isinstance(value, str):
            raise _wrong(f"{name}: must be text.", name)
        return value

    def need(self, name: str) -> str:
        """Text that must be there. Raises ClientFault."""
        value = self.text(name)
        if not value:
            raise _wrong(f"{name}: is missing.", name)
        return value

    def energy(self, name: str) -> int | None:
        """An amount of 0 or more in micro-units. Raises ClientFault."""
        return _micro(name, self._given.pop(name, None))

    def time(self, name: str) -> int | None:
        """Milliseconds since 1970 UTC. Raises ClientFault."""
        value = self._given.pop(name, None)
        if value is not None and (type(value) is not int or not 0 <= value <= MAX_TIME):
            raise _wrong(f"{name}: must be milliseconds since 1970.", name)
        return value

    def flag(self, name: str) -> bool:
        """True or false. Raises ClientFault."""
        value = self._given.pop(name, False)
        if not isinstance(value, bool):
            raise _wrong(f"{name}: must be true or false.", name)
        return value

    def role(self) -> Role:
        """Raises ClientFault."""
        value = self.text("role") or Role.USER.value
        if value not in {role.value for role in Role}:
            raise _wrong("role: must be admin or user.", "role")
        return Role(value)

    def of_user(self) -> dict[str, Any]:
        """Those of name, email, role and tier that were given. Raises ClientFault."""
        changes: dict[str, Any] = {}
        for name in ("email", "tier"):
            if self.has(name):
                changes[name] = self.text(name)
        if self.has("name"):
            changes["name"] = self.text("name") or ""
        if self.has("role"):
            if not self.given("role"):
                raise _wrong("role: must be admin or user.", "role")
            changes["role"] = self.role()
        return changes

    def models(self) -> tuple[str, ...] | None:
        """Names or patterns. Raises ClientFault."""
        value = self._given.pop("models", None)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise _wrong("models: must be a list of names or patterns.", "models")
        return tuple(value)

    def budgets(self) -> Budgets:
        """Raises ClientFault."""
        value = self._given.pop("budgets", {})
        if not isinstance(value, dict) or not value.keys() <= {"hour", "day", "month"}:
            raise _wrong("budgets: must be an object with hour, day, month.", "budgets")
        bounds = (_micro(f"budgets.{n}", value.get(n)) for n in ("hour", "day", "month"))
        return Budgets(*bounds)

    def any(self, name: str) -> Any:
        """Whatever it is."""
        return self._given.pop(name, None)

    def end(self) -> None:
        """Nothing is left. Raises ClientFault."""
        if self._given:
            name = min(self._given)[:100]
            raise _wrong(f"{name!r}: there is no such parameter.", name)


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
        raise _wrong("There is nothing to change.")
    return _person(accounts, await accounts.change_user(owner.id, **changes))


async def _disable_user(accounts: Accounts, asked: Asked) -> Answer:
    owner = _owner(accounts, asked.need("user"))
    asked.end()
    return _person(accounts, await accounts.disable_user(owner.id))


async def _enable_user(accounts: Accounts, asked: Asked) -> Answer:
    owner = _owner(accounts, asked.need("user"))
    asked.end()
    return _person(accounts, await accounts.enable_user(owner.id))


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


async def _credit(accounts: Accounts, asked: Asked) -> Answer:
    name, subtract = asked.need("user"), asked.flag("subtract")
    amount, reason = asked.energy("energy"), asked.text("reason")
    asked.end()
    if amount is None:
        raise _wrong("energy: is missing.", "energy")
    owner = _owner(accounts, name)
    change = accounts.subtract if subtract else accounts.credit
    await change(owner.id, amount, reason or ("debit" if subtract else "credit"))
    return {"user": user_facts(accounts, owner)}


async def _import(imports: Imports, asked: Asked) -> Answer:
    """Rows of another gateway; with `dry`, only what would become of them."""
    what, found, dry = asked.any("what"), asked.any("rows"), asked.flag("dry")
    asked.end()
    outcomes = await imports.take(read_rows(what, found), dry=dry)
    return {"outcomes": msgspec.to_builtins(outcomes)}


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


def _owner(accounts: Accounts, name: str) -> User:
    key = accounts.store.key(name)
    return accounts.user(name if key is None else key.user)


def _issued(accounts: Accounts, issued: Issued) -> Answer:
    return {"secret": issued.secret, **_one(accounts, issued.key)}


def _one(accounts: Accounts, key: Key) -> Answer:
    return {"key": key_facts(accounts, key), "notes": accounts.notes(key)}


def _person(accounts: Accounts, user: User) -> Answer:
    return {"user": _counted(accounts, user), "notes": accounts.notes(user)}


def _counted(accounts: Accounts, user: User) -> Answer:
    return {**user_facts(accounts, user), "keys": len(accounts.store.keys_of(user.id))}


def _refusal(fault: Fault) -> bytes:
    error = {"status": fault.status, "code": fault.code, "message": fault.message}
    return _encode({"ok": False, "error": error}) + b"\n"


def _micro(name: str, value: object) -> int | None:
    if value is None:
        return None
    try:
        micro = exact(value) * MICRO
    except ValueError as error:
        raise _wrong(f"{name}: {error}.", name) from None
    if micro.denominator != 1 or micro > MAX_MICRO:
        raise _wrong(f"{name}: energy has at most 12 digits before the point and 6 after it.", name)
    return int(micro)


def _wrong(message: str, param: str | None = None) -> ClientFault:
    return ClientFault(message, code="invalid_value", kind=Kind.INVALID_REQUEST, param=param)


_VERBS: Mapping[str, Callable[[Accounts, Asked], Awaitable[Answer]]] = MappingProxyType(
    {
        "create": _create,
        "list": _list,
        "show": _show,
        "rotate": _rotate,
        "disable": _disable,
        "enable": _enable,
        "delete": _delete,
        "set": _set,
        "credit": _credit,
        "users": _users,
        "create_user": _create_user,
        "set_user": _set_user,
        "disable_user": _disable_user,
        "enable_user": _enable_user,
    }
)
