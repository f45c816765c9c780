"""Ollama's answers and streams, read and written."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.ollama_calls import call
from wattline.dialects.codec import BadReply, ReplyError, StreamDecoder
from wattline.dialects.ollama.codec import OllamaChatCodec, OllamaGenerateCodec
from wattline.dialects.ollama.decode import LineEvents
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
from wattline.wire.parts import Image, Reasoning, Refusal, Text, ToolCall
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage

CHAT, GENERATE = OllamaChatCodec(), OllamaGenerateCodec()
NOON = 1_700_000_000
PNG = "iVBORw0KGgo="

WHOLE = {
    "model": "llama3.2",
    "created_at": "2023-11-14T22:13:20.123456789Z",
    "message": {
        "role": "assistant",
        "content": "Hi",
        "thinking": "hm",
        "tool_calls": [
            {"function": {"name": "f", "arguments": {"a": 1}}},
            {"id": "c7", "function": {"name": "f", "arguments": {"a": 1}}},
        ],
    },
    "done_reason": "stop",
    "done": True,
    "total_duration": 5191566416,
    "prompt_eval_count": 26,
    "eval_count": 298,
}


def test_a_whole_answer() -> None:
    reply = CHAT.read_reply(json.dumps(WHOLE).encode())
    (first,) = reply.alternatives
    made = first.parts[2]
    assert isinstance(made, ToolCall)
    assert made.id.startswith("call_")
    assert first.parts == (
        Reasoning("hm"),
        Text("Hi"),
        ToolCall(made.id, "f", '{"a": 1}'),
        ToolCall("c7", "f", '{"a": 1}'),
    )
    assert (first.stop, reply.usage, reply.created, reply.model) == (
        Stop.TOOL_CALLS,
        Usage(26, 298),
        NOON,
        "llama3.2",
    )
    assert CHAT.read_reply(json.dumps(WHOLE).encode()) == reply


def test_a_generated_answer() -> None:
    reply = GENERATE.read_reply(
        b'{"response":"Hi","thinking":"hm","done":true,"done_reason":"length","eval_count":-1,"prompt_eval_count":1}'
    )
    assert reply == Reply((Alternative((Reasoning("hm"), Text("Hi")), Stop.LENGTH),))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"message":5}', b"[" * 100_000])
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadReply):
        CHAT.read_reply(body)


def test_an_error_in_a_success() -> None:
    with pytest.raises(ReplyError) as caught:
        CHAT.read_reply(b'{"error":"model \\"x\\" not found, secret"}')
    assert (caught.value.word, str(caught.value)) == ("not_found", "not_found")


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
arguments = st.dictionaries(texts, st.none() | st.integers(-9, 9) | texts, max_size=3).map(
    lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
)
usages = st.none() | st.builds(Usage, st.integers(0, 10**6), st.integers(0, 10**6))


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    thought = [Reasoning(text) for text in draw(st.lists(texts, max_size=1))]
    said = [Text(text) for text in draw(st.lists(texts, max_size=1))]
    pictures = draw(st.sampled_from([[], [Image("image/png", data=PNG)]]))
    calls = [
        ToolCall(f"c{index}", "f", text)
        for index, text in enumerate(draw(st.lists(arguments, max_size=2)))
    ]
    stop = draw(
        st.sampled_from([Stop.LENGTH, Stop.FILTERED, Stop.OTHER])
        | st.just(Stop.TOOL_CALLS if calls else Stop.END)
    )
    first = Alternative((*thought, *said, *pictures, *calls), stop)
    return Reply((first,), None, "m", draw(st.none() | st.just(NOON)), draw(usages))


@given(replies())
def test_a_reply_means_the_same_after_the_way_there_and_back(reply: Reply) -> None:
    again = CHAT.read_reply(CHAT.write_reply(reply, call()))
    assert normal(again) == normal(reply)


def normal(reply: Reply) -> object:
    parts = [
        (part.id, part.name, json.loads(part.arguments)) if isinstance(part, ToolCall) else part
        for part in reply.alternatives[0].parts
    ]
    return parts, reply.alternatives[0].stop, reply.model, reply.created, reply.usage


def test_what_a_client_gets() -> None:
    reply = Reply(
        (Alternative((Refusal("No."), ToolCall("c", "f", "not json")), Stop.PAUSED),), created=NOON
    )
    assert json.loads(CHAT.write_reply(reply, call())) == {
        "model": "llama3.2",
        "created_at": "2023-11-14T22:13:20Z",
        "message": {
            "role": "assistant",
            "content": "No.",
            "tool_calls": [
                {"id": "c", "function": {"name": "f", "arguments": {"arguments": "not json"}}}
            ],
        },
        "done": True,
        "done_reason": "other",
    }
    odd = Reply((), created=10**30, usage=Usage(0, 0))
    assert json.loads(GENERATE.write_reply(odd, call())) == {
        "model": "llama3.2",
        "response": "",
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 0,
        "eval_count": 0,
    }


def decoded(chunks: Sequence[bytes]) -> list[Event]:
    decoder: StreamDecoder = CHAT.decoder()
    found = [event for chunk in chunks for event in decoder.feed(chunk)]
    assert isinstance(decoder, LineEvents)
    return found + decoder.end()


STREAM = (
    b'{"model":"m","created_at":"2023-11-14T22:13:20.1+00:00","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}\n'
    b"\r\n"
    b'{"model":"m","message":{"role":"assistant","content":"W\xc3\xb6"},"done":false}\r\n'
    b"nonsense\n"
    b'{"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"id":"c","function":{"index":0,"name":"f","arguments":{"a":"\\u00f6"}}},{"id":"d","function":{"name":"g","arguments":"{}"}}]},"done":false}\n'
    b'{"response":"!","image":"iVBORw0KGgo=","odd":NaN}\n'
    b'{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":4}\n'
    b'{"model":"m","message":{"role":"assistant","content":"late"},"done":false}'
)
EVENTS = [
    Started(None, "m", NOON),
    ReasoningDelta("hm"),
    Idle(),
    TextDelta("W\u00f6"),
    Malformed(),
    CallStarted(0, "c", "f"),
    CallDelta(0, '{"a":"\\u00f6"}'),
    CallStarted(1, "d", "g"),
    CallDelta(1, "{}"),
    TextDelta("!"),
    Picture("image/png", PNG),
    Stopped(Stop.TOOL_CALLS),
    Counted(Usage(3, 4)),
    Ended(),
]


def test_a_stream_at_every_chunk_boundary() -> None:
    assert decoded([STREAM]) == EVENTS
    assert decoded([STREAM[i : i + 1] for i in range(len(STREAM))]) == EVENTS
    for cut in range(len(STREAM)):
        assert decoded([STREAM[:cut], STREAM[cut:]]) == EVENTS


def test_the_end_of_a_stream() -> None:
    assert decoded([b'{"done":true}']) == [Started(), Stopped(Stop.END), Ended()]
    assert decoded([b'{"done":true,"prompt_eval_count":"1"}\n'])[2] == Counted(None, bad=True)
    assert decoded([b'{"error":"overloaded"}\n{"done":true}\n']) == [Failed("overloaded")]
    assert decoded([]) == []


@given(st.binary(max_size=60))
def test_garbage_never_raises(raw: bytes) -> None:
    assert (
        all(isinstance(event, Malformed | Idle) for event in decoded([raw, b"\n"])) or b"{" in raw
    )


deltas = st.one_of(
    st.builds(TextDelta, texts),
    st.builds(ReasoningDelta, texts),
    st.just(Picture("image/png", PNG)),
)


def encoded(
    events: Sequence[Event], codec: OllamaChatCodec | OllamaGenerateCodec = CHAT
) -> list[Piece]:
    encoder = codec.encoder(call())
    return [piece for event in events for piece in encoder.encode(event)]


@given(st.lists(deltas, max_size=6), st.lists(arguments, max_size=3), usages, st.integers(1, 40))
def test_a_stream_means_the_same_after_the_way_there_and_back(
    words: list[Event], calls: list[str], usage: Usage | None, size: int
) -> None:
    events: list[Event] = [Started(None, "m", NOON), *words]
    for index, text in enumerate(calls):
        events += [
            CallStarted(index, f"c{index}", "f"),
            CallDelta(index, text[:3]),
            CallDelta(index, text[3:]),
        ]
    counted = [] if usage is None else [Counted(usage)]
    end: list[Event] = [Stopped(Stop.TOOL_CALLS if calls else Stop.END), *counted, Ended()]
    raw = b"".join(piece.raw for piece in encoded([*events, *end]))
    again = decoded([raw[at : at + size] for at in range(0, len(raw), size)])
    assert again[: 1 + len(words)] == events[: 1 + len(words)]
    assert again[-len(end) :] == end
    found = [json.loads(event.arguments) for event in again if isinstance(event, CallDelta)]
    assert found == [json.loads(text) for text in calls]


def test_marks_and_output() -> None:
    events: list[Event] = [
        Started("id", None, None),
        Idle(),
        ReasoningDelta("hmm"),
        ReasoningSealed("sig"),
        TextDelta(""),
        RefusalDelta("No"),
        CallStarted(0, "c", "get"),
        CallStarted(1, "d", "get"),
        CallDelta(1, '{"b":'),
        CallDelta(0, "{}"),
        CallDelta(1, "2}"),
        TextDelta("another", alternative=1),
        CallDelta(7, "{}"),
        Counted(Usage(1, 2)),
        Counted(None, bad=True),
        Ended(),
        TextDelta("late"),
    ]
    pieces = encoded(events)
    assert [(piece.mark, piece.output, piece.finish) for piece in pieces] == [
        (Mark.OUTPUT, 3, False),
        (Mark.OUTPUT, 2, False),
        (Mark.OUTPUT, 3, False),
        (Mark.OUTPUT, 3, False),
        (Mark.OUTPUT, 2, False),
        (Mark.OUTPUT, 7, False),
        (Mark.END, 0, True),
    ]
    assert (pieces[-1].usage, pieces[-1].bad_usage) == (Usage(1, 2), True)
    value = json.loads(pieces[-2].raw)
    assert value["message"]["tool_calls"] == [
        {"id": "d", "function": {"name": "get", "arguments": {"b": 2}}}
    ]
    assert json.loads(pieces[-1].raw) == {
        "model": "llama3.2",
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 1,
        "eval_count": 2,
    }


def test_a_stream_of_generated_text() -> None:
    events: list[Event] = [
        Started(None, "m", NOON),
        ReasoningDelta("h"),
        TextDelta("Hi"),
        Picture("image/png", PNG),
        Stopped(Stop.LENGTH),
        Ended(),
    ]
    values = [json.loads(piece.raw) for piece in encoded(events, GENERATE)]
    head = {"model": "m", "created_at": "2023-11-14T22:13:20Z"}
    assert values == [
        {**head, "response": "", "thinking": "h", "done": False},
        {**head, "response": "Hi", "done": False},
        {**head, "response": "", "image": PNG, "done": False},
        {**head, "response": "", "done": True, "done_reason": "length"},
    ]


def test_lone_surrogates_do_no_harm() -> None:
    for codec in (CHAT, GENERATE):
        (piece, _) = encoded([TextDelta("\ud800"), Ended()], codec)
        assert b"\\ud800" in piece.raw


@pytest.mark.slow
def test_many_events_take_linear_time() -> None:
    encoder, decoder = CHAT.encoder(call()), CHAT.decoder()
    seen = 0
    for _ in range(100_000):
        for piece in encoder.encode(TextDelta("x")):
            seen += len(decoder.feed(piece.raw))
    assert seen == 100_001
