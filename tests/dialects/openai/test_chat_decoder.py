"""Streams of chat completions into neutral events, at every chunk boundary."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.neutral_answers import JSON, every_cut
from wattline.dialects.openai.chat_decoder import MAX_CALLS, ChunkDecoder
from wattline.dialects.openai.envelope import MAX_ALTERNATIVES
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Failed,
    Idle,
    Malformed,
    Picture,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.reply import Stop
from wattline.wire.sse import DONE, MAX_EVENT, EventTooLarge, event
from wattline.wire.usage import Usage

HEAD = {"id": "i", "object": "chat.completion.chunk", "created": 7, "model": "m"}
STARTED = Started("i", "m", 7)


def chunk(delta: Any, finish: Any = None, index: Any = 0, **members: Any) -> bytes:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return event(json.dumps(HEAD | {"choices": [choice]} | members).encode())


def decoded(*chunks: bytes) -> list[Event]:
    return ChunkDecoder().feed(b"".join(chunks))


def content(*deltas: Any) -> list[Event]:
    """The events of some deltas, the start left out."""
    found = decoded(*map(chunk, deltas))
    assert found[0] == STARTED
    return found[1:]


def calls(*parts: list[dict[str, Any]]) -> list[Event]:
    return content(*({"tool_calls": part} for part in parts))


USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
STREAM = (
    chunk({"role": "assistant", "content": ""}),
    b": keep alive\n\n",
    chunk({"content": "é"}),
    chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
    chunk({}, "tool_calls"),
    event(json.dumps(HEAD | {"choices": [], "usage": USAGE}).encode()),
    DONE,
)
EVENTS = [
    STARTED,
    Idle(),
    TextDelta("é"),
    CallStarted(0, "c", "f"),
    CallDelta(0, "{}"),
    Stopped(Stop.TOOL_CALLS),
    Counted(Usage(3, 4)),
    Ended(),
]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_stream_is_the_same_at_every_cut(end: bytes) -> None:
    data = b"".join(STREAM).replace(b"\n", end)
    for found in every_cut(lambda: ChunkDecoder().feed, data):
        assert found == EVENTS


def test_nothing_comes_after_the_end() -> None:
    decoder = ChunkDecoder()
    assert decoder.feed(b"".join(STREAM) + STREAM[2])[-1] == Ended()
    assert decoder.feed(STREAM[2]) == []
    assert decoder.feed(b"x" * (MAX_EVENT + 1)) == []


def test_an_event_without_its_blank_line_is_not_complete() -> None:
    decoder = ChunkDecoder()
    assert decoder.feed(b"".join(STREAM)[:-1]) == EVENTS[:-1]
    assert decoder.end() == []


@pytest.mark.parametrize(
    ("delta", "events"),
    [
        ({"reasoning_content": "x"}, [ReasoningDelta("x")]),
        ({"reasoning": "x"}, [ReasoningDelta("x")]),
        ({"reasoning_content": "x", "reasoning": "x"}, [ReasoningDelta("x")]),
        (
            {
                "reasoning": "x",
                "reasoning_details": [{"type": "reasoning.text", "text": "x", "signature": "s"}],
            },
            [ReasoningDelta("x"), ReasoningSealed("s")],
        ),
        (
            {"reasoning_details": [{"type": "reasoning.summary", "summary": "x"}]},
            [ReasoningDelta("x")],
        ),
        (
            {"reasoning": None, "reasoning_details": [{"type": "x", "data": "r"}]},
            [ReasoningSealed(redacted="r")],
        ),
        ({"refusal": "no"}, [RefusalDelta("no")]),
        (
            {"reasoning_content": "x", "content": "a"},
            [ReasoningDelta("x"), TextDelta("a")],
        ),
        (
            {"images": [{"image_url": {"url": "data:image/png;base64,AAAA"}}]},
            [Picture("image/png", "AAAA")],
        ),
        ({"images": [{"image_url": {"url": "https://x"}}]}, [TextDelta("https://x")]),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "x"}]},
                    {"type": "text", "text": "a"},
                ]
            },
            [ReasoningDelta("x"), TextDelta("a")],
        ),
        ({"content": "a\ud83d"}, [TextDelta("a\ud83d")]),
        ({"content": 7}, []),
        (7, []),
        (None, []),
        (
            {"function_call": {"name": "f", "arguments": "{}"}},
            [CallStarted(0, "call_0_0", "f"), CallDelta(0, "{}")],
        ),
    ],
)
def test_deltas_of_many_providers(delta: Any, events: list[Event]) -> None:
    assert content(delta) == events


def test_the_text_of_details_counts_once() -> None:
    """It stands beside `reasoning`, or whole beside the signature at the end."""
    details = [{"type": "reasoning.text", "text": "xy", "signature": "s"}]
    found = content(
        {"reasoning_content": "x"}, {"reasoning_content": "y"}, {"reasoning_details": details}
    )
    assert found == [ReasoningDelta("x"), ReasoningDelta("y"), ReasoningSealed("s")]


class TestCalls:
    def test_parallel_calls_in_turns(self) -> None:
        found = calls(
            [
                {"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}},
                {"index": 1, "id": "b", "function": {"name": "g"}},
            ],
            [{"index": 1, "function": {"arguments": "[1"}}],
            [{"index": 0, "function": {"arguments": "{}"}}],
            [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "]"}}],
        )
        assert found == [
            CallStarted(0, "a", "f"),
            CallStarted(1, "b", "g"),
            CallDelta(1, "[1"),
            CallDelta(0, "{}"),
            CallDelta(1, "]"),
        ]

    def test_whole_calls_that_all_have_the_index_0(self) -> None:
        found = calls(
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}],
            [{"index": 0, "id": "b", "function": {"name": "f", "arguments": "[]"}}],
        )
        assert found == [
            CallStarted(0, "a", "f"),
            CallDelta(0, "{}"),
            CallStarted(1, "b", "f"),
            CallDelta(1, "[]"),
        ]

    def test_calls_without_an_index(self) -> None:
        found = calls(
            [
                {"id": "a", "function": {"name": "f", "arguments": "{"}},
                {"function": {"arguments": "}"}},
                {"id": "b", "function": {"name": "g", "arguments": "[]"}},
            ],
        )
        assert found == [
            CallStarted(0, "a", "f"),
            CallDelta(0, "{"),
            CallDelta(0, "}"),
            CallStarted(1, "b", "g"),
            CallDelta(1, "[]"),
        ]

    def test_calls_without_an_id_get_one(self) -> None:
        found = calls(
            [{"index": 0, "function": {"name": "f"}}, {"index": 1, "function": {"name": "g"}}]
        )
        assert found == [CallStarted(0, "call_0_0", "f"), CallStarted(1, "call_0_1", "g")]

    def test_an_id_may_come_before_the_name(self) -> None:
        found = calls([{"index": 0, "id": "a"}], [{"index": 0, "function": {"name": "f"}}])
        assert found == [CallStarted(0, "a", "f")]

    def test_arguments_of_nothing_are_malformed(self) -> None:
        assert calls([{"index": 0, "function": {"arguments": "{}"}}]) == [Malformed()]

    def test_arguments_as_an_object(self) -> None:
        found = calls([{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"a": 1}}}])
        assert found == [CallStarted(0, "a", "f"), CallDelta(0, '{"a":1}')]

    def test_arguments_no_encoder_likes(self) -> None:
        call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": {"a": 10**30}}}
        assert calls([call])[1] == CallDelta(0, f'{{"a":{10**30}}}')

    def test_a_signature(self) -> None:
        call = {"index": 0, "id": "a", "function": {"name": "f"}}
        signed = call | {"extra_content": {"google": {"thought_signature": "s"}}}
        assert calls([signed]) == [CallStarted(0, "a", "f", signature="s")]

    def test_calls_without_end_are_bounded(self) -> None:
        part = [{"index": n, "id": f"{n}", "function": {"name": "f"}} for n in range(MAX_CALLS + 5)]
        assert len(calls(part)) == MAX_CALLS
        waiting = [{"index": n, "id": f"{n}"} for n in range(MAX_CALLS + 5)]
        assert calls(waiting) == []


def test_alternatives_are_told_apart() -> None:
    found = decoded(
        chunk({"content": "a"}),
        chunk({"content": "b"}, index=1),
        chunk({}, "stop"),
        chunk({}, "length", index=1),
    )
    assert found[1:] == [
        TextDelta("a"),
        TextDelta("b", 1),
        Stopped(Stop.END),
        Stopped(Stop.LENGTH, 1),
    ]


@pytest.mark.parametrize("index", [-1, MAX_ALTERNATIVES, 10**15])
def test_no_answer_has_such_an_alternative(index: int) -> None:
    assert Malformed() in decoded(chunk({"content": "a"}, index=index))


def test_a_second_finish_says_nothing() -> None:
    """OpenRouter repeats it beside the usage."""
    found = decoded(chunk({"content": "a"}, "stop"), chunk({"content": ""}, "stop", usage=USAGE))
    assert found[1:] == [TextDelta("a"), Stopped(Stop.END), Counted(Usage(3, 4))]


def test_content_after_the_finish_is_malformed() -> None:
    found = decoded(chunk({"content": "a"}, "stop"), chunk({"content": "b"}))
    assert found[1:] == [TextDelta("a"), Stopped(Stop.END), Malformed()]


def test_a_stop_sequence_is_told() -> None:
    choice = {"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "END"}
    found = decoded(event(json.dumps({"choices": [choice]}).encode()))
    assert found == [Started(), Stopped(Stop.SEQUENCE, 0, "END")]


@pytest.mark.parametrize(
    ("usage", "event"),
    [
        (USAGE, Counted(Usage(3, 4))),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Counted(Usage(0, 0))),
        ({"prompt_tokens": -1, "completion_tokens": 0}, Counted(None, bad=True)),
        ({"prompt_tokens": 1.5, "completion_tokens": 0}, Counted(None, bad=True)),
        ({"prompt_tokens": "1", "completion_tokens": 0}, Counted(None, bad=True)),
        ({"prompt_tokens": True, "completion_tokens": 0}, Counted(None, bad=True)),
        ({"prompt_tokens": 10**12, "completion_tokens": 0}, Counted(None, bad=True)),
        (7, Counted(None, bad=True)),
    ],
)
def test_usage_is_read_with_suspicion(usage: Any, event: Event) -> None:
    assert decoded(chunk({}, usage=usage)) == [STARTED, event]


def test_groqs_usage_has_a_place_of_its_own() -> None:
    found = decoded(chunk({}, "stop", x_groq={"id": "r", "usage": USAGE}))
    assert found[1:] == [Stopped(Stop.END), Counted(Usage(3, 4))]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b'data: {"error":{"code":"rate_limit_exceeded"}}\n\n', "rate_limit"),
        (b'data: {"error":{"code":502},"choices":[{"index":0,"delta":{}}]}\n\n', "server_error"),
        (b'event: error\ndata: {"message":"x","code":503}\n\n', "overloaded"),
        (b'data: {"object":"error","code":429}\n\n', "rate_limit"),
        (chunk({}, "error").replace(b'"index"', b'"error":{"code":429},"index"'), "rate_limit"),
    ],
)
def test_an_error_ends_the_stream(data: bytes, word: str) -> None:
    found = decoded(data, *STREAM)
    assert found[-1] == Failed(word)


@pytest.mark.parametrize(
    "data", [b"data: x\n\n", b"data: []\n\n", b"data: {}\n\n", b"data: \xff\n\n", b"data:\n\n"]
)
def test_one_bad_event_is_not_fatal(data: bytes) -> None:
    assert decoded(data, *STREAM) == [Malformed(), *EVENTS]


def test_a_text_of_a_legacy_completion() -> None:
    choice = {"index": 0, "text": "a", "finish_reason": "length", "logprobs": None}
    found = decoded(event(json.dumps({"id": "i", "choices": [choice]}).encode()))
    assert found == [Started("i"), TextDelta("a"), Stopped(Stop.LENGTH)]


def test_an_event_too_large_is_refused() -> None:
    with pytest.raises(EventTooLarge):
        decoded(b"data: " + b"x" * (MAX_EVENT + 1))


@given(st.sampled_from(["index", "delta", "text", "finish_reason", "error"]), JSON)
def test_anything_in_a_choice_is_no_exception(key: str, value: Any) -> None:
    choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": None, key: value}
    decoded(event(json.dumps({"choices": [choice]}).encode()))


@given(
    st.sampled_from(
        ["content", "reasoning", "reasoning_details", "refusal", "images", "tool_calls"]
    ),
    JSON | st.lists(st.fixed_dictionaries({"function": JSON, "id": JSON, "index": JSON})),
)
def test_anything_in_a_delta_is_no_exception(key: str, value: Any) -> None:
    content({key: value})


@given(st.lists(st.binary(max_size=40) | st.sampled_from(STREAM), max_size=6))
def test_garbage_is_no_exception(chunks: list[bytes]) -> None:
    found = decoded(*chunks)
    ends = [place for place, one in enumerate(found) if isinstance(one, Ended | Failed)]
    assert ends in ([], [len(found) - 1])


def test_a_flood_of_tiny_events_takes_linear_time() -> None:
    data = chunk({"content": "x"}) * 1000
    decoder = ChunkDecoder()
    start = time.process_time()
    assert sum(len(decoder.feed(data)) for _ in range(200)) == 200_001
    assert time.process_time() - start < 20
