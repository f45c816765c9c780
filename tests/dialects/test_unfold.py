"""A whole answer as a stream."""

from __future__ import annotations

from hypothesis import given

from kit.neutral_answers import REPLIES
from wattline.dialects.assembly import Assembly
from wattline.dialects.unfold import PIECE, events_of
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Picture,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.parts import File, Image, Reasoning, Refusal, Text, ToolCall
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage


@given(REPLIES)
def test_what_is_unfolded_and_assembled_is_the_same_answer(reply: Reply) -> None:
    """A-052: nothing of an answer is lost on its way through a stream."""
    assembly = Assembly()
    for event in events_of(reply, piece=3):
        assembly.add(event)
    assert assembly.ended
    assert assembly.reply() == reply


def test_the_events_of_an_answer_stand_in_their_order() -> None:
    """A-052"""
    parts = (
        Reasoning("hm", signature="s"),
        Reasoning(redacted="r"),
        Text("hello"),
        Refusal("no"),
        Image("image/png", "AAAA"),
        ToolCall("c1", "f", '{"a":1}'),
        ToolCall("c2", "g", ""),
    )
    usage = Usage(3, 4)
    reply = Reply((Alternative(parts, Stop.TOOL_CALLS),), "id", "m", 7, usage)
    assert list(events_of(reply)) == [
        Started("id", "m", 7),
        ReasoningDelta("hm"),
        ReasoningSealed("s"),
        ReasoningSealed(redacted="r"),
        TextDelta("hello"),
        RefusalDelta("no"),
        Picture("image/png", "AAAA"),
        CallStarted(0, "c1", "f"),
        CallDelta(0, '{"a":1}'),
        CallStarted(1, "c2", "g"),
        Stopped(Stop.TOOL_CALLS),
        Counted(usage),
        Ended(),
    ]


def test_a_long_text_comes_in_pieces_and_arguments_come_whole() -> None:
    """A-052: the client sees a real stream."""
    text, arguments = "word " * 100, '{"a":"' + "x" * 1000 + '"}'
    reply = Reply((Alternative((Text(text), ToolCall("c", "f", arguments)), Stop.END),))
    events = list(events_of(reply))
    pieces = [event.text for event in events if isinstance(event, TextDelta)]
    assert "".join(pieces) == text
    assert len(pieces) == -(-len(text) // PIECE)
    assert [event.arguments for event in events if isinstance(event, CallDelta)] == [arguments]


def test_each_alternative_has_its_own_number() -> None:
    reply = Reply((Alternative((Text("a"),), Stop.END), Alternative((Text("b"),), Stop.LENGTH)))
    assert list(events_of(reply))[1:-1] == [
        TextDelta("a", 0),
        Stopped(Stop.END, 0),
        TextDelta("b", 1),
        Stopped(Stop.LENGTH, 1),
    ]


def test_a_usage_that_cannot_be_true_is_told() -> None:
    reply = Reply((Alternative((Text("a"),)),), bad_usage=True)
    assert list(events_of(reply))[-2:] == [Counted(None, bad=True), Ended()]
    assembly = Assembly()
    for event in events_of(reply):
        assembly.add(event)
    assert assembly.reply() == reply


def test_a_picture_elsewhere_is_told_by_its_url_and_a_file_has_no_event() -> None:
    parts = (Image(url="https://x/y.png"), File(data="AAAA"))
    assert list(events_of(Reply((Alternative(parts),)))) == [
        Started(),
        TextDelta("https://x/y.png"),
        Ended(),
    ]
