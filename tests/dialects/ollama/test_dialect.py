"""Ollama's bodies, streams, answers and errors, passed through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.ollama_calls import DIALECT, call
from wattline.base.errors import ClientFault, OurFault
from wattline.dialects.base import Energy
from wattline.dialects.ollama.stream import LineReader
from wattline.wire.call import Operation
from wattline.wire.piece import Mark, Piece
from wattline.wire.usage import MAX_TOKENS, Usage, UsageSource

AT = '"model":"llama3.2","created_at":"2023-08-04T19:22:45.499127Z"'
METRICS = '"total_duration":4883583458,"load_duration":1334875,"prompt_eval_count":26,"prompt_eval_duration":342546000,"eval_count":282,"eval_duration":4535599000'


def chat(message: str) -> bytes:
    return f'{{{AT},"message":{{"role":"assistant",{message}}},"done":false}}\n'.encode()


def last(metrics: str = METRICS, end: str = "\n") -> bytes:
    comma = "," if metrics else ""
    return f'{{{AT},"message":{{"role":"assistant","content":""}},"done_reason":"stop","done":true{comma}{metrics}}}{end}'.encode()


STREAM = [
    (b"\n", Mark.STARTUP, 0),
    (chat('"content":""'), Mark.STARTUP, 0),
    (chat('"content":"","thinking":"hm"'), Mark.OUTPUT, 2),
    (chat('"content":"W\\u00f6"'), Mark.OUTPUT, 2),
    (
        chat('"content":"","tool_calls":[{"function":{"name":"get","arguments":{"a":1}}}]'),
        Mark.OUTPUT,
        10,
    ),
    (f'{{{AT},"response":"The","done":false}}\r\n'.encode(), Mark.OUTPUT, 3),
    (b'{"completed":1,"total":20,"done":false}\n', Mark.STARTUP, 0),
    (b'{"message":{"content":"x","odd":NaN}}\n', Mark.OUTPUT, 1),
    (b'{"message":{"content":5,"thinking":"yes"},"done":"no"}\n', Mark.OUTPUT, 3),
    (b"nonsense\n", Mark.MALFORMED, 0),
    (b"[]\n", Mark.MALFORMED, 0),
    (b'{"status":"pulling"}\n', Mark.MALFORMED, 0),
    (last(), Mark.END, 0),
    (b'{"done":true}\n', Mark.MALFORMED, 0),
]


def pieces(chunks: list[bytes]) -> list[Piece]:
    reader = LineReader()
    found = [piece for chunk in chunks for piece in reader.feed(chunk)]
    return found + reader.end()


def test_a_stream_at_every_chunk_boundary() -> None:
    """A-051: pieces hold the bytes as they came."""
    stream = b"".join(raw for raw, _, _ in STREAM)
    whole = pieces([stream])
    assert [(piece.raw, piece.mark, piece.output) for piece in whole] == STREAM
    assert pieces([stream[i : i + 1] for i in range(len(stream))]) == whole
    for cut in range(len(stream)):
        assert pieces([stream[:cut], stream[cut:]]) == whole


def test_the_last_object_ends_the_stream_and_counts() -> None:
    reader = LineReader()
    (piece,) = reader.feed(last())
    assert (piece.usage, piece.finish, piece.model) == (Usage(26, 282), True, "llama3.2")
    assert reader.ended
    (cut,) = pieces([last(end="")])
    assert (cut.mark, cut.usage) == (Mark.END, Usage(26, 282))


@pytest.mark.parametrize(
    ("metrics", "usage", "bad"),
    [
        ("", None, False),
        ('"prompt_eval_count":5', Usage(5, 0), False),
        ('"eval_count":5', None, False),
        ('"prompt_eval_count":0,"eval_count":0', Usage(0, 0), False),
        ('"prompt_eval_count":-1,"eval_count":1', None, True),
        ('"prompt_eval_count":1.5,"eval_count":1', None, True),
        ('"prompt_eval_count":true,"eval_count":1', None, True),
        ('"prompt_eval_count":"7","eval_count":1', None, True),
        (f'"prompt_eval_count":1,"eval_count":{MAX_TOKENS + 1}', None, True),
    ],
)
def test_counts_that_can_not_be_true_are_refused(
    *, metrics: str, usage: Usage | None, bad: bool
) -> None:
    (piece,) = pieces([last(metrics)])
    assert (piece.usage, piece.bad_usage, piece.mark) == (usage, bad, Mark.END)
    answer = DIALECT.read_answer(call(stream=False), last(metrics))
    assert (answer.usage, answer.bad_usage, answer.sound) == (usage, bad, True)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b'{"error":"model \'x\' not found"}\n', "not_found"),
        (b'{"error":"something broke"}\n', "server_error"),
        (b'{"error":{"code":429}}\n', "rate_limit"),
    ],
)
def test_an_error_in_a_stream_and_in_an_answer(raw: bytes, word: str) -> None:
    (piece,) = pieces([raw])
    assert (piece.mark, piece.error) == (Mark.ERROR, word)
    for operation in (Operation.CHAT, Operation.EMBEDDINGS):
        assert DIALECT.read_answer(call(operation), raw).error == word


@given(
    st.binary(max_size=80)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "message",
                        "done",
                        "error",
                        "content",
                        "tool_calls",
                        "function",
                        "name",
                        "arguments",
                        "images",
                        "eval_count",
                        "prompt_eval_count",
                        "model",
                        "embeddings",
                    ]
                ),
                inner,
            )
        ),
    ).map(lambda value: json.dumps(value).encode() + b"\n")
)
def test_garbage_never_raises(raw: bytes) -> None:
    found = pieces([raw])
    assert b"".join(piece.raw for piece in found) == raw
    for operation in (Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDINGS):
        DIALECT.read_answer(call(operation), raw)
        DIALECT.write_answer(call(operation), raw, Usage(1, 2), Energy(5))
    for piece in found:
        DIALECT.write_usage(call(), piece, Usage(1, 2), Energy(None))


ENERGY = Energy(15_750_000)


def test_energy_is_spliced_into_the_last_object_and_no_other_byte_changes() -> None:
    """A-051."""
    (piece,) = pieces([last()])
    new = DIALECT.write_usage(call(), piece, Usage(26, 282), ENERGY)
    assert new == last()[:-2] + b',"energy":15.75}\n'
    assert DIALECT.write_usage(call(), None, Usage(26, 282), ENERGY) == b""


def test_an_estimate_is_marked() -> None:
    (piece,) = pieces([last("")])
    usage = Usage(3, 4, source=UsageSource.ESTIMATED)
    value = json.loads(DIALECT.write_usage(call(), piece, usage, Energy(None)))
    assert value["energy"] is None
    assert (value["prompt_eval_count"], value["eval_count"], value["estimated"]) == (3, 4, True)


@pytest.mark.parametrize(
    ("operation", "body", "usage", "new"),
    [
        (Operation.CHAT, last(), Usage(26, 282), last()[:-2] + b',"energy":15.75}\n'),
        (
            Operation.COMPLETION,
            b'{"response":"x","done":true,"energy":1}',
            Usage(1, 2),
            b'{"response":"x","done":true,"energy":15.75,"prompt_eval_count":1,"eval_count":2}',
        ),
        (
            Operation.EMBEDDINGS,
            b'{"embeddings":[[0.1]],"prompt_eval_count":8}',
            Usage(8, 0),
            b'{"embeddings":[[0.1]],"prompt_eval_count":8,"energy":15.75}',
        ),
        (
            Operation.EMBEDDINGS,
            b'{"embedding":[0.1]}',
            Usage(8, 0),
            b'{"embedding":[0.1],"prompt_eval_count":8,"energy":15.75}',
        ),
        (Operation.CHAT, b"<html>", Usage(8, 0), b"<html>"),
    ],
)
def test_energy_in_whole_answers(
    operation: Operation, body: bytes, usage: Usage, new: bytes
) -> None:
    assert DIALECT.write_answer(call(operation), body, usage, ENERGY) == new


@pytest.mark.parametrize(
    ("operation", "body", "sound"),
    [
        (Operation.CHAT, b"", False),
        (Operation.CHAT, b"<html>", False),
        (Operation.CHAT, b'{"done":true}', False),
        (Operation.COMPLETION, b'{"response":"","done":true,"done_reason":"load"}', True),
        (Operation.EMBEDDINGS, b'{"embeddings":[]}', True),
        (Operation.EMBEDDINGS, b'{"embedding":[NaN]}', True),
        (Operation.EMBEDDINGS, b'{"embeddings":null}', False),
    ],
)
def test_what_is_no_answer(*, operation: Operation, body: bytes, sound: bool) -> None:
    assert DIALECT.read_answer(call(operation), body).sound is sound


def written(
    body: str, defaults: dict[str, Any], overrides: dict[str, Any], model: str = "llama3.2"
) -> str:
    return DIALECT.write_body(body.encode(), call(), model, defaults, overrides).decode()


def test_only_the_model_is_replaced() -> None:
    body = '{ "model" : "llama3.2", "messages": [ ], "options": {"seed": 1 } }'
    assert written(body, {}, {}) == body
    assert written(body, {}, {}, "q") == body.replace('"llama3.2"', '"q"')


def test_sampling_of_rules_goes_to_options() -> None:
    body = '{"model":"llama3.2","options":{"seed":1,"temperature":0.5}}'
    found = json.loads(
        written(
            body,
            {"temperature": 0.9, "max_tokens": 5, "think": False, "options": {"num_ctx": 9}},
            {"seed": 2, "stop": "X", "model": "no"},
        )
    )
    assert found == {
        "model": "llama3.2",
        "think": False,
        "options": {"seed": 2, "temperature": 0.5, "num_predict": 5, "num_ctx": 9, "stop": ["X"]},
    }
    null = json.loads(written('{"model":"llama3.2","options":null}', {"top_p": 1}, {}))
    assert null["options"] == {"top_p": 1}


def test_a_fault_as_an_answer_and_in_a_stream() -> None:
    fault = ClientFault("No.", param="model", retry_after=1.5)
    whole = DIALECT.error(fault, "req_1")
    assert json.loads(whole.body) == {"error": "No."}
    assert {("x-request-id", "req_1"), ("retry-after", "2"), ("x-wattline-fault", "client")} <= set(
        whole.headers
    )
    assert DIALECT.stream_error(OurFault("Down."), "req_1") == b'{"error":"Down."}\n'
