"""Proofs that what was passed on was left alone: a line of JSON for each, in a file that is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from wattline.base.clock import Clock
from wattline.service.line_log import LineLog
from wattline.service.metering.counts import Counts
from wattline.service.watching.carried import Carried, is_short
from wattline.store.json_lines import JsonLines

NAME: Final = "proof.jsonl"
MAX_BYTES: Final = 16 * 1024 * 1024
OLDER: Final = 3
MOST: Final = 1_000_000
"""Lines that are read."""
VERDICTS: Final = ("untouched", "cut", "changed")


def proof_file(state: Path) -> JsonLines:
    """The file in a state folder."""
    return JsonLines(state / "logs" / NAME, MAX_BYTES, OLDER)


class Proofs:
    """Writes each down. Never waited for: a proof that is lost is told in the log."""

    def __init__(self, file: JsonLines, clock: Clock, counts: Counts) -> None:
        self._lines = LineLog(file)
        self._clock = clock
        self._counts = counts

    def add(self, carried: Carried) -> None:
        """It is over; the second time says nothing."""
        if carried.over:
            return
        carried.over = True
        record = carried.record(int(self._clock.wall() * 1000))
        self._counts.proved(carried.kind, record["verdict"])
        self._lines.add(record)

    async def written(self) -> None:
        """Wait until all are in the file."""
        await self._lines.written()


def read_proofs(file: JsonLines, since: int) -> Iterator[dict[str, Any]]:
    """The records since a time (milliseconds since 1970 UTC), the newest first, each with the verdict that its
    own figures give. A line that is no record is `unreadable`. One that has a later time than a line after it in
    the file is `out_of_order`: the clock was set back, or somebody wrote a line. All lines are read, since one with an
    old time must not hide those before it.
    """
    earliest: int | None = None
    for record in file.records(MOST):
        if record is None or type(at := record.get("at")) is not int:
            yield {"verdict": "unreadable"}
            continue
        late = earliest is not None and at > earliest
        earliest = at if earliest is None else min(at, earliest)
        if at >= since:
            odd = {"out_of_order": True} if late else {}
            yield {**record, **odd, "verdict": judged(record)}


def judged(record: dict[str, Any]) -> str:
    """What the bytes and digests of a record say, whatever it says itself."""
    ways = [record.get("up"), record.get("down")]
    if not all(isinstance(way, dict) and _sound(way) for way in ways):
        return "unreadable"
    differing = [way for way in ways if isinstance(way, dict) and not _equal(way)]
    if not differing:
        return "untouched"
    short = all(is_short(_counts(way, "in"), _counts(way, "out")) for way in differing)
    return "cut" if record.get("cut") is True and short else "changed"


def _sound(way: dict[str, Any]) -> bool:
    counts = (*_counts(way, "in"), *_counts(way, "out"))
    digests = (way.get("digest_in"), way.get("digest_out"))
    return all(type(n) is int for n in counts) and all(isinstance(d, str) for d in digests)


def _equal(way: dict[str, Any]) -> bool:
    same = _counts(way, "in") == _counts(way, "out")
    return bool(same and way["digest_in"] == way["digest_out"])


def _counts(way: dict[str, Any], end: str) -> tuple[Any, Any]:
    """Bytes and messages at one end."""
    return way.get(f"bytes_{end}"), way.get(f"messages_{end}", 0)
