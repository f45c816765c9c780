"""What the assistant's clients ask with: a user's id in the query, and a JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Self

from fastapi import Query, Request

from wattline.base.amounts import MICRO
from wattline.base.errors import ClientFault
from wattline.base.strict_json import read_object
from wattline.rules.fields import exact
from wattline.store.rows import MAX_MICRO

USER_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
UserId = Annotated[
    str, Query(alias="userId", pattern=USER_ID, max_length=64, description="The id of a user.")
]
_DEPTH: Final = 16
_LONGEST_ID: Final = 64


@dataclass(frozen=True, slots=True)
class Body:
    """A request's JSON object. Each reader raises ClientFault 400 that names the member at fault."""

    value: Mapping[str, Any] = field(repr=False)

    @classmethod
    async def read(cls, request: Request, *, exact: bool = False) -> Self:
        """`exact`: amounts in it count by their digits. Raises ClientFault for what is no JSON object, or could
        be read in two ways.
        """
        return cls(read_object(await request.body(), max_depth=_DEPTH, exact=exact))

    def text(self, name: str, most: int) -> str:
        """A text that must be there, of 1 to `most` characters."""
        value = self.perhaps(name, most)
        if not value:
            raise _wrong(name, "is missing")
        return value

    def perhaps(self, name: str, most: int) -> str | None:
        """A text of up to `most` characters; None where it is left out or null."""
        value = self.value.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise _wrong(name, "must be text")
        if len(value) > most:
            raise _wrong(name, f"has more than {most} characters")
        if not _encodes(value):
            raise _wrong(name, "is no valid Unicode text")
        return value

    def user(self, name: str) -> str:
        """A user's id; messengers number their users, so a whole number is one too."""
        value = self.value.get(name)
        if type(value) is int and 0 <= value < 10**_LONGEST_ID:
            return str(value)
        return self.text(name, _LONGEST_ID)

    def flag(self, name: str) -> bool:
        """True or false; false where it is left out."""
        value = self.value.get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise _wrong(name, "must be true or false")
        return value

    def choice(self, name: str, *choices: str) -> str:
        """One of some words."""
        value = self.value.get(name)
        if not isinstance(value, str) or value not in choices:
            raise _wrong(name, f"must be {' or '.join(choices)}")
        return value

    def energy(self, name: str) -> int:
        """An amount above 0, in micro-units."""
        value = self.value.get(name)
        if value is None:
            raise _wrong(name, "is missing")
        try:
            micro = exact(value) * MICRO
        except ValueError as error:
            raise _wrong(name, str(error)) from None
        if micro.denominator != 1 or not 0 < micro <= MAX_MICRO:
            raise _wrong(
                name, "must be above 0, with at most 12 digits before the point and 6 after it"
            )
        return int(micro)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong(name: str, why: str) -> ClientFault:
    code = "missing_parameter" if why == "is missing" else "invalid_parameter"
    return ClientFault(f"{name}: {why}.", code=code, param=name)
