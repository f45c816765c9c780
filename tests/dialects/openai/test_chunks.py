"""Streams of chat and legacy completions, at every chunk boundary."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.openai_calls import DIALECT, PATHS, call
from wattline.wire.call import Operation
from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import EventTooLarge
from wattline.wire.usage import MAX_TOKENS, Usage

HEAD = '"id":"chatcmpl-123","object":"chat.completion.chunk","created":1677652288,"model":"gpt-4o-2024-08-06","system_fingerprint":"fp_1"'


def chunk(delta: str, finish: str = "null", usage: str = ',"usage":null', index: int = 0) -> bytes:
    choice = f'{{"index":{index},"delta":{delta},"logprobs":null,"finish_reason":{finish}}}'
    return f'data: {{{HEAD},"choices":[{choice}]{usage}}}\n\n'.encode()


def usage_chunk(usage: str) -> bytes:
    return f'data: {{{HEAD},"choices":[],"usage":{usage}}}\n\n'.encode()


USAGE = '{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":2}}'
DONE = b"data: [DONE]\n\n"

OPENAI = [
    (chunk('{"role":"assistant","content":"","refusal":null}'), Mark.STARTUP, 0),
    (chunk('{"content":"Hello"}'), Mark.OUTPUT, 5),
    (chunk('{"content":" w\\u00f6rld"}'), Mark.OUTPUT, 6),
    (chunk("{}", '"stop"'), Mark.OUTPUT, 0),
    (usage_chunk(USAGE), Mark.USAGE, 0),
    (DONE, Mark.END, 0),
]
TOOLS = [
    (b": OPENROUTER PROCESSING\n\n", Mark.STARTUP, 0),
    (f'data: {{{HEAD},"choices":[],"prompt_filter_results":[]}}\n\n'.encode(), Mark.STARTUP, 0),
    (chunk('{"role":"assistant","content":null}', usage=""), Mark.STARTUP, 0),
    (chunk('{"role":"assistant","reasoning_content":"hm"}', usage=""), Mark.OUTPUT, 2),
    (
        chunk(
            '{"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]}',
            usage="",
        ),
        Mark.OUTPUT,
        2,
    ),
    (
        chunk(
            '{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"get","arguments":""}}]}',
            usage="",
        ),
        Mark.OUTPUT,
        3,
    ),
    (
        chunk('{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\":1}"}}]}', usage=""),
        Mark.OUTPUT,
        7,
    ),
    (chunk('{"function_call":{"name":"g","arguments":"{}"}}', usage=""), Mark.OUTPUT, 3),
    (chunk('{"refusal":"No."}', usage=""), Mark.OUTPUT, 3),
    (chunk("{}", '"tool_calls"', f',"usage":{USAGE}'), Mark.OUTPUT, 0),
    (DONE, Mark.END, 0),
]
CRLF = [(raw.replace(b"\n", b"\r\n"), mark, output) for raw, mark, output in OPENAI]
LEGACY = [
    (
        b'data: {"id":"cmpl-1","object":"text_completion","created":1,"choices":[{"text":"","index":0,"logprobs":null,"finish_reason":null}],"model":"m"}\n\n',
        Mark.STARTUP,
        0,
    ),
    (
        b'data: {"id":"cmpl-1","object":"text_completion","created":1,"choices":[{"text":"One","index":0,"finish_reason":null}],"model":"m"}\n\n',
        Mark.OUTPUT,
        3,
    ),
    (
        b'data: {"id":"cmpl-1","object":"text_completion","created":1,"choices":[{"text":"","index":0,"finish_reason":"length"}],"model":"m"}\n\n',
        Mark.OUTPUT,
        0,
    ),
    (
        b'data: {"id":"cmpl-1","choices":[],"model":"m","usage":%b}\n\n' % USAGE.encode(),
        Mark.USAGE,
        0,
    ),
    (DONE, Mark.END, 0),
]
ODD = [
    (
        b'data: {"id":"x","choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"yes"}]}}]}\n\n',
        Mark.OUTPUT,
        5,
    ),
    (
        b'event: message\ndata: {"choices":[{"delta":{"content":"a"},"index":"0"}]}\n\n',
        Mark.OUTPUT,
        1,
    ),
    (b'data: {"choices":\ndata: [{"delta":{"content":"ab"}}]}\n\n', Mark.OUTPUT, 2),
    (b'data: {"choices":[{"delta":null,"finish_reason":"stop"}]}\n\n', Mark.OUTPUT, 0),
    (b'data: {"id":"x","usage":{"total_tokens":21}}\n\n', Mark.USAGE, 0),
    (b"data:[DONE]\n\n", Mark.END, 0),
]


def feed(stream: bytes, cuts: list[int] | None = None) -> list[Piece]:
    reader = DIALECT.reader(call())
    places = [0, *(cuts or []), len(stream)]
    return [p for a, b in pairwise(places) for p in reader.feed(stream[a:b])]


@pytest.mark.parametrize(
    "transcript",
    [OPENAI, TOOLS, CRLF, LEGACY, ODD],
    ids=["openai", "tools", "crlf", "legacy", "odd"],
)
def test_transcripts_at_every_chunk_boundary(transcript: list[tuple[bytes, Mark, int]]) -> None:
    """A-051, A-060."""
    stream = b"".join(raw for raw, _, _ in transcript)
    whole = feed(stream)
    assert [(p.raw, p.mark, p.output) for p in whole] == transcript
    for cut in range(len(stream)):
        assert feed(stream, [cut]) == whole
    assert feed(stream, list(range(1, len(stream)))) == whole


def test_usage_model_and_end_of_a_chat() -> None:
    reader = DIALECT.reader(call())
    pieces = reader.feed(b"".join(raw for raw, _, _ in OPENAI))
    assert [p.usage for p in pieces] == [None, None, None, None, Usage(12, 9, 4, 2), None]
    assert [p.finish for p in pieces] == [False, False, False, True, False, False]
    assert pieces[1].model == "gpt-4o-2024-08-06"
    assert reader.ended
    assert reader.rest() == b""


def test_usage_on_the_finish_chunk_is_read_and_the_chunk_stays_output() -> None:
    piece = feed(TOOLS[-2][0])[0]
    assert (piece.mark, piece.usage, piece.finish) == (Mark.OUTPUT, Usage(12, 9, 4, 2), True)


def test_usage_with_an_empty_choice_is_read_too() -> None:
    piece = feed(chunk('{"role":"assistant","content":""}', usage=f',"usage":{USAGE}'))[0]
    assert (piece.mark, piece.usage) == (Mark.STARTUP, Usage(12, 9, 4, 2))


def test_several_choices_are_finished_when_all_of_them_are() -> None:
    pieces = feed(
        chunk('{"role":"assistant"}')
        + chunk('{"role":"assistant"}', index=1)
        + chunk("{}", '"stop"')
        + chunk('{"content":"x"}', index=1)
        + chunk("{}", '"stop"', index=1)
    )
    assert [p.finish for p in pieces] == [False, False, False, False, True]


def test_nothing_counts_after_the_end() -> None:
    """T17: usage after the end marker."""
    pieces = feed(DONE + usage_chunk(USAGE) + chunk('{"content":"x"}') + DONE)
    assert [p.mark for p in pieces] == [Mark.END, Mark.MALFORMED, Mark.MALFORMED, Mark.END]
    assert all(p.usage is None and p.output == 0 for p in pieces)


def test_bytes_after_the_last_event_are_the_rest() -> None:
    reader = DIALECT.reader(call())
    reader.feed(OPENAI[1][0] + b'data: {"cho')
    assert reader.rest() == b'data: {"cho'
    assert not reader.ended


COUNTS: list[tuple[str, Usage | None, bool]] = [
    ("null", None, False),
    ("{}", None, False),
    ('{"prompt_tokens":null}', None, False),
    ('{"cost":1.5}', None, False),
    ('{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}', Usage(0, 0), False),
    ('{"total_tokens":21}', Usage(21, 0), False),
    ('{"prompt_tokens":12,"total_tokens":21}', Usage(12, 9), False),
    ('{"completion_tokens":9,"total_tokens":21}', Usage(12, 9), False),
    ('{"prompt_tokens":12.0,"completion_tokens":9.0}', Usage(12, 9), False),
    (
        '{"prompt_tokens":12,"completion_tokens":9,"total_tokens":26,"completion_tokens_details":{"reasoning_tokens":5}}',
        Usage(12, 14, 0, 5),
        False,
    ),
    (
        '{"prompt_tokens":12,"completion_tokens":9,"prompt_tokens_details":{"cached_tokens":99}}',
        Usage(12, 9, 12),
        False,
    ),
    (
        '{"prompt_tokens":12,"completion_tokens":9,"prompt_tokens_details":null}',
        Usage(12, 9),
        False,
    ),
    (f'{{"prompt_tokens":{MAX_TOKENS},"completion_tokens":0}}', Usage(MAX_TOKENS, 0), False),
    (f'{{"prompt_tokens":{MAX_TOKENS + 1},"completion_tokens":0}}', None, True),
    ('{"prompt_tokens":-1,"completion_tokens":9}', None, True),
    ('{"prompt_tokens":12,"completion_tokens":-9}', None, True),
    ('{"prompt_tokens":12,"completion_tokens":9,"total_tokens":-1}', None, True),
    ('{"prompt_tokens":true,"completion_tokens":9}', None, True),
    ('{"prompt_tokens":"12","completion_tokens":9}', None, True),
    ('{"prompt_tokens":12.5,"completion_tokens":9}', None, True),
    ('{"prompt_tokens":NaN,"completion_tokens":9}', None, True),
    ('{"prompt_tokens":Infinity,"completion_tokens":9}', None, True),
    ('{"prompt_tokens":1e400,"completion_tokens":9}', None, True),
    ('{"prompt_tokens":12,"completion_tokens":9e99}', None, True),
    ('{"prompt_tokens":[12],"completion_tokens":9}', None, True),
    ('{"prompt_tokens":{},"completion_tokens":9}', None, True),
    ('{"prompt_tokens":12,"completion_tokens":9,"completion_tokens_details":7}', None, True),
    (
        '{"prompt_tokens":12,"completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":-7}}',
        None,
        True,
    ),
    ("[]", None, True),
    ("7", None, True),
    ('"21"', None, True),
    ("true", None, True),
]


@pytest.mark.parametrize(("text", "usage", "bad"), COUNTS, ids=range(len(COUNTS)))
def test_usage_is_believed_only_when_it_can_be_true(
    text: str,
    usage: Usage | None,
    bad: bool,  # noqa: FBT001  (a table)
) -> None:
    """T17: negative, huge, NaN, text; 0 stays 0."""
    for raw in (usage_chunk(text), chunk('{"content":"x"}', usage=f',"usage":{text}')):
        piece = feed(raw)[0]
        assert (piece.usage, piece.bad_usage) == (usage, bad)
    assert piece.mark is Mark.OUTPUT


ERRORS: list[tuple[bytes, str]] = [
    (b'{"error":{"message":"x","type":"server_error","param":null,"code":null}}', "server_error"),
    (b'{"error":{"message":"x","type":"requests","code":"rate_limit_exceeded"}}', "rate_limit"),
    (b'{"error":{"message":"x","type":"tokens","code":429}}', "rate_limit"),
    (b'{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}', "insufficient_quota"),
    (b'{"error":{"code":429,"type":"insufficient_quota"}}', "insufficient_quota"),
    (b'{"error":{"type":"overloaded_error"}}', "overloaded"),
    (b'{"error":{"code":"503"}}', "overloaded"),
    (
        b'{"error":{"type":"invalid_request_error","code":"context_length_exceeded"}}',
        "context_length",
    ),
    (b'{"error":{"type":"invalid_request_error","code":"invalid_api_key"}}', "authentication"),
    (b'{"error":{"type":"invalid_request_error"}}', "invalid_request"),
    (b'{"error":{"code":"model_not_found"}}', "not_found"),
    (b'{"error":{"status":"PERMISSION_DENIED"}}', "permission"),
    (b'{"error":{"status_code":401}}', "authentication"),
    (b'{"error":{"code":true,"type":[1],"status":{"a":1}}}', "server_error"),
    (b'{"error":"Service Unavailable"}', "overloaded"),
    (b'{"error":7}', "server_error"),
    (b'{"error":["x"]}', "server_error"),
    (b'{"object":"error","message":"x","code":400}', "invalid_request"),
    (b'{"type":"error","code":"rate_limit_exceeded"}', "rate_limit"),
    (
        b'{"id":"1","error":{"code":502},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}',
        "server_error",
    ),
]


@pytest.mark.parametrize(("payload", "word"), ERRORS)
def test_errors_inside_a_success(payload: bytes, word: str) -> None:
    piece = feed(b"data: " + payload + b"\n\n")[0]
    assert (piece.mark, piece.error) == (Mark.ERROR, word)


def test_an_event_named_error_is_one() -> None:
    assert feed(b'event: error\ndata: {"message":"x"}\n\n')[0].mark is Mark.ERROR
    assert feed(b'event: error\ndata: {"choices":[]}\n\n')[0].mark is Mark.ERROR


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"x",
        b"[]",
        b"1",
        b'"x"',
        b"null",
        b"true",
        b"{}",
        b'{"id":"x"}',
        b'{"choices":null}',
        b'{"choices":{}}',
        b'{"choices":"x"}',
        b"<html>",
        b'{"choices":[{"delta":{"content":"\xff"}}]}',
        b'{"choices":' + b"[" * 200_000,
        b'{"detail":"oops"}',
        b'{"error":null}',
        b'{"a":' + b"9" * 5000 + b"}",
    ],
    ids=lambda p: repr(p[:20]),
)
def test_what_is_no_chunk_is_malformed_and_not_fatal(payload: bytes) -> None:
    pieces = feed(b"data: " + payload + b"\n\n" + OPENAI[1][0])
    assert [p.mark for p in pieces] == [Mark.MALFORMED, Mark.OUTPUT]


def test_an_endless_event_is_refused() -> None:
    """T18."""
    reader = DIALECT.reader(call())
    for _ in range(8):
        reader.feed(b"x" * 1_048_576)
    with pytest.raises(EventTooLarge):
        reader.feed(b"x")


names = st.sampled_from(
    [
        "choices",
        "delta",
        "content",
        "usage",
        "error",
        "finish_reason",
        "index",
        "model",
        "tool_calls",
        "function",
        "arguments",
        "text",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "type",
        "response",
        "output",
        "status",
    ]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(names, anything, max_size=5), st.sampled_from(list(PATHS)))
def test_any_json_makes_one_piece_and_no_exception(
    value: dict[str, Any], operation: Operation
) -> None:
    raw = b"data: " + json.dumps(value).encode() + b"\n\n"
    reader = DIALECT.reader(call(operation))
    pieces = reader.feed(raw)
    assert [p.raw for p in pieces] == [raw]
    DIALECT.read_answer(call(operation), raw[6:])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([b"data: ", b"data:", b"event: e\ndata: ", b""]))
def test_any_bytes_come_out_as_they_went_in(raw: bytes, head: bytes) -> None:
    reader = DIALECT.reader(call())
    pieces = reader.feed(b":\n\n" + head + raw + b"\n\n")
    assert b"".join(p.raw for p in pieces) + reader.rest() == b":\n\n" + head + raw + b"\n\n"
