"""The line decoder, at every chunk boundary."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.wire.ndjson import LineDecoder, line, payload
from wattline.wire.sse import EventTooLarge

STREAMS = [
    b'{"a":1}\n{"b":2}\n',
    b'{"a":1}\r\n{"b":2}\r\n',
    b"\n\n\r\n{}\n\n",
    b'{"a":1}\n{"b":2}',
    b'{"a":"x\\ny"}\n \n\t{}\n',
    b"\xff\xfe\x00\n\xef\xbb\xbf{}\n",
    b"a\rb\rc\n",
    b"{}",
    b"",
]


def read(chunks: list[bytes]) -> tuple[list[bytes], bytes]:
    decoder = LineDecoder()
    lines = [raw for chunk in chunks for raw in decoder.feed(chunk)]
    return lines, decoder.rest()


@pytest.mark.parametrize("stream", STREAMS, ids=repr)
def test_every_split_gives_the_same_lines_and_all_bytes(stream: bytes) -> None:
    """A-051: chunk boundaries mean nothing."""
    whole = read([stream])
    assert [raw[:-1] for raw in whole[0]] + [whole[1]] == stream.split(b"\n")
    assert b"".join(whole[0]) + whole[1] == stream
    assert all(raw.endswith(b"\n") and raw.count(b"\n") == 1 for raw in whole[0])
    assert b"\n" not in whole[1]
    assert read([stream[i : i + 1] for i in range(len(stream))]) == whole
    for cut in range(len(stream) + 1):
        assert read([stream[:cut], b"", stream[cut:]]) == whole


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_any_bytes_come_out_again(stream: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    lines, rest = read([stream[a:b] for a, b in pairwise(places)])
    assert b"".join(lines) + rest == stream
    assert len(lines) == stream.count(b"\n")


def test_a_line_has_a_bound_and_lines_before_it_are_handed_out() -> None:
    decoder = LineDecoder(8)
    assert decoder.feed(b"1234567\n") == [b"1234567\n"]
    assert decoder.feed(b"1\n123456789") == [b"1\n"]
    with pytest.raises(EventTooLarge):
        decoder.feed(b"\n")
    with pytest.raises(EventTooLarge):
        LineDecoder(8).feed(b"12345678\n")
    with pytest.raises(EventTooLarge):
        LineDecoder(8).feed(b"123456789")


def test_many_small_chunks_of_one_long_line_take_linear_time() -> None:
    decoder = LineDecoder()
    began = time.thread_time()
    for _ in range(200_000):
        assert not decoder.feed(b"12345678")
    assert len(decoder.feed(b"\n")[0]) == 1_600_001
    assert time.thread_time() - began < 5


def test_payload_and_line() -> None:
    assert payload(b' {"a":1} \r\n') == b'{"a":1}'
    assert payload(b"\r\n") is None
    assert payload(b"") is None
    assert line(b"{}") == b"{}\n"


def test_a_line_is_one_line_for_clients_that_know_unicode():
    """Ollama's own client cuts text by `str.splitlines`."""
    said = "a\x85b\u2028c\u2029d \u2027 é"
    made = line(json.dumps({"text": said}, ensure_ascii=False).encode())
    assert len(made.decode().splitlines()) == 1
    assert json.loads(made) == {"text": said}
