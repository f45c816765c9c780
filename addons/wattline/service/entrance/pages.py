"""The sidecar's own pages: health and version. Answered without a hop."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from wattline.base.clock import Clock
from wattline.service.entrance.safety import safe
from wattline.wire.http import Whole


class Pages:
    """`not_ready` says why calls can't be served now, None when they can (rules loaded, ledger
    writable; the providers' state is no part of it). `closed` says why no provider can be used.
    """

    def __init__(
        self,
        clock: Clock,
        version: str,
        *,
        environment: str,
        not_ready: Callable[[], str | None],
        closed: Callable[[], str | None] = lambda: None,
        summary: Callable[[], dict[str, Any]],
    ) -> None:
        self.clock = clock
        self.version = version
        self.environment = environment
        self.not_ready = not_ready
        self.closed = closed
        self.summary = summary
        self.started = clock.monotonic()

    def answer(self, method: str, path: str) -> Whole | None:
        """A page of ours, or None when the path is none. HEAD is answered as GET."""
        if method not in {"GET", "HEAD"}:
            return None
        match path:
            case "/health":
                return self._health()
            case "/health/live":
                return _json(200, {"status": "live"})
            case "/health/ready":
                return self._ready()
            case "/version":
                return _json(200, {"name": "wattline", "version": self.version})
            case "/":
                return _json(200, {"name": "wattline", **self.summary()})
            case _:
                return None

    def _health(self) -> Whole:
        reason = self.not_ready() or self.closed()
        moment = datetime.fromtimestamp(self.clock.wall(), UTC).replace(tzinfo=None)
        body = {
            "status": "healthy" if reason is None else "degraded",
            "timestamp": f"{moment.isoformat(timespec='milliseconds')}Z",
            "uptime": round(self.clock.monotonic() - self.started, 3),
            "version": self.version,
            "environment": self.environment,
        }
        if reason is not None:
            body["reason"] = reason
        return _json(200, body)

    def _ready(self) -> Whole:
        reason = self.not_ready()
        if reason is None:
            return _json(200, {"status": "ready"})
        return _json(503, {"status": "not ready", "reason": reason})


def _json(status: int, body: dict[str, Any]) -> Whole:
    answer = Whole(status, (("content-type", "application/json"),), json.dumps(body).encode())
    return safe(answer)
