"""The usage event of a stream, with its energy, as OpenAI's own types read it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types import Completion
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseCompletedEvent

from kit.openai_calls import DIALECT, PATHS, call
from wattline.dialects.base import Energy
from wattline.wire.call import Operation
from wattline.wire.piece import Piece
from wattline.wire.sse import data
from wattline.wire.usage import Usage, UsageSource

ENERGY = Energy(15_750_000)
USAGE = Usage(12, 9)
CHUNK = b'data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":77,"model":"m-1","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
OWN = b'data: {"id":"chatcmpl-9", "object":"chat.completion.chunk","created":77,"model":"m-1","choices":[],"usage": {"prompt_tokens":12,"completion_tokens":9.0e0,"total_tokens":21,"x":1.0e+2},"z":1e400}\n\n'


def piece(raw: bytes, operation: Operation = Operation.CHAT) -> Piece:
    return DIALECT.reader(call(operation)).feed(raw)[0]


def value(raw: bytes) -> dict[str, Any]:
    payload = data(raw)
    assert payload is not None
    assert raw.endswith(b"\n\n")
    parsed = json.loads(payload)
    assert isinstance(parsed, dict)
    return parsed


def test_the_upstreams_event_is_kept_byte_for_byte_with_energy() -> None:
    """A-051: the client asked for usage."""
    asked = call(wants_usage=True)
    assert DIALECT.write_usage(asked, piece(OWN), USAGE, ENERGY) == OWN.replace(
        b'"x":1.0e+2}', b'"x":1.0e+2,"energy":15.75}'
    )
    crlf = OWN.replace(b"\n", b"\r\n")
    assert DIALECT.write_usage(asked, piece(crlf), USAGE, ENERGY) == crlf.replace(
        b'"x":1.0e+2}', b'"x":1.0e+2,"energy":15.75}'
    )
    unknown = DIALECT.write_usage(asked, piece(OWN), USAGE, Energy(None))
    assert value(unknown)["usage"]["energy"] is None


def test_an_event_is_made_when_the_upstream_sent_none() -> None:
    """A-051: standard shape, `choices` empty, identity of the stream."""
    made = DIALECT.write_usage(call(wants_usage=True), None, USAGE, ENERGY, piece(CHUNK))
    assert value(made) == {
        "id": "chatcmpl-9",
        "object": "chat.completion.chunk",
        "created": 77,
        "model": "m-1",
        "choices": [],
        "usage": {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21, "energy": 15.75},
    }
    parsed = ChatCompletionChunk.model_validate(value(made))
    assert parsed.usage is not None
    assert parsed.usage.total_tokens == 21


def test_a_client_that_did_not_ask_gets_a_chunk_with_a_choice() -> None:
    """A-051: clients that read `choices[0]` of every chunk don't break."""
    for given in (piece(OWN), None):
        made = DIALECT.write_usage(call(), given, USAGE, ENERGY, piece(CHUNK))
        assert value(made)["choices"] == [{"index": 0, "delta": {}, "finish_reason": None}]
        assert value(made)["usage"]["energy"] == 15.75
        chunk = ChatCompletionChunk.model_validate(value(made))
        assert (chunk.id, chunk.created, chunk.model) == ("chatcmpl-9", 77, "m-1")
        assert chunk.choices[0].delta.content is None
        assert chunk.usage is not None
        assert chunk.usage.model_extra == {"energy": 15.75}


def test_after_usage_on_an_output_chunk_our_own_event_follows() -> None:
    raw = CHUNK.replace(b"]}", b'],"usage":{"prompt_tokens":12,"completion_tokens":9}}')
    for wants in (True, False):
        made = DIALECT.write_usage(call(wants_usage=wants), piece(raw), USAGE, ENERGY)
        assert raw not in made
        assert value(made)["id"] == "chatcmpl-9"
        assert len(value(made)["choices"]) == (0 if wants else 1)


def test_without_any_identity_the_calls_own_is_used() -> None:
    for like in (
        None,
        piece(b": ping\n\n"),
        piece(b"data: [1]\n\n"),
        piece(b'data: {"id":7,"created":"x","model":[],"choices":[]}\n\n'),
    ):
        chunk = ChatCompletionChunk.model_validate(
            value(DIALECT.write_usage(call(), None, USAGE, ENERGY, like))
        )
        assert (chunk.id, chunk.model, chunk.created) == ("chatcmpl-req_1", "gpt-4o", 0)


def test_legacy_completions() -> None:
    raw = b'data: {"id":"cmpl-1","object":"text_completion","created":5,"choices":[],"model":"m","usage":{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21}}\n\n'
    like = piece(raw, Operation.COMPLETION)
    kept = DIALECT.write_usage(call(Operation.COMPLETION, wants_usage=True), like, USAGE, ENERGY)
    assert kept == raw.replace(b":21}", b':21,"energy":15.75}')
    made = value(DIALECT.write_usage(call(Operation.COMPLETION), like, USAGE, ENERGY))
    assert made["choices"] == [{"text": "", "index": 0, "finish_reason": None}]
    made["choices"][0]["finish_reason"] = "stop"  # null in every stream, though the type says else
    assert Completion.model_validate(made).id == "cmpl-1"


@pytest.mark.parametrize(
    "own",
    [
        b'{"prompt_tokens":12,"completion_tokens":9,"energy":0}',
        b'{"prompt_tokens":12,"completion_tokens":9,"energy":0,"energy":1}',
        b'{"prompt_tokens":12,"completion_tokens":9,"ener\\u0067y":0}',
        b'{"energy":{"a":1},"prompt_tokens":12,"completion_tokens":9}',
        b'{"prompt_tokens":1},"usage":{"prompt_tokens":12,"completion_tokens":9,"energy":3}',
    ],
)
def test_an_upstream_cannot_spoof_energy(own: bytes) -> None:
    """T17."""
    raw = b'data: {"id":"a","choices":[],"usage":' + own + b"}\n\n"
    made = DIALECT.write_usage(call(wants_usage=True), piece(raw), USAGE, ENERGY)
    pairs = json.loads(data(made) or b"", object_pairs_hook=list)
    usages = [v for k, v in pairs if k == "usage"]
    assert len(usages) == 1
    assert [v for k, v in usages[0] if k == "energy"] == [15.75]


def test_a_usage_that_was_refused_or_changed_is_written_anew() -> None:
    bad = OWN.replace(b'"prompt_tokens":12', b'"prompt_tokens":-12')
    counted = Usage(10, 8, source=UsageSource.ESTIMATED)
    made = value(DIALECT.write_usage(call(wants_usage=True), piece(bad), counted, ENERGY))
    assert made["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 8,
        "total_tokens": 18,
        "estimated": True,
        "energy": 15.75,
    }
    summed = value(
        DIALECT.write_usage(call(wants_usage=True), piece(OWN), Usage(20, 10, 5, 2), ENERGY)
    )
    assert summed["usage"] == {
        "prompt_tokens": 20,
        "completion_tokens": 10,
        "total_tokens": 30,
        "x": 100.0,
        "prompt_tokens_details": {"cached_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 2},
        "energy": 15.75,
    }


COMPLETED = b'event: response.completed\ndata: {"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","object":"response","created_at":1,"model":"gpt-5","output":[],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":%b,"n":1.0e+2}}\n\n'
COUNTS = b'{"input_tokens":12,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":21}'


def test_a_response_has_its_energy_in_its_last_event() -> None:
    """A-051, B-021."""
    responses = call(Operation.RESPONSES)
    raw = COMPLETED % COUNTS
    made = DIALECT.write_usage(responses, piece(raw, Operation.RESPONSES), USAGE, ENERGY)
    assert made == COMPLETED % (COUNTS[:-1] + b',"energy":15.75}')
    event = ResponseCompletedEvent.model_validate(value(made))
    assert event.response.usage is not None
    assert event.response.usage.total_tokens == 21


def test_a_response_without_usage_gets_one() -> None:
    responses = call(Operation.RESPONSES)
    made = DIALECT.write_usage(
        responses, piece(COMPLETED % b"null", Operation.RESPONSES), USAGE, ENERGY
    )
    event = ResponseCompletedEvent.model_validate(value(made))
    assert event.response.usage is not None
    assert (event.response.usage.input_tokens, event.response.usage.output_tokens) == (12, 9)
    assert DIALECT.write_usage(responses, None, USAGE, ENERGY) == b""


def test_data_on_several_lines_is_edited_too() -> None:
    raw = b'data: {"id":"a","choices":[],\ndata: "usage":{"prompt_tokens":12,"completion_tokens":9}}\n\n'
    made = DIALECT.write_usage(call(wants_usage=True), piece(raw), USAGE, ENERGY)
    assert value(made)["usage"]["energy"] == 15.75


@pytest.mark.parametrize(
    "raw",
    [
        b":x\n\n",
        b"data: x\n\n",
        b"data: []\n\n",
        b'data: {"response":7}\n\n',
        b'data: {"usage":[1]}\n\n',
    ],
)
def test_any_piece_is_survived(raw: bytes) -> None:
    for operation in PATHS:
        for wants in (True, False):
            found = call(operation, wants_usage=wants)
            made = DIALECT.write_usage(found, piece(raw, operation), USAGE, ENERGY)
            assert made.endswith(b"\n\n")
