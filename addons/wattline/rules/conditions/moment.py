"""The hour and the day of the week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import override

from wattline.rules.compiled.facts import Facts
from wattline.rules.conditions.line import Line
from wattline.wire.call import Call

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class HourWithin(Line):
    """The hour of the day is in one of the ranges; a range may pass midnight."""

    ranges: tuple[tuple[int, int], ...]
    zone: tzinfo
    field: str = "hour"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        moment = _moment(wall, self.zone)
        return moment is not None and any(_within(moment.hour, *span) for span in self.ranges)

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        moment = _moment(wall, self.zone)
        found = "not known" if moment is None else str(moment.hour)
        wanted = " or ".join(f"{start}-{end}" for start, end in self.ranges)
        return f"hour is {found} ({self.zone}), wanted {wanted}"


@dataclass(frozen=True, slots=True)
class WeekdayIs(Line):
    """The day of the week, as the clock says now (a night that began yesterday is today)."""

    days: frozenset[int]
    zone: tzinfo
    field: str = "weekday"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        moment = _moment(wall, self.zone)
        return moment is not None and moment.weekday() in self.days

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        moment = _moment(wall, self.zone)
        found = "not known" if moment is None else DAYS[moment.weekday()]
        wanted = " or ".join(DAYS[day] for day in sorted(self.days))
        return f"weekday is {found} ({self.zone}), wanted {wanted}"


def _moment(wall: float, zone: tzinfo) -> datetime | None:
    try:
        return datetime.fromtimestamp(wall, UTC).astimezone(zone)
    except (OverflowError, OSError, ValueError):
        return None


def _within(hour: int, start: int, end: int) -> bool:
    return start <= hour < end if start < end else hour >= start or hour < end
