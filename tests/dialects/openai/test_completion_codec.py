"""Legacy completions: prompts, answers and streams."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Completion

from kit.chat_prompts import HINTS, SAMPLINGS
from kit.neutral_answers import JSON, NAMES, REPLIES, TEXTS, every_cut, usages
from kit.openai_calls import call
from wattline.base.errors import ClientFault
from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.openai.completion_codec import CompletionCodec
from wattline.dialects.openai.completion_prompt import MANY
from wattline.dialects.unfold import events_of
from wattline.wire.call import Operation
from wattline.wire.events import (
    CallStarted,
    Counted,
    Ended,
    ReasoningDelta,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.parts import Image, Reasoning, Refusal, Text, ToolCall
from wattline.wire.piece import Mark, Piece
from wattline.wire.prompt import (
    Choice,
    Format,
    Message,
    Prompt,
    Role,
    Sampling,
    Thinking,
    Tool,
    ToolChoice,
)
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.sse import data
from wattline.wire.usage import Usage

CODEC = CompletionCodec()
CALL = replace(call(), operation=Operation.COMPLETION, wants_usage=True)
USER = Message(Role.USER, (Text("a"),))

STRATEGY = st.builds(
    Reply,
    st.lists(
        st.builds(
            Alternative,
            st.lists(st.builds(Text, TEXTS), max_size=1).map(tuple),
            st.sampled_from((Stop.END, Stop.LENGTH, Stop.FILTERED)),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    id=TEXTS,
    model=TEXTS,
    created=st.integers(1, 2**40),
    usage=st.none() | usages(),
)


def read(**body: Any) -> Prompt:
    return CODEC.read_prompt({"model": "m", "prompt": "a", **body}, CALL)


def encoded(*events: Any) -> list[Piece]:
    encoder = CODEC.encoder(CALL)
    return [piece for event in events for piece in encoder.encode(event)]


def body(piece: Piece) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data(piece.raw) or b"")
    return found


@pytest.mark.parametrize("prompt", ["a", ["a"]])
def test_a_prompt_is_a_users_text(prompt: Any) -> None:
    assert read(prompt=prompt).messages == (USER,)


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2], [[1], [2]]])
def test_several_texts_and_tokens_are_told(prompt: Any) -> None:
    found = read(prompt=prompt)
    assert found.messages == ()
    assert found.extras == {MANY: prompt}
    assert CODEC.write_prompt(found, "m").body["prompt"] == prompt


def test_fields_of_a_request() -> None:
    found = read(
        max_tokens=5,
        temperature=0,
        stop=["x"],
        n=2,
        seed=3,
        suffix="s",
        echo=True,
        best_of=2,
        logprobs=3,
        user="u",
        stream=True,
    )
    assert found == Prompt(
        (USER,),
        sampling=Sampling(max_tokens=5, temperature=0, stop=("x",), n=2, seed=3),
        stream=True,
        user="u",
        extras={"suffix": "s", "echo": True, "best_of": 2, "logprobs": 3},
    )


def test_what_says_nothing_is_no_extra() -> None:
    assert read(echo=False, best_of=1, suffix="", logprobs=None).extras == {}


@pytest.mark.parametrize("prompt", [None, 7, [], {}])
def test_a_wrong_prompt_is_refused(prompt: Any) -> None:
    with pytest.raises(ClientFault) as raised:
        read(prompt=prompt)
    assert raised.value.param == "prompt"


@given(
    st.builds(
        Prompt,
        TEXTS.map(lambda text: (Message(Role.USER, (Text(text),)),)),
        sampling=SAMPLINGS.map(lambda sampling: replace(sampling, top_k=None)),
        stream=st.booleans(),
        user=st.none() | NAMES,
        extras=st.fixed_dictionaries(
            {}, optional={"suffix": TEXTS, "logprobs": st.integers(1, 5), "best_of": st.just(3)}
        ),
    ),
    HINTS,
)
def test_a_prompt_means_the_same_when_it_is_written_and_read(
    prompt: Prompt, hints: dict[str, Any]
) -> None:
    made = CODEC.write_prompt(replace(prompt, hints=hints), "m")
    assert made.dropped == tuple(hints)
    assert made.unsupported == ()
    assert CODEC.read_prompt(made.body, CALL) == prompt


def test_what_only_a_conversation_has_is_unsupported() -> None:
    prompt = Prompt(
        (
            Message(Role.SYSTEM, (Text("s"),)),
            Message(Role.USER, (Text("a"), Image(url="https://x"))),
            Message(Role.ASSISTANT, (Reasoning("x"), ToolCall("c", "f", "{}"))),
        ),
        tools=(Tool("f"),),
        tool_choice=ToolChoice(Choice.REQUIRED),
        format=Format(),
        sampling=Sampling(top_k=3),
        thinking=Thinking("low"),
        extras={"logprobs": True, "thing": 1},
    )
    made = CODEC.write_prompt(prompt, "m")
    assert made.body == {"model": "m", "prompt": "s\n\na"}
    assert made.dropped == ("reasoning in messages", "reasoning effort")
    assert made.unsupported == (
        "several messages",
        "system messages",
        "image in messages",
        "assistant messages",
        "tool call in messages",
        "tools",
        "tool_choice",
        "response_format",
        "top_k",
        "logprobs",
        "thing",
    )


@given(STRATEGY)
def test_an_answer_means_the_same_when_it_is_written_and_read(reply: Reply) -> None:
    written = CODEC.write_reply(reply, CALL)
    assert CODEC.read_reply(written) == reply
    assert Completion.model_validate_json(written, strict=True).object == "text_completion"


@given(STRATEGY)
def test_a_stream_means_the_same_when_it_is_decoded(reply: Reply) -> None:
    events = list(events_of(reply, piece=3))
    stream = b"".join(piece.raw for piece in encoded(*events))
    assert CODEC.decoder().feed(stream) == events


@given(REPLIES)
def test_any_answer_and_stream_can_be_written(reply: Reply) -> None:
    """Also what a completion has no form for."""
    json.loads(CODEC.write_reply(reply, CALL))
    pieces = encoded(*events_of(reply))
    assert pieces[-1].mark is Mark.END
    for piece in pieces[:-1]:
        assert body(piece)["object"] == "text_completion"


def test_a_stream_is_the_same_at_every_cut() -> None:
    events = [Started("i", "m", 7), TextDelta("hé"), Stopped(Stop.END), Ended()]
    stream = b"".join(piece.raw for piece in encoded(*events))
    for found in every_cut(lambda: CODEC.decoder().feed, stream):
        assert found == events


def test_pieces_of_a_stream() -> None:
    pieces = encoded(
        Started("i", "m", 7),
        ReasoningDelta("x"),
        TextDelta("hé"),
        RefusalDelta("no"),
        CallStarted(0, "c", "f"),
        Stopped(Stop.TOOL_CALLS),
        Counted(Usage(3, 4)),
        Ended(),
    )
    choices = [body(piece)["choices"] for piece in pieces[:-1]]
    plain = {"index": 0, "logprobs": None, "finish_reason": None}
    assert choices == [
        [{"index": 0, "text": "", "reasoning_content": "x", "finish_reason": None}],
        [plain | {"text": "hé"}],
        [plain | {"text": "no"}],
        [plain | {"text": "", "finish_reason": "stop"}],
        [],
    ]
    assert [(piece.mark, piece.output, piece.finish) for piece in pieces] == [
        (Mark.OUTPUT, 1, False),
        (Mark.OUTPUT, 2, False),
        (Mark.OUTPUT, 2, False),
        (Mark.OUTPUT, 0, True),
        (Mark.USAGE, 0, False),
        (Mark.END, 0, False),
    ]
    assert body(pieces[4])["usage"]["total_tokens"] == 7


def test_a_refusal_is_text_and_thought_stands_beside() -> None:
    reply = Reply((Alternative((Reasoning("x"), Refusal("no")), Stop.TOOL_CALLS),))
    (choice,) = json.loads(CODEC.write_reply(reply, CALL))["choices"]
    assert choice == {
        "index": 0,
        "text": "no",
        "reasoning_content": "x",
        "logprobs": None,
        "finish_reason": "stop",
    }


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"choices":[{}]}', b'{"choices":[{"text":7}]}'])
def test_what_is_no_answer_is_refused(raw: bytes) -> None:
    with pytest.raises(BadReply):
        CODEC.read_reply(raw)


def test_an_error_inside_a_success() -> None:
    with pytest.raises(ReplyError):
        CODEC.read_reply(b'{"error":"x"}')


@given(st.dictionaries(st.sampled_from(["prompt", "stop", "n", "echo", "suffix", "seed"]), JSON))
def test_anything_is_read_or_refused_and_can_be_written(fields: dict[str, Any]) -> None:
    try:
        prompt = read(**fields)
    except ClientFault as fault:
        assert fault.param  # noqa: PT017  (either outcome is right)
        return
    json.dumps(CODEC.write_prompt(prompt, "m").body)
