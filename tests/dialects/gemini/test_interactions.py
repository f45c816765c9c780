"""Google's Interactions API: what is read of a call and its answers, and what is written into them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.errors import ClientFault
from wattline.dialects.base import Answer, Energy
from wattline.dialects.gemini.dialect import GeminiDialect
from wattline.dialects.table import find
from wattline.wire.call import LOCAL, Call
from wattline.wire.http import Request, Use
from wattline.wire.piece import Mark, Piece
from wattline.wire.usage import Usage, UsageSource

DIALECT = GeminiDialect()
PATH = "/v1beta/interactions"
USAGE = {
    "total_input_tokens": 20,
    "total_output_tokens": 30,
    "total_thought_tokens": 5,
    "total_tool_use_tokens": 2,
    "total_cached_tokens": 4,
    "total_tokens": 57,
}
SAID = Usage(22, 35, 4, 5)
COST = Energy(1_500_000)
BEGUN = b'{"id":"v1_x","status":"in_progress","model":"gemini-3"}'
COMPLETED = b'{"id":"v1_x","status":"completed","usage":%s}' % json.dumps(USAGE).encode()
STREAM = b"".join(
    (
        b"event: interaction.created\n",
        b'data: {"event_type":"interaction.created","interaction":%s}\n\n' % BEGUN,
        b'data: {"event_type":"step.start","index":0,"step":{"type":"model_output"}}\n\n',
        b'data: {"event_type":"step.delta","index":0,"delta":{"type":"text","text":"hello"}}\n\n',
        b'data: {"event_type":"step.stop","index":0}\n\n',
        b"event: interaction.completed\n",
        b'data: {"event_type":"interaction.completed","interaction":%s}\n\n' % COMPLETED,
        b"event: done\ndata: [DONE]\n\n",
    )
)


def read(body: dict[str, Any]) -> Call:
    raw = json.dumps(body).encode()
    request = Request(
        "req_1", "POST", "http", "localhost", 8088, PATH, (), raw, "127.0.0.1", Use.REVERSE
    )
    route = find("POST", "localhost", PATH, forward=False)
    assert route is not None
    return DIALECT.read_call(request, route, body, LOCAL, PATH)


CALL = read({"model": "m", "input": "hello"})


def test_the_call() -> None:
    """B-033."""
    call = read(
        {
            "model": "gemini-3",
            "input": [{"type": "text", "text": "x" * 400}, {"type": "image", "data": "A" * 4000}],
            "stream": True,
            "tools": [{"type": "google_search"}],
            "generation_config": {"max_output_tokens": 100},
        }
    )
    assert (call.model, call.stream, call.tools, call.max_output) == ("gemini-3", True, True, 100)
    assert 100 <= call.tokens < 130
    assert (
        read({"agent": "deep-research", "input": "x", "background": True}).model == "deep-research"
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"model": 1}, "model"),
        ({"agent": []}, "agent"),
        ({"model": "m", "stream": "yes"}, "stream"),
        ({"model": "m", "generation_config": []}, "generation_config"),
        (
            {"model": "m", "generation_config": {"max_output_tokens": -1}},
            "generation_config.max_output_tokens",
        ),
    ],
)
def test_a_mistake_names_its_field(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientFault) as caught:
        read(body)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("body", "made"),
    [
        ('{"model": "m", "input": "x"}', '{"model": "up", "input": "x"}'),
        ('{"input":"x","agent":"m"}', '{"input":"x","agent":"up"}'),
        ('{"model": null, "agent": "m"}', '{"model": null, "agent": "up"}'),
        ('{"input": {"model": "m"}, "model": "m"}', '{"input": {"model": "m"}, "model": "up"}'),
    ],
)
def test_only_the_name_is_changed(body: str, made: str) -> None:
    defaults = {"temperature": 1}
    assert DIALECT.write_body(body.encode(), CALL, "up", defaults).decode() == made
    assert DIALECT.write_body(body.encode(), CALL, "m", defaults).decode() == body
    route = find("POST", "localhost", PATH, forward=False)
    assert route is not None
    assert DIALECT.path(route, CALL, "up") == "/interactions"


def test_a_whole_answer() -> None:
    """B-033: counts as generateContent's are counted, energy beside them."""
    body = {
        "id": "v1_x",
        "status": "completed",
        "model": "gemini-3",
        "steps": [{"type": "model_output", "content": [{"type": "text", "text": "hello"}]}],
        "usage": USAGE,
    }
    raw = json.dumps(body).encode()
    answer = DIALECT.read_answer(CALL, raw)
    assert (answer.usage, answer.sound, answer.model) == (SAID, True, "gemini-3")
    assert answer.output >= 5
    written = json.loads(DIALECT.write_answer(CALL, raw, SAID, COST))
    assert written == body | {"usage": USAGE | {"energy": 1.5}}


def test_an_answer_without_counts() -> None:
    """It runs in the background: what is known is an estimate."""
    raw = b'{"id": "v1_x", "status": "in_progress"}'
    assert DIALECT.read_answer(CALL, raw) == Answer(None)
    guess = Usage(7, 1, source=UsageSource.ESTIMATED)
    usage = json.loads(DIALECT.write_answer(CALL, raw, guess, COST))["usage"]
    assert usage["total_tokens"] == 8
    assert usage["estimated"] is True
    assert usage["energy"] == 1.5


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (b"", Answer(None, sound=False)),
        (b"<html>", Answer(None, sound=False)),
        (b"[]", Answer(None, sound=False)),
        (b'{"id": "x"}', Answer(None, sound=False)),
        (b'{"status": 1}', Answer(None, sound=False)),
        (
            b'{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}',
            Answer(None, error="rate_limit"),
        ),
        (b'{"status": "completed", "usage": []}', Answer(None, bad_usage=True)),
        (
            b'{"status": "completed", "usage": {"total_input_tokens": -1}}',
            Answer(None, bad_usage=True),
        ),
        (b'{"status": "completed", "usage": {"total_output_tokens": 3}}', Answer(None)),
    ],
)
def test_answers_that_are_none(raw: bytes, answer: Answer) -> None:
    assert DIALECT.read_answer(CALL, raw) == answer


def pieces(cuts: list[bytes]) -> list[Piece]:
    reader = DIALECT.reader(CALL)
    found = [piece for cut in cuts for piece in reader.feed(cut)]
    assert reader.ended
    assert not reader.rest()
    assert not reader.end()
    return found


def test_a_stream_at_every_chunk_boundary() -> None:
    """B-033: start-up, output, the usage held for its energy, the end."""
    whole = STREAM
    expected = pieces([whole])
    assert [piece.mark for piece in expected] == [
        Mark.STARTUP,
        Mark.STARTUP,
        Mark.OUTPUT,
        Mark.OUTPUT,
        Mark.USAGE,
        Mark.END,
    ]
    assert expected[0].model == "gemini-3"
    assert expected[2].output >= 5
    assert (expected[4].usage, expected[4].finish) == (SAID, True)
    assert b"".join(piece.raw for piece in expected) == whole
    for cut in range(1, len(whole)):
        assert pieces([whole[:cut], whole[cut:]]) == expected
    assert pieces([whole[at : at + 1] for at in range(len(whole))]) == expected


def test_the_usage_event_gets_its_energy() -> None:
    held = pieces([STREAM])[4]
    written = DIALECT.write_usage(CALL, held, SAID, COST)
    assert written.startswith(b"event: interaction.completed\ndata: ")
    event = json.loads(written.partition(b"data: ")[2])
    assert event["interaction"]["usage"] == USAGE | {"energy": 1.5}
    assert event["interaction"]["id"] == "v1_x"
    assert DIALECT.write_usage(CALL, None, SAID, COST) == b""
    odd = Piece(Mark.USAGE, b'data: {"event_type":"interaction.completed"}\n\n', finish=True)
    assert DIALECT.write_usage(CALL, odd, SAID, COST) == odd.raw


@pytest.mark.parametrize(
    ("event", "mark"),
    [
        (b'data: {"event_type":"error","error":{"code":"429"}}\n\n', Mark.ERROR),
        (b'event: error\ndata: {"error":{"status":"UNAVAILABLE"}}\n\n', Mark.ERROR),
        (b'data: {"event_type":"interaction.status_update","status":"x"}\n\n', Mark.STARTUP),
        (b'data: {"event_type":"interaction.created","interaction":7}\n\n', Mark.STARTUP),
        (b'data: {"event_type":"interaction.completed","interaction":[]}\n\n', Mark.USAGE),
        (b'data: {"event_type":["x"]}\n\n', Mark.OUTPUT),
        (b"data: {}\n\n", Mark.OUTPUT),
        (b"data: []\n\n", Mark.MALFORMED),
        (b"data: {\n\n", Mark.MALFORMED),
        (b": ping\n\n", Mark.STARTUP),
    ],
)
def test_odd_events(event: bytes, mark: Mark) -> None:
    (piece,) = DIALECT.reader(CALL).feed(event)
    assert piece.mark is mark


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["usage", "interaction", "event_type", "status", "error", "delta", *USAGE]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(JSON)
def test_anything_at_all(value: Any) -> None:
    raw = json.dumps(value).encode()
    DIALECT.read_answer(CALL, raw)
    if isinstance(value, dict):
        json.loads(DIALECT.write_answer(CALL, raw, SAID, COST))
    reader = DIALECT.reader(CALL)
    for piece in reader.feed(b"data: " + raw + b"\n\n"):
        DIALECT.write_usage(CALL, piece, SAID, COST)
