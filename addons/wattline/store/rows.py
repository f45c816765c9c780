"""The ledger's rows as flat values, checked before they reach a store.

Ids and amounts must be right, or the row is refused (`BadRow`): changing them would book on somebody
else. Descriptive texts come partly from clients, so they are cut to length and made valid UTF-8: a
strange model name must not keep a call from being metered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from wattline.store.base import BadRow, Opened, Refused, Settled, State
from wattline.wire.usage import MAX_TOKENS, Usage

MAX_MICRO = 10**18
"""No single amount is larger: sums of balances then stay within 64 bits, or the row is refused."""
MAX_TIME = 10**14
"""Milliseconds; the year 5138."""
MAX_ID = 200
MAX_TEXT = 300
MAX_FEATURES = 32 * 1024
MAX_FLAGS = 32

type Value = str | int | None
type Values = tuple[Value, ...]

OPENED = (
    "attempt", "call", "number", "at", "principal", "provider", "model", "entry", "requested",
    "rule", "dialect", "operation", "stream", "estimate", "estimate_energy", "hold", "book",
    "features", "key",
)  # fmt: skip
"""Columns of `opened_values`, in its order; they never change after the insert."""

SETTLED = (
    "state", "settled_at", "status", "prompt", "completion", "cached", "reasoning", "source",
    "energy", "error", "flags", "first_byte_ms", "total_ms", "made",
)  # fmt: skip
"""Columns of `settled_values`, in its order; written once."""

REFUSED = (
    "call", "at", "principal", "requested", "rule", "dialect", "operation", "stream", "book", "status",
    "code", "left_out", "features",
)  # fmt: skip
"""Columns of `refused_values`, in its order."""

_compact = msgspec.json.Encoder()
_no_usage = (None, None, None, None, None)


def opened_values(row: Opened) -> Values:
    """The values of `OPENED`. Raises BadRow."""
    return (
        _id(row.attempt, "attempt"),
        _id(row.call, "call"),
        _whole(row.number, "number", 1, 10_000),
        _whole(row.at, "at", 0, MAX_TIME),
        _id(row.principal, "principal"),
        _text(row.provider),
        _text(row.model),
        _text(row.entry),
        _text(row.requested),
        _text(row.rule),
        _text(row.dialect),
        _text(row.operation),
        1 if row.stream else 0,
        _whole(row.estimate, "estimate", 0, MAX_TOKENS),
        _perhaps(row.estimate_energy, "estimate_energy", MAX_MICRO),
        _whole(row.hold, "hold", 0, MAX_MICRO),
        _text(row.book),
        _features(row.features),
        None if row.key is None else _id(row.key, "key"),
    )


def settled_values(row: Settled) -> Values:
    """The values of `SETTLED`. Raises BadRow."""
    if row.state is State.SENT:
        raise BadRow(f"settle {row.attempt!r}: `sent` is not an end; give one of the final states")
    energy = _perhaps(row.energy, "energy", MAX_MICRO)
    if energy and row.state is State.FAILED:
        raise BadRow(
            f"settle {row.attempt!r}: a failed attempt owes nothing, but energy is {energy}; "
            "use `truncated` if there was output"
        )
    return (
        State(row.state).value,
        _whole(row.at, "at", 0, MAX_TIME),
        _perhaps(row.status, "status", 999),
        *(_no_usage if row.usage is None else _usage(row.usage)),
        energy,
        None if row.error is None else _text(row.error),
        _flags(row.flags),
        _perhaps(row.first_byte_ms, "first_byte_ms", MAX_TIME),
        _perhaps(row.total_ms, "total_ms", MAX_TIME),
        None if row.made is None else _text(row.made),
    )


def refused_values(row: Refused) -> Values:
    """The values of `REFUSED`. Raises BadRow."""
    return (
        _id(row.call, "call"),
        _whole(row.at, "at", 0, MAX_TIME),
        _id(row.principal, "principal"),
        _text(row.requested),
        _text(row.rule),
        _text(row.dialect),
        _text(row.operation),
        1 if row.stream else 0,
        _text(row.book),
        _whole(row.status, "status", 0, 999),
        _text(row.code),
        _whole(row.left_out, "left_out", 0, MAX_TIME),
        _features(row.features),
    )


def credit_values(principal: str, micro: int, reason: str, at: int) -> Values:
    """Time, principal, amount and reason of a credit. Raises BadRow."""
    return (at, _id(principal, "principal"), _whole(micro, "micro", -MAX_MICRO, MAX_MICRO),
            _text(reason))  # fmt: skip


def _usage(usage: Usage) -> Values:
    return (
        _whole(usage.prompt, "usage.prompt", 0, MAX_TOKENS),
        _whole(usage.completion, "usage.completion", 0, MAX_TOKENS),
        _whole(usage.cached, "usage.cached", 0, MAX_TOKENS),
        _whole(usage.reasoning, "usage.reasoning", 0, MAX_TOKENS),
        usage.source.value,
    )


def _id(value: str, name: str) -> str:
    if type(value) is str and 0 < len(value) <= MAX_ID and (value.isascii() or _encodes(value)):
        return value
    raise BadRow(f"{name}: must be a text of 1 to {MAX_ID} valid characters")


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(value: int, name: str, least: int, most: int) -> int:
    # bool is an int to isinstance, and a True that was meant as an amount is a bug.
    if type(value) is int and least <= value <= most:
        return value
    raise BadRow(f"{name}: must be a whole number from {least} to {most}, not {value!r:.40}")


def _perhaps(value: int | None, name: str, most: int) -> int | None:
    return None if value is None else _whole(value, name, 0, most)


def _text(value: str) -> str:
    if type(value) is str and len(value) <= MAX_TEXT and value.isascii():
        return value
    clean = str(value)[: MAX_TEXT + 1].encode("utf-8", "replace").decode()
    return clean if len(clean) <= MAX_TEXT else clean[: MAX_TEXT - 1] + "…"


def _flags(flags: tuple[str, ...]) -> str:
    return _compact.encode([_text(flag) for flag in flags[:MAX_FLAGS]]).decode() if flags else "[]"


def _features(features: Mapping[str, Any]) -> str:
    if not features:
        return "{}"
    text = _json(features)
    # Features are for backtests, the row is for the bill: the one must not cost the other.
    return text if len(text) <= MAX_FEATURES else f'{{"too_large":{len(text)}}}'


def _json(features: Mapping[str, Any]) -> str:
    try:
        return _compact.encode(features).decode()
    except (TypeError, ValueError, RecursionError):
        pass
    try:  # slower, but knows mappings that are no dict, and escapes what is no valid Unicode
        return json.dumps(dict(features), separators=(",", ":"), default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRow(f"features: can't be written as JSON ({type(error).__name__})") from None
