"""What is taken over, row by row: the neutral form between a file of another gateway and the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from wattline.base.errors import ClientFault

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
Content = Annotated[str, msgspec.Meta(max_length=8 * 1024 * 1024)]


class What(StrEnum):
    """The kinds of rows, in the order in which they must be taken over."""

    PEOPLE = "people"
    SYSTEMS = "systems"
    DIALOGS = "dialogs"
    REFERRALS = "referrals"


class KeyRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key, by its secret: only its hash is kept."""

    secret: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    tier: Text | None = None

    def __repr__(self) -> str:
        return "KeyRow(…)"


class PersonRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user with its keys. `start` is micro-units, None for no limit."""

    user: Text
    keys: list[KeyRow]
    start: int | None = None
    admin: bool = False


class SystemRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user's own system message. `coming`: the user is one of those that are being taken over."""

    user: Text
    content: Content
    coming: bool = False


class DialogRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user's conversation: role and content of each message, oldest first."""

    user: Text
    messages: list[tuple[str, Content]]
    coming: bool = False


class ReferralRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who brought whom."""

    referrer: Text
    referred: Text
    coming: bool = False


type Row = PersonRow | SystemRow | DialogRow | ReferralRow

_SHAPES: Mapping[What, type[Any]] = MappingProxyType(
    {
        What.PEOPLE: PersonRow,
        What.SYSTEMS: SystemRow,
        What.DIALOGS: DialogRow,
        What.REFERRALS: ReferralRow,
    }
)


class Done(StrEnum):
    """What became of a row."""

    MADE = "made"
    THERE = "there"
    REFUSED = "refused"


class Outcome(msgspec.Struct, frozen=True):
    """What became of a row, and what is to be told of it: no secret, no text."""

    done: Done
    told: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """Why parts of it, keys of a user, were not taken though the rest is here."""


def read_rows(what: object, rows: object) -> list[Row]:
    """The rows of a question. Raises ClientFault."""
    try:
        shape = _SHAPES[What(str(what))]
        found: list[Row] = msgspec.convert(rows, list[shape])  # type: ignore[valid-type]  # chosen just now
    except (ValueError, msgspec.ValidationError):
        raise ClientFault(
            "rows: not of the shape of what is imported.", code="invalid_value"
        ) from None
    return found
