"""Where a paused layer keeps the events that come meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from mitmproxy.proxy import events
from mitmproxy.proxy.layer import Layer


class EventQueue:
    """In place of mitmproxy's deque, which takes 700 bytes for each layer of each connection while it is empty, as
    it nearly always is. This one makes a deque when something waits.
    """

    __slots__ = ("_events",)

    def __init__(self, waiting: Iterable[events.Event] = ()) -> None:
        self._events: deque[events.Event] | None = deque(waiting) or None

    def __len__(self) -> int:
        return 0 if self._events is None else len(self._events)

    def __iter__(self) -> Iterator[events.Event]:
        return iter(self._events or ())

    def append(self, event: events.Event) -> None:
        """Put it at the end."""
        if self._events is None:
            self._events = deque()
        self._events.append(event)

    def popleft(self) -> events.Event:
        """The first. Raises IndexError when it is empty."""
        if self._events is None:
            raise IndexError("no event waits")
        first = self._events.popleft()
        if not self._events:
            self._events = None
        return first


def queue_lightly(layer: Layer) -> None:
    """Give a layer such a queue, with what waits in its own."""
    layer._paused_event_queue = EventQueue(layer._paused_event_queue)  # type: ignore[assignment]
