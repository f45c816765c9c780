"""What a test has planned for the next requests."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from wattline.demo.faults import Faults, parse

type Key = tuple[str | None, str | None]


class Script:
    """Queues of faults, for a model, for a path, or for whatever comes next."""

    def __init__(self) -> None:
        self._queues: dict[Key, deque[Faults]] = {}
        self._always: dict[Key, Faults] = {}

    def add(
        self, faults: Sequence[str], *, model: str | None = None, path: str | None = None
    ) -> None:
        """One fault for each of the next requests. All are read before any is queued: FaultError."""
        parsed = [parse(fault) for fault in faults]
        self._queues.setdefault((model, path), deque()).extend(parsed)

    def always(self, fault: str, *, model: str | None = None, path: str | None = None) -> None:
        """What requests get when their queue is empty."""
        self._always[model, path] = parse(fault)

    def clear(self) -> None:
        """Forget all that is planned."""
        self._queues.clear()
        self._always.clear()

    def left(self) -> int:
        """How many planned faults no request has met yet."""
        return sum(len(queue) for queue in self._queues.values())

    def take(self, *, method: str, model: str | None, path: str) -> Faults | None:
        """The next request's faults. The nearest plan goes first; a GET only follows one for its
        path, so that a health check doesn't take what is meant for a call.
        """
        keys: list[Key] = [(model, path), (None, path)]
        if method == "POST":
            keys = [(model, path), (model, None), (None, path), (None, None)]
        for key in keys:
            if queue := self._queues.get(key):
                return queue.popleft()
        return next((self._always[key] for key in keys if key in self._always), None)
