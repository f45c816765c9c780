"""Our layers' queues say what mitmproxy's would."""

from __future__ import annotations

from collections import deque

import pytest
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator, Layer
from mitmproxy.test.tflow import tclient_conn

from wattline.proxy.event_queue import EventQueue, queue_lightly


class Slow(Layer):
    """Waits for an answer at each event."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.seen: list[events.Event] = []

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        self.seen.append(event)
        yield commands.OpenConnection(self.context.server)


def test_what_waited_is_handled_in_its_order() -> None:
    layer = Slow(Context(tclient_conn(), Options()))
    layer._paused_event_queue.append(events.Start())
    queue_lightly(layer)
    assert isinstance(layer._paused_event_queue, EventQueue)
    assert isinstance(layer._paused_event_queue.popleft(), events.Start)
    assert not layer._paused_event_queue
    sent = [events.DataReceived(layer.context.client, bytes([n])) for n in range(3)]
    (command,) = layer.handle_event(sent[0])
    assert not [*layer.handle_event(sent[1]), *layer.handle_event(sent[2])]
    while layer._paused is not None and len(layer.seen) < 3:
        found = list(layer.handle_event(events.OpenConnectionCompleted(command, None)))
        command = found[0]
    assert layer.seen == sent


def test_an_empty_queue_has_no_first() -> None:
    queue = EventQueue()
    for _ in range(2):
        with pytest.raises(IndexError):
            queue.popleft()
        queue.append(events.Start())
        assert len(queue) == 1
        queue.popleft()


def test_many_events_are_taken_one_by_one() -> None:
    """A client may send its body in pieces of one byte while its stream waits for a server."""
    queue, count = EventQueue(), 200_000
    for _ in range(count):
        queue.append(events.Start())
    assert type(queue._events) is deque  # whose ends cost the same however many wait
    for _ in range(count):
        queue.popleft()
    assert not queue
