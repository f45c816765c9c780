"""Tokens of the first gateway and keys of the second: users with their keys and what they begin with."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from wattline.base.amounts import MICRO
from wattline.base.strength import why_weak
from wattline.cli.importing.shapes import NAME
from wattline.service.importing.rows import KeyRow, PersonRow
from wattline.store.rows import MAX_MICRO

EXACT: Final = 2**53
"""Above it a number in JSON is not exact for everybody who reads it."""
_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
LONGEST: Final = 255
"""Characters of a key."""

type Refuse = Callable[[str, str], None]
"""A row's place, and why it is not taken."""


@dataclass(slots=True)
class Person:
    """A user as far as it was read."""

    user: str
    keys: dict[str, str | None] = field(default_factory=dict, repr=False)
    """Each with its tier."""
    start: int | None = 0
    """Micro-units; None: no limit."""
    admin: bool = False

    def row(self) -> PersonRow:
        """What is taken over."""
        keys = [KeyRow(secret, tier) for secret, tier in self.keys.items()]
        return PersonRow(self.user, keys, self.start, self.admin)


class People:
    """The users of all files together: one that is in two begins with the sum."""

    def __init__(self) -> None:
        self.found: dict[str, Person] = {}
        self.notes: dict[str, int] = {}
        """What is told of rows that were taken all the same, and of how many."""
        self._aliases: dict[str, str] = {}
        self._owners: dict[str, str] = {}

    def name(self, name: str) -> str:
        """The user that a name in another file means: one may be named by its key."""
        return self._aliases.get(name, name)

    def add_token(self, place: str, row: Mapping[str, Any], refuse: Refuse) -> Person | None:
        """A row of the first gateway's tokens; None when it is refused."""
        try:
            secret, user = _secret(row.get("id")), _user(row, "user_id")
            start, note = _start(row.get("tokens_gpt"))
        except _Wrong as wrong:
            refuse(place, str(wrong))
            return None
        if secret == user:
            user = self._aliases[secret] = _alias(secret)
            self._note("named by its key: gets a name of its own here, imported-…")
        if self._is_others(secret, user):
            refuse(place, "its key is also another user's in these files")
            return None
        person = self._person(user)
        if secret in person.keys:
            self._note("the same key once more: counted once")
            return person
        person.keys[secret] = None
        if note is not None:
            self._note(note)
        person.start = None if None in (person.start, start) else (person.start or 0) + (start or 0)
        if person.start is not None and person.start > MAX_MICRO:
            person.start = MAX_MICRO
        return person

    def add_key(
        self, place: str, row: Mapping[str, Any], refuse: Refuse, credit: int | None
    ) -> Person | None:
        """A row of the second gateway's keys; None when it is refused. `credit`: what its users begin with."""
        try:
            secret, user = _secret(row.get(NAME)), _user(row, "userId")
            tier = _tier(row.get("tier"))
        except _Wrong as wrong:
            refuse(place, str(wrong))
            return None
        if self._is_others(secret, user):
            refuse(place, "its key is also another user's in these files")
            return None
        new = user not in self.found
        person = self._person(user)
        person.keys[secret] = tier
        if row.get("role") == "admin":
            person.admin, person.start = True, None
        elif new:
            person.start = credit
        return person

    def _person(self, user: str) -> Person:
        return self.found.setdefault(user, Person(user))

    def _is_others(self, secret: str, user: str) -> bool:
        return self._owners.setdefault(secret, user) != user

    def _note(self, text: str) -> None:
        self.notes[text] = self.notes.get(text, 0) + 1


class _Wrong(Exception):
    """Why a row is not taken: no value of it."""


def _alias(secret: str) -> str:
    """A name for a user that had its key for one: always the same."""
    return f"imported-{hashlib.sha256(secret.encode()).hexdigest()[:12]}"


def _secret(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong("it has no key")
    if not (value.isascii() and value.isprintable()) or " " in value or len(value) > LONGEST:
        raise _Wrong("its key has characters that no header takes, or too many")
    if (weak := why_weak(value)) is not None:
        raise _Wrong(f"its key can't be used: {weak}")
    return value


def _user(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < EXACT:
        return str(value)
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= LONGEST:
        raise _Wrong(f"{name}: is missing, or no name")
    return value


def user_of(row: Mapping[str, Any], name: str) -> str | None:
    """The user that a row names; None when it names none."""
    try:
        return _user(row, name)
    except _Wrong:
        return None


def _tier(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 64:
        raise _Wrong("tier: no name")
    return value


def _start(value: Any) -> tuple[int | None, str | None]:
    """Micro-units, and what is to be told of them."""
    number = _number(value)
    if number < 0:
        return 0, "its balance was below 0: begins with 0"
    if number > EXACT:
        raise _Wrong("tokens_gpt: too large to be exact")
    micro = number * MICRO
    if micro > MAX_MICRO:
        return None, "its balance was more than 10^12: gets no limit"
    note = "its balance had more than 6 digits after the point: rounded"
    return round(micro), None if micro.denominator == 1 else note


def _number(value: Any) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _Wrong("tokens_gpt: is missing, or no number")
    if isinstance(value, float) and not math.isfinite(value):
        raise _Wrong("tokens_gpt: no finite number")
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise _Wrong("tokens_gpt: no number")
    return Fraction(str(value))


__all__ = ["People", "Person", "Refuse", "user_of"]
