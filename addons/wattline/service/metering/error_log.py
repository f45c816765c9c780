"""One line of JSON for each call that failed (B-200): what went wrong, never what was in it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from wattline.base.clock import Clock
from wattline.base.errors import Fault
from wattline.service.entrance.headers import shown_id
from wattline.service.exchange import Exchange
from wattline.service.line_log import LineLog
from wattline.service.metering.exclusions import Exclusions, ExclusionsFile
from wattline.service.metering.kept import Kept
from wattline.store.base import State
from wattline.wire.call import LOCAL
from wattline.wire.http import Ending, Request

NAME: Final = "api-error.jsonl"
MAX_BYTES: Final = 20 * 1024 * 1024
OLDER: Final = 2
"""Files before the newest one that are kept."""
MAX_TEXT: Final = 500
MAX_NAME: Final = 200
GROUPS: Final = 200
"""Different codes, providers and models in a summary; further ones are counted as `other`."""
OTHER: Final = "other"


@dataclass(slots=True)
class ErrorSummary:
    """What the last lines of the log say."""

    lines: int = 0
    unreadable: int = 0
    excluded: int = 0
    """Lines that match a pattern of the exclusions; they are in none of the counts below."""
    last: str | None = None
    size: int = 0
    """Bytes of the newest file."""
    truncated: bool = False
    """There may be more lines than were looked at."""
    codes: Counter[str] = field(default_factory=Counter)
    providers: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)


class ErrorLog:
    """Writes, reads and counts. `ignores` are the codes that don't count by rules.yaml."""

    def __init__(
        self,
        lines: LineLog,
        exclusions: ExclusionsFile,
        clock: Clock,
        ignores: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.lines = lines
        self.exclusions = exclusions
        self._clock = clock
        self._ignores = ignores
        self._kept = Kept(clock)

    def note(self, request: Request, exchange: Exchange | None, fault: Fault | None) -> None:
        """A call has ended. One that went well, whose client left, or that met a drill leaves no line."""
        if exchange is not None and exchange.drill is not None:
            return
        failure = _failure(exchange, fault)
        if failure is not None:
            self.lines.add(_record(request, exchange, fault, failure, self._clock.wall()))

    async def excluded(self) -> Callable[[str], bool]:
        """What says of a code that it does not count."""
        found = await asyncio.to_thread(self.exclusions.current)
        return lambda code: self._matches(found, code)

    async def latest(self, limit: int) -> list[dict[str, Any]]:
        """The last lines, the newest first."""
        await self.lines.written()
        return await asyncio.to_thread(self._recent, limit)

    async def counted(self, most: int) -> ErrorSummary:
        """What the last `most` lines say; at most a few seconds old."""
        await self.lines.written()
        return await self._kept.get(most, lambda: asyncio.to_thread(self._summary, most))

    def _recent(self, limit: int) -> list[dict[str, Any]]:
        exclusions = self.exclusions.current()
        found = [record for record in self.lines.file.records(limit) if record is not None]
        return [
            {**record, "excluded": self._matches(exclusions, *_texts(record))} for record in found
        ]

    def _summary(self, most: int) -> ErrorSummary:
        exclusions, summary = self.exclusions.current(), ErrorSummary()
        for record in self.lines.file.records(most):
            summary.lines += 1
            if record is None:
                summary.unreadable += 1
            elif self._matches(exclusions, *_texts(record)):
                summary.excluded += 1
            else:
                _count(summary, record)
            if summary.last is None and record is not None:
                summary.last = _text(record, "time") or None
        summary.size = self.lines.file.size()
        summary.truncated = summary.lines >= most
        return summary

    def _matches(self, exclusions: Exclusions, code: str, *more: str) -> bool:
        return self._ignores(code) or exclusions.match(code, *more)


def error_log_path(state: Path) -> Path:
    """Where it is in a state folder."""
    return state / "logs" / NAME


@dataclass(frozen=True, slots=True)
class _Failure:
    status: int | None
    code: str
    message: str


def _failure(exchange: Exchange | None, fault: Fault | None) -> _Failure | None:
    if fault is not None:
        return _Failure(fault.status, fault.code, fault.message)
    if exchange is None:
        return None
    status = exchange.attempts[-1].status if exchange.attempts else None
    if exchange.state is State.TRUNCATED:
        if exchange.request.departure.reason is Ending.SHUTDOWN:
            return _Failure(status, "shutting_down", "The sidecar stopped in the middle of it.")
        return _Failure(status, "upstream_broke_off", "The provider broke off in its answer.")
    if exchange.state is None and exchange.failures:
        code = exchange.failures[-1].code
        return _Failure(status, code, "The provider's refusal was passed on to the client.")
    return None


def _record(
    request: Request, exchange: Exchange | None, fault: Fault | None, failure: _Failure, wall: float
) -> Mapping[str, Any]:
    principal = request.principal or LOCAL
    asked = None if fault is None or fault.requested is None else fault.requested[:MAX_NAME]
    target = ""
    if exchange is not None:
        principal, asked = exchange.call.principal, exchange.call.model[:MAX_NAME]
        if exchange.attempts:
            target = str(exchange.attempts[-1].target)
        elif exchange.failures:
            target = exchange.failures[-1].target
    provider, _, model = target.partition("/")
    return {
        "time": datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds"),
        "request": shown_id(request.header("x-request-id"), request.id),
        "call": request.id,
        "principal": principal.id,
        "key": principal.key,
        "requested": asked,
        "provider": provider or None,
        "model": model[:MAX_NAME] or None,
        "status": failure.status,
        "code": failure.code,
        "message": failure.message[:MAX_TEXT],
        "attempts": 0 if exchange is None else len(exchange.attempts),
    }


def _texts(record: Mapping[str, Any]) -> tuple[str, str]:
    return _text(record, "code"), _text(record, "message")


def _text(record: Mapping[str, Any], name: str) -> str:
    """What somebody may have written by hand is text, or nothing."""
    value = record.get(name)
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def _count(summary: ErrorSummary, record: Mapping[str, Any]) -> None:
    for name, counts in (("code", summary.codes), ("provider", summary.providers),
                         ("model", summary.models)):  # fmt: skip
        if text := _text(record, name):
            _add(counts, text)
    status = record.get("status")
    if type(status) is int and 100 <= status <= 999:
        _add(summary.statuses, str(status))


def _add(counts: Counter[str], text: str) -> None:
    counts[text if text in counts or len(counts) < GROUPS else OTHER] += 1
