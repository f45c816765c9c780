"""The `message_delta` with its energy."""

from __future__ import annotations

import json
from typing import Any

from kit.anthropic_calls import DIALECT, call
from wattline.dialects.base import Energy
from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import data, event_name
from wattline.wire.usage import Usage, UsageSource

ENERGY = Energy(15_750_000)
START = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}\n\n'
OWN = b'event: message_delta\ndata: {"type":"message_delta", "delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15,"server_tool_use":{"web_search_requests":1.0e0}} ,"context_management":{"applied_edits":[]}}\n\n'


def last(raw: bytes) -> Piece:
    return DIALECT.reader(call()).feed(START + raw)[-1]


def write(piece: Piece | None, usage: Usage, energy: Energy = ENERGY) -> bytes:
    return DIALECT.write_usage(call(), piece, usage, energy, None)


def value(raw: bytes) -> dict[str, Any]:
    payload = data(raw)
    assert payload is not None
    assert event_name(raw) == "message_delta"
    assert raw.endswith(b"\n\n")
    parsed = json.loads(payload)
    assert isinstance(parsed, dict)
    return parsed


def test_the_upstreams_event_is_kept_byte_for_byte_with_energy() -> None:
    """A-051."""
    piece = last(OWN)
    assert piece.usage == Usage(25, 15)
    expected = OWN.replace(b"1.0e0}}", b'1.0e0},"energy":15.75}')
    assert write(piece, Usage(25, 15)) == expected
    crlf = OWN.replace(b"\n", b"\r\n")
    assert write(last(crlf), Usage(25, 15)) == expected.replace(b"\n", b"\r\n")
    assert value(write(piece, Usage(25, 15), Energy(None)))["usage"]["energy"] is None


def test_counts_are_added_where_there_were_none() -> None:
    bare = b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"max_tokens"}}\n\n'
    estimate = Usage(25, 4, source=UsageSource.ESTIMATED)
    found = value(write(last(bare), estimate))
    assert found["delta"] == {"stop_reason": "max_tokens"}
    assert found["usage"] == {
        "input_tokens": 25,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 4,
        "estimated": True,
        "energy": 15.75,
    }


def test_nothing_of_a_bad_usage_is_kept() -> None:
    bad = b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":-5,"x":1}}\n\n'
    found = value(write(last(bad), Usage(25, 4, source=UsageSource.ESTIMATED)))
    assert found["usage"]["output_tokens"] == 4
    assert "x" not in found["usage"]


def test_an_event_is_made_when_the_upstream_sent_none() -> None:
    for piece in (
        None,
        DIALECT.reader(call()).feed(START)[0],
        Piece(Mark.END, b'data: {"type":"message_stop"}\n\n'),
    ):
        found = value(write(piece, Usage(10, 5, cached=4, written=1)))
        assert found == {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {
                "input_tokens": 5,
                "cache_creation_input_tokens": 1,
                "cache_read_input_tokens": 4,
                "output_tokens": 5,
                "energy": 15.75,
            },
        }


def test_data_on_several_lines() -> None:
    raw = b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},\ndata: "usage":{"output_tokens":15}}\n\n'
    assert value(write(last(raw), Usage(25, 15)))["usage"] == {"output_tokens": 15, "energy": 15.75}
