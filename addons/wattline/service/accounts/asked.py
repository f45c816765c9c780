"""The parameters of a question of the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from wattline.base.amounts import MICRO
from wattline.base.errors import ClientFault, Kind
from wattline.rules.fields import exact
from wattline.rules.problems import unknown
from wattline.service.accounts.accounts import Accounts
from wattline.store.rows import MAX_MICRO, MAX_TEXT, MAX_TIME
from wattline.wire.call import Budgets, Role

_NOTES: Final = frozenset({"label", "name", "reason"})
"""Texts that are kept as they are."""

type Answer = dict[str, Any]
type Verb = Callable[[Accounts, Asked], Awaitable[Answer]]


class Asked:
    """Parameters. Each is taken once, by its kind; what is left over is a mistake."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = {name: value for name, value in given.items() if value is not None}
        self._named = set(given)
        self._known: set[str] = set()

    def has(self, name: str) -> bool:
        """The parameter was given, be it as null."""
        self._known.add(name)
        return name in self._named

    def given(self, name: str) -> bool:
        """The parameter was given, and not as null."""
        self._known.add(name)
        return name in self._given

    def text(self, name: str) -> str | None:
        """Text. Raises ClientFault."""
        value = self._take(name)
        if value is not None and not isinstance(value, str):
            raise wrong(f"{name}: must be text.", name)
        if value is not None and name in _NOTES and not _keepable(value):
            raise wrong(f"{name}: must be Unicode text of at most {MAX_TEXT} characters.", name)
        return value

    def need(self, name: str) -> str:
        """Text that must be there. Raises ClientFault."""
        value = self.text(name)
        if not value:
            raise wrong(f"{name}: is missing.", name)
        return value

    def energy(self, name: str) -> int | None:
        """An amount of 0 or more in micro-units. Raises ClientFault."""
        return _micro(name, self._take(name))

    def time(self, name: str) -> int | None:
        """Milliseconds since 1970 UTC. Raises ClientFault."""
        value = self._take(name)
        if value is not None and (type(value) is not int or not 0 <= value <= MAX_TIME):
            raise wrong(f"{name}: must be milliseconds since 1970.", name)
        return value

    def flag(self, name: str) -> bool:
        """True or false. Raises ClientFault."""
        value = self._take(name, default=False)
        if not isinstance(value, bool):
            raise wrong(f"{name}: must be true or false.", name)
        return value

    def role(self) -> Role:
        """Raises ClientFault."""
        value = self._take("role", default="") or Role.USER.value
        if not isinstance(value, str) or value not in {role.value for role in Role}:
            raise wrong("role: must be admin or user.", "role")
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
                raise wrong("role: must be admin or user.", "role")
            changes["role"] = self.role()
        return changes

    def models(self) -> tuple[str, ...] | None:
        """Names or patterns. Raises ClientFault."""
        value = self._take("models")
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise wrong("models: must be a list of names or patterns.", "models")
        return tuple(value)

    def budgets(self) -> Budgets:
        """Raises ClientFault."""
        value = self._take("budgets", default={})
        if not isinstance(value, dict) or not value.keys() <= {"hour", "day", "month"}:
            raise wrong("budgets: must be an object with hour, day, month.", "budgets")
        bounds = (_micro(f"budgets.{n}", value.get(n)) for n in ("hour", "day", "month"))
        return Budgets(*bounds)

    def any(self, name: str) -> Any:
        """Whatever it is."""
        return self._take(name)

    def end(self) -> None:
        """Nothing is left. Raises ClientFault."""
        if self._given:
            name = min(self._given)
            if not self._known:
                raise wrong(f"{name[:100]!r}: no member is taken here.", name[:100])
            raise wrong(unknown("member", name, self._known), name[:100])

    def _take(self, name: str, *, default: Any = None) -> Any:
        self._known.add(name)
        return self._given.pop(name, default)


def _keepable(text: str) -> bool:
    return len(text) <= MAX_TEXT and not any("\ud800" <= char <= "\udfff" for char in text)


def _micro(name: str, value: object) -> int | None:
    if value is None:
        return None
    try:
        micro = exact(value) * MICRO
    except ValueError as error:
        raise wrong(f"{name}: {error}.", name) from None
    if micro.denominator != 1 or micro > MAX_MICRO:
        raise wrong(f"{name}: energy has at most 12 digits before the point and 6 after it.", name)
    return int(micro)


def wrong(message: str, param: str | None = None) -> ClientFault:
    """A mistake in a question; `param` is where."""
    return ClientFault(message, code="invalid_value", kind=Kind.INVALID_REQUEST, param=param)
