"""Users and their keys, as they are kept."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field, fields

from wattline.store.base import BadRow
from wattline.store.rows import MAX_ID, MAX_MICRO, MAX_TEXT, MAX_TIME, Value, Values
from wattline.wire.call import NO_BUDGETS, Budgets, Role

MAX_MODELS = 200
"""Names or patterns in a key's list of models."""


@dataclass(frozen=True, slots=True)
class User:
    """A person or program with an account in the ledger, whose name is `id`. Times are milliseconds since
    1970 UTC.
    """

    id: str
    name: str
    role: Role
    created: int
    email: str | None = None
    password: str | None = field(default=None, repr=False)
    """Its hash, with salt and parameters; None: no password can be used."""
    disabled: int | None = None
    """Since when; None: not."""
    start: int | None = None
    """Micro-units that the account began with; None: no limit but what is credited later."""
    session: int = 0
    """Counts the times that all its tokens were ended."""
    tier: str | None = None
    """Of its tokens, and of its keys without one of their own."""


@dataclass(frozen=True, slots=True)
class Key:
    """A credential of a user. The secret itself was shown once and is kept nowhere."""

    id: str
    user: str
    hash: str = field(repr=False)
    """Full SHA-256 of the secret, in hex."""
    mask: str
    """Its first and last characters, to recognise it by."""
    role: Role
    created: int
    tier: str | None = None
    expires: int | None = None
    """From then on it is refused; None: never."""
    disabled: int | None = None
    budgets: Budgets = NO_BUDGETS
    models: tuple[str, ...] | None = None
    """Names or patterns of the models that it may call; None: all."""
    label: str = ""
    salt: str | None = None
    """What the secret was made of beside the master token; None: it was drawn at random."""

    def active(self, now_ms: int) -> bool:
        """It is neither disabled nor expired; its user may be."""
        return self.disabled is None and (self.expires is None or now_ms < self.expires)


@dataclass(frozen=True, slots=True)
class People:
    """All of them, by id."""

    users: dict[str, User] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)


USER = tuple(column.name for column in fields(User))
"""Columns of `user_values`, in its order."""
KEY = (
    "id", "user", "hash", "mask", "role", "created", "tier", "expires", "disabled", "hour", "day", "month",
    "models", "label", "salt",
)  # fmt: skip
"""Columns of `key_values`, in its order."""


def user_values(user: User) -> Values:
    """The values of `USER`. Raises BadRow."""
    _check_id(user.id)
    return (
        user.id,
        _text(user.name),
        user.role.value,
        _amount(user.created, MAX_TIME),
        None if user.email is None else _text(user.email),
        None if user.password is None else _text(user.password),
        _perhaps(user.disabled, MAX_TIME),
        _perhaps(user.start, MAX_MICRO),
        _amount(user.session, MAX_TIME),
        None if user.tier is None else _text(user.tier),
    )


def key_values(key: Key) -> Values:
    """The values of `KEY`. Raises BadRow."""
    _check_id(key.id)
    _check_id(key.user)
    budgets = key.budgets
    return (
        key.id,
        key.user,
        key.hash,
        _text(key.mask),
        key.role.value,
        _amount(key.created, MAX_TIME),
        None if key.tier is None else _text(key.tier),
        _perhaps(key.expires, MAX_TIME),
        _perhaps(key.disabled, MAX_TIME),
        *(_perhaps(bound, MAX_MICRO) for bound in (budgets.hour, budgets.day, budgets.month)),
        _models(key.models),
        _text(key.label),
        None if key.salt is None else _text(key.salt),
    )


def read_people(connection: sqlite3.Connection) -> People:
    """Everybody. Raises sqlite3.Error."""
    users = connection.execute(f"SELECT {', '.join(USER)} FROM users")  # noqa: S608 - constants
    keys = connection.execute(f"SELECT {', '.join(KEY)} FROM keys")  # noqa: S608 - constants
    return People(
        {user.id: user for user in map(_user, users)}, {key.id: key for key in map(_key, keys)}
    )


def _user(row: tuple[Value, ...]) -> User:
    found = dict(zip(USER, row, strict=True))
    return User(**found | {"role": Role(str(found["role"]))})  # type: ignore[arg-type]


def _key(row: tuple[Value, ...]) -> Key:
    found = dict(zip(KEY, row, strict=True))
    budgets = Budgets(*(found.pop(name) for name in ("hour", "day", "month")))  # type: ignore[arg-type]
    models, role = found.pop("models"), Role(str(found.pop("role")))
    listed = None if models is None else tuple(json.loads(str(models)))
    return Key(**found, role=role, budgets=budgets, models=listed)  # type: ignore[arg-type]


def _models(models: tuple[str, ...] | None) -> str | None:
    if models is None:
        return None
    if len(models) > MAX_MODELS:
        raise BadRow(f"models: at most {MAX_MODELS} names")
    return json.dumps([_text(model) for model in models])


def _check_id(text: str) -> None:
    if not 0 < len(text) <= MAX_ID:
        raise BadRow(f"id: must have 1 to {MAX_ID} characters")


def _text(text: str) -> str:
    """Never cut: what was asked for is kept whole, or refused."""
    if type(text) is not str or len(text) > MAX_TEXT or not _encodes(text):
        raise BadRow(f"a text must have at most {MAX_TEXT} valid characters")
    return text


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _amount(value: int, most: int) -> int:
    if type(value) is int and 0 <= value <= most:
        return value
    raise BadRow(f"must be a whole number from 0 to {most}")


def _perhaps(value: int | None, most: int) -> int | None:
    return None if value is None else _amount(value, most)
