"""The SSE decoder against a slow and obvious reading of the standard."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.wire.sse import DONE, EventDecoder, EventTooLarge, data, event, event_name


def obvious(stream: bytes) -> list[tuple[str | None, bytes]]:
    """The WHATWG rules for whole streams, by the letter: events that would be dispatched."""
    stream = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[tuple[str | None, bytes]] = []
    name: str | None = None
    buffer = b""
    lines = stream.split(b"\n")
    for line in lines[:-1]:  # the last one has no end
        if not line:
            if buffer:
                events.append((name, buffer[:-1]))
            name, buffer = None, b""
        elif line.startswith(b":"):
            continue
        else:
            field, _, value = line.partition(b":")
            if value.startswith(b" "):
                value = value[1:]
            if field == b"data":
                buffer += value + b"\n"
            elif field == b"event":
                name = value.decode("utf-8", "replace") or None
    return events


def read(chunks: list[bytes]) -> tuple[list[bytes], bytes]:
    decoder = EventDecoder()
    events = [raw for chunk in chunks for raw in decoder.feed(chunk)]
    return events, decoder.rest()


def seen(raws: list[bytes]) -> list[tuple[str | None, bytes]]:
    return [(event_name(raw), found) for raw in raws if (found := data(raw)) is not None]


STREAMS = [
    b"data: a\n\ndata: b\n\n",
    b"data: a\r\n\r\ndata: b\r\n\r\n",
    b"data: a\r\rdata: b\r\r",
    b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\n\ndata: d\n\r\rdata: e\r\n\r\r",
    b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n",
    b": ping\n\n:\n\ndata\n\ndata:\n\ndata: \n\ndata:  x\n\n",
    b"event: e\ndata: one\ndata:two\ndata: three\nid: 7\nretry: 10\n\n",
    b"\n\n\ndata: a\n\n\n\r\n\r\ndata: b\n\n",
    b"event: x\n\nevent: a\nevent: b\ndata: 1\n\nevent:\ndata: 2\n\n",
    "data: \u00fc\u20ac\U0001f600\n\ndata: \u2028\u0085\x0b\x0c\n\n".encode(),
    b"data: \x00\xff\xfe\n\n datax: 1\ndata : 2\nDATA: 3\n\n",
    b"data: cut",
    b"data: a\n",
    b"data: a\r\n\r",
    b"data: [DONE]\n\n",
    b"",
]


@pytest.mark.parametrize("stream", STREAMS, ids=repr)
def test_every_split_in_two_and_byte_by_byte_give_the_same_events(stream: bytes) -> None:
    """A-051, A-060: chunk boundaries mean nothing."""
    whole = read([stream])
    assert read([stream[i : i + 1] for i in range(len(stream))]) == whole
    for cut in range(len(stream) + 1):
        assert read([stream[:cut], b"", stream[cut:]]) == whole
    raws, rest = whole
    assert b"".join(raws) + rest == stream.removeprefix(b"\xef\xbb\xbf")


@pytest.mark.parametrize("stream", [s for s in STREAMS if b"\n\n\xef\xbb\xbf" not in s], ids=repr)
def test_events_are_those_of_the_standard(stream: bytes) -> None:
    raws, rest = read([stream])
    assert rest.endswith(b"\r\n\r") or seen(raws) == obvious(stream)


pieces = st.sampled_from(
    [
        b"\r",
        b"\n",
        b"\r\n",
        b"\n\n",
        b"\r\n\r\n",
        b"\r\r",
        b"data",
        b"data:",
        b"data: ",
        b"event: e",
        b":",
        b" ",
        b"x",
        b"\xc3",
        b"\xa9",
        b"id: 1",
        b"{}",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(pieces, max_size=30).map(b"".join), st.lists(st.integers(0, 120), max_size=8))
def test_any_stream_at_any_split_reads_as_the_standard_says(stream: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(places)]
    raws, rest = read(chunks)
    assert (raws, rest) == read([stream])
    assert (raws, rest) == read([bytes([byte]) for byte in stream])
    assert b"".join(raws) + rest == stream
    if not rest.endswith(b"\r"):
        assert seen(raws) == obvious(stream)


def test_a_lone_cr_stream_is_not_one_event_late() -> None:
    decoder = EventDecoder()
    assert decoder.feed(b"data: a\r\r") == [b"data: a\r\r"]
    assert decoder.feed(b"data: [DONE]\r\r") == [b"data: [DONE]\r\r"]


def test_events_before_a_too_large_one_are_handed_out() -> None:
    decoder = EventDecoder(max_event=16)
    assert decoder.feed(b"data: a\n\ndata: " + b"x" * 20) == [b"data: a\n\n"]
    with pytest.raises(EventTooLarge):
        decoder.feed(b"\n\n")


@pytest.mark.parametrize("step", [1, 5, 16, 100])
def test_the_bound_of_an_event_does_not_depend_on_chunks(step: int) -> None:
    """T18: an endless line is refused, at the same length whatever the chunks."""
    fits, over = b"data: 12345678\n\n", b"data: 123456789\n\n"
    decoder = EventDecoder(max_event=16)
    for i in range(0, 16, step):
        decoder.feed(fits[i : i + step])
    assert decoder.rest() == b""
    decoder = EventDecoder(max_event=16)

    def feed_all() -> None:
        for i in range(0, 17, step):
            decoder.feed(over[i : i + step])

    with pytest.raises(EventTooLarge):
        feed_all()


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_one_large_event_byte_by_byte_takes_linear_time(end: bytes) -> None:
    def cost(size: int) -> float:
        stream = b"data: " + b"x" * size + end
        decoder = EventDecoder()
        started = time.process_time()
        events = [e for byte in stream for e in decoder.feed(bytes([byte]))]
        spent = time.process_time() - started
        assert [data(raw) for raw in events] == [b"x" * size]
        return spent

    cost(1_000)
    small, large = cost(20_000), cost(160_000)
    assert large < 8 * small * 4 + 0.05


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab\r\n: {}", max_size=20), st.sampled_from([None, "error"]))
def test_events_made_here_are_read_back(text: str, name: str | None) -> None:
    """A-060: what is sent as an event arrives as it was, line ends apart."""
    raws, rest = read([event(text.encode(), name)])
    assert rest == b""
    assert len(raws) == 1
    assert data(raws[0]) == b"\n".join(text.encode().splitlines())
    assert event_name(raws[0]) == name


def test_the_end_marker() -> None:
    """A-051."""
    assert DONE == b"data: [DONE]\n\n"
