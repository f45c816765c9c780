"""What the answers of these pages have in common."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, Final

from fastapi import Query

from wattline.base.clock import Clock

Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
Offset = Annotated[int, Query(ge=0, le=10_000_000, description="How many to leave out first.")]
Name = Annotated[str, Query(min_length=1, max_length=64)]
Seconds = Annotated[
    int, Query(ge=1, le=366 * 86_400, description="The length of the period, up to now.")
]

_TOLD: Final = MappingProxyType(
    {
        400: "A parameter or the body can't be used.",
        401: "No credential that is known here.",
        403: "The key is no admin's.",
        404: "There is no such one.",
        409: "It can't be done in this state.",
        413: "The body is too large.",
        415: "The body is no JSON.",
        429: "Too many requests.",
        503: "The ledger can't be used now.",
    }
)


def stamped(clock: Clock, told: dict[str, Any]) -> dict[str, Any]:
    """An answer with its time."""
    return {**told, "timestamp": iso(clock.wall())}


def iso(wall: float) -> str:
    """Seconds since 1970 as ISO 8601."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")


def paged[T](found: Sequence[T], limit: int, offset: int) -> tuple[Sequence[T], dict[str, int]]:
    """A page of a list, and what to say of it."""
    chosen = found[offset : offset + limit]
    return chosen, counts(len(chosen), len(found), limit, offset)


def counts(count: int, total: int, limit: int, offset: int) -> dict[str, int]:
    """What to say of a page of a list."""
    return {"count": count, "total": total, "limit": limit, "offset": offset}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Answers for the OpenAPI document, beside the good one."""
    return {status: {"description": _TOLD[status]} for status in sorted({401, 403, *statuses})}
