from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto import events
from wsproto.connection import Connection, ConnectionType

from wattline.wire.websocket_count import MessageCount

SENT = (
    (events.TextMessage("hello"), 1),
    (events.TextMessage(""), 2),
    (events.BytesMessage(b"x" * 200, message_finished=False), 2),
    (events.Ping(b"between"), 2),
    (events.BytesMessage(b"", message_finished=False), 2),
    (events.BytesMessage(b"y" * 70_000), 3),
    (events.Pong(b""), 3),
    (events.TextMessage("a", message_finished=False), 3),
    (events.TextMessage(""), 4),
    (events.CloseConnection(1000, "done"), 4),
)


def wire(kind: ConnectionType) -> list[tuple[bytes, int]]:
    connection = Connection(kind)
    return [(connection.send(event), after) for event, after in SENT]


@pytest.mark.parametrize("kind", ConnectionType)
def test_messages_in_frames_masked_and_not(kind):
    """A message counts once its last byte is there, fragments and control frames don't."""
    count = MessageCount()
    for frame, after in wire(kind):
        before = count.messages
        count.feed(frame[:-1])
        assert count.messages == before
        count.feed(frame[-1:])
        assert count.messages == after


@pytest.mark.parametrize("kind", ConnectionType)
def test_every_boundary(kind):
    whole = b"".join(frame for frame, _ in wire(kind))
    for at in [*range(500), *range(70_200, len(whole))]:
        count = MessageCount()
        count.feed(whole[:at])
        count.feed(whole[at:])
        assert count.messages == 4
    count = MessageCount()
    for byte in whole:
        count.feed(bytes([byte]))
    assert count.messages == 4


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_garbage_is_counted_alike_however_it_comes(pieces):
    one, other = MessageCount(), MessageCount()
    for piece in pieces:
        one.feed(piece)
    other.feed(b"".join(pieces))
    assert one.messages == other.messages


def test_a_length_that_never_comes():
    count = MessageCount()
    count.feed(b"\x82\x7f" + b"\xff" * 8 + b"x" * 1000)
    assert count.messages == 0
