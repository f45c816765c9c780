"""Which file of which gateway it is, seen by its shape alone; and its rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

MAX_BYTES: Final = 256 * 1024 * 1024
"""Bytes of one file. All of it is held in memory, about ten times as large."""
LOOKED_AT: Final = 1_000
"""Rows that decide what a file is."""
LONGEST_NUMBER: Final = 40
"""Digits. Python refuses very long ones, and takes long for them."""


class Kind(StrEnum):
    """What can be taken over."""

    TOKENS = "tokens"
    DIALOGS = "dialogs"
    SYSTEM_MESSAGES = "system messages"
    REFERRALS = "referrals"
    KEYS = "keys"
    PROVIDERS = "providers"
    TIERS = "tiers"


class NoImport(Exception):
    """A file can't be taken over. The message says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file's rows: each with its place, for people, and its value. `twice`: names that came more than once
    in one object, of which only the last counts.
    """

    kind: Kind
    rows: list[tuple[str, Any]] = field(repr=False)
    twice: int = 0


def read(data: bytes) -> Found:
    """The rows of a file. Raises NoImport."""
    value, twice = _parsed(data)
    found = [one for one in (_as(kind, value) for kind in Kind) if one is not None]
    if not found:
        raise NoImport(
            "not a file that can be taken over: its rows are no tokens, dialogs, system messages, referrals, "
            "keys, providers or tiers"
        )
    share, kind, rows = max(found, key=lambda one: one[0])
    del share
    return Found(kind, rows, twice)


def _parsed(data: bytes) -> tuple[Any, int]:
    twice = 0

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        made = dict(pairs)
        twice += len(pairs) - len(made)
        return made

    try:
        text = data.decode("utf-8-sig")
        value = json.loads(text, object_pairs_hook=members, parse_int=_integer)
    except UnicodeDecodeError:
        raise NoImport("not UTF-8") from None
    except RecursionError:
        raise NoImport("nested too deep") from None
    except json.JSONDecodeError as error:
        if not data.strip():
            raise NoImport("it is empty") from None
        raise NoImport(f"no whole JSON: {error.msg} in line {error.lineno}") from None
    return value, twice


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= LONGEST_NUMBER else float("inf")


def _as(kind: Kind, value: Any) -> tuple[float, Kind, list[tuple[str, Any]]] | None:
    """The rows, if most of them are of the kind."""
    rows = _rows(kind, value)
    looked = rows[:LOOKED_AT]
    fitting = sum(1 for _, row in looked if isinstance(row, dict) and _FITS[kind](row))
    wrapped = isinstance(value, dict) and any(isinstance(value.get(n), list) for n in _NAMES[kind])
    if not rows:
        return (0.1, kind, rows) if wrapped else None
    share = fitting / len(looked)
    return (share, kind, rows) if share >= 0.5 or (wrapped and fitting) else None


def _rows(kind: Kind, value: Any) -> list[tuple[str, Any]]:
    """A bare list, a list in an object under its name, or an object of rows by name."""
    if isinstance(value, dict):
        for name in _NAMES[kind]:
            if isinstance(value.get(name), list):
                return _counted(value[name])
        if kind in _BY_NAME:
            return list(_named(value))
        return []
    if isinstance(value, list) and kind not in _BY_NAME:
        return _counted(value)
    return []


def _counted(rows: list[Any]) -> list[tuple[str, Any]]:
    """The first is row 1, in whatever shape the rows came."""
    return [(f"row {at}", row) for at, row in enumerate(rows, 1)]


def _named(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names may be secrets: a row's place is its number, and the name goes into the row."""
    for at, (name, row) in enumerate(value.items(), 1):
        yield f"row {at}", {**row, NAME: name} if isinstance(row, dict) else row


NAME: Final = "\0name"
"""Where a row has the name that it was under."""

_BY_NAME: Final = frozenset({Kind.KEYS, Kind.TIERS})
_NAMES: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.TOKENS: ("tokens", "user_tokens", "users"),
    Kind.DIALOGS: ("dialogs",),
    Kind.SYSTEM_MESSAGES: ("systemMessages", "system_messages"),
    Kind.REFERRALS: ("referrals",),
    Kind.KEYS: (),
    Kind.PROVIDERS: ("providers",),
    Kind.TIERS: (),
}
_FITS: Final[Mapping[Kind, Callable[[Mapping[str, Any]], bool]]] = {
    Kind.TOKENS: lambda row: "tokens_gpt" in row,
    Kind.DIALOGS: lambda row: "name" in row and isinstance(row.get("messages"), list),
    Kind.SYSTEM_MESSAGES: lambda row: "userId" in row and "systemMessage" in row,
    Kind.REFERRALS: lambda row: (
        ("referrer_id" in row or "referrerId" in row) or ("children" in row and "id" in row)
    ),
    Kind.KEYS: lambda row: "userId" in row and ("tier" in row or "tokenUsage" in row),
    Kind.PROVIDERS: lambda row: "provider_url" in row,
    Kind.TIERS: lambda row: any(name in row for name in ("rps", "rpm", "rpd")),
}
