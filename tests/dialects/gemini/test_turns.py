"""Turns of a model that came as streams, as its SDK sends them back."""

from __future__ import annotations

from wattline.dialects.gemini.turns import whole_turns
from wattline.wire.parts import Part, Reasoning, Text, ToolCall
from wattline.wire.prompt import Message, Role


def said(*parts: Part) -> Message:
    return Message(Role.ASSISTANT, parts)


def test_the_events_of_a_stream_are_one_turn():
    first, second = ToolCall("a", "f", "{}", "sig"), ToolCall("b", "f", "{}")
    question = Message(Role.USER, (Text("?"),))
    events = [
        *(said(Reasoning("Th")), said(Reasoning("ink")), said(Reasoning("", "signed"))),
        *(said(Text("L")), said(Text("ook.")), said(first), said(second), said(Text(""))),
    ]
    assert whole_turns([question, *events, question]) == [
        question,
        said(Reasoning("Think", "signed"), Text("Look."), first, second, Text("")),
        question,
    ]


def test_what_is_signed_or_hidden_stays_apart():
    parts = (Reasoning("a", "1"), Reasoning("b", "2"), Reasoning(redacted="x"), Reasoning("c"))
    assert whole_turns([said(part) for part in parts]) == [said(*parts)]


def test_texts_of_one_event_stay_apart():
    assert whole_turns([said(Text("a"), Text("b")), said(Text("c"), Text("d"))]) == [
        said(Text("a"), Text("bc"), Text("d"))
    ]


def test_other_roles_are_left_alone():
    user, tool = Message(Role.USER, (Text("a"),)), Message(Role.TOOL, (Text("b"),))
    assert whole_turns([user, user, tool, tool]) == [user, user, tool, tool]
    assert whole_turns([]) == []
