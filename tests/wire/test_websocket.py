"""One end of a WebSocket at every chunk boundary, and with whatever may come."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import events
from wsproto.connection import Connection, ConnectionType

from wattline.wire.websocket import Closed, Frames, Message, Ping


def peer(*, client: bool) -> Connection:
    return Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER)


def conversation(wire: Connection) -> bytes:
    return b"".join(
        wire.send(event)
        for event in (
            events.TextMessage("hé"),
            events.Ping(b"p"),
            events.TextMessage("a", message_finished=False),
            events.Pong(b"late"),
            events.TextMessage("", message_finished=False),
            events.TextMessage("b"),
            events.BytesMessage(b"\x00\xff"),
            events.CloseConnection(4001, "bye"),
        )
    )


EXPECTED = [
    Message("hé".encode()),
    Ping(b"p"),
    Message(b"ab"),
    Message(b"\x00\xff", text=False),
    Closed(4001, "bye"),
]


@pytest.mark.parametrize("client", [True, False])
def test_every_chunk_boundary_gives_the_same(client):
    data = conversation(peer(client=not client))
    for cut in range(len(data) + 1):
        frames = Frames(client=client, max_bytes=100)
        assert frames.feed(data[:cut]) + frames.feed(data[cut:]) == EXPECTED
    frames = Frames(client=client, max_bytes=100)
    assert [item for at in range(len(data)) for item in frames.feed(data[at : at + 1])] == EXPECTED


def test_nothing_comes_after_the_end():
    wire = peer(client=True)
    data = conversation(wire)
    frames = Frames(client=False, max_bytes=100)
    assert frames.feed(data) == EXPECTED
    assert frames.feed(os.urandom(50)) == []


@pytest.mark.parametrize("parts", [[101], [50, 51], [1] * 101])
def test_a_message_past_the_bound_ends_it(parts):
    wire = peer(client=True)
    frames = Frames(client=False, max_bytes=100)
    found = []
    for index, size in enumerate(parts):
        last = index == len(parts) - 1
        found += frames.feed(wire.send(events.BytesMessage(b"x" * size, message_finished=last)))
    assert found == [Closed(1009, "a message is larger than 100 bytes", fault=True)]


def test_the_bound_is_for_each_message():
    wire = peer(client=True)
    frames = Frames(client=False, max_bytes=100)
    for _ in range(5):
        data = wire.send(events.TextMessage("x" * 100))
        assert frames.feed(data) == [Message(b"x" * 100)]


def test_a_large_announced_frame_is_not_waited_for():
    """Its length alone takes no memory; its bytes are counted as they come."""
    frames = Frames(client=True, max_bytes=100)
    assert frames.feed(b"\x82\x7f" + (2**40).to_bytes(8)) == []
    assert frames.feed(b"x" * 101)[-1].fault


@given(st.lists(st.binary(max_size=60), max_size=8), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_items_and_no_exception(chunks, client):
    frames = Frames(client=client, max_bytes=50)
    for chunk in chunks:
        for item in frames.feed(chunk):
            if isinstance(item, Message):
                assert len(item.data) <= 50
    frames.message(Message(b"x"))
    frames.pong(Ping(b""))
    frames.close(1002)


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("client", [True, False])
@given(data=st.text(max_size=200))
@settings(max_examples=50, deadline=None)
def test_what_one_end_writes_the_other_reads(client, text, data):
    one, other = Frames(client=client, max_bytes=999), Frames(client=not client, max_bytes=999)
    message = Message(data.encode(), text)
    assert other.feed(one.message(message)) == [message]


@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70000])
def test_codes_that_may_not_be_sent_become_1000(code):
    one, other = Frames(client=True, max_bytes=9), Frames(client=False, max_bytes=9)
    assert other.feed(one.close(code, "x" * 500))[0].code == 1000
    assert one.close(1000) == one.message(Message(b"x")) == one.pong(Ping(b"")) == b""
