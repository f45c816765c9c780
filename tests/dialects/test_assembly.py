"""A stream as a whole answer."""

from __future__ import annotations

import time

import pytest

from wattline.dialects.assembly import PART_COST, Assembly, AssemblyFull
from wattline.dialects.codec import ReplyError
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Failed,
    Idle,
    Malformed,
    ReasoningDelta,
    ReasoningSealed,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.parts import Reasoning, Text, ToolCall
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage


def assembled(*events: Event) -> Reply:
    assembly = Assembly()
    for event in events:
        assembly.add(event)
    return assembly.reply()


def test_parts_keep_the_order_in_which_they_began() -> None:
    reply = assembled(
        Started("id", "m", 1),
        TextDelta("a"),
        ReasoningDelta("x"),
        ReasoningSealed("s"),
        ReasoningDelta("y"),
        TextDelta("b"),
        TextDelta("c"),
        Stopped(Stop.SEQUENCE, sequence="!"),
        Ended(),
    )
    parts = (Text("a"), Reasoning("x", "s"), Reasoning("y"), Text("bc"))
    assert reply == Reply((Alternative(parts, Stop.SEQUENCE, "!"),), "id", "m", 1)


def test_arguments_of_calls_may_come_in_turns() -> None:
    reply = assembled(
        CallStarted(0, "c0", "f"),
        CallStarted(1, "c1", "g", signature="s"),
        CallDelta(1, "[1"),
        CallDelta(0, "{}"),
        CallDelta(1, "]"),
        CallDelta(7, "of no call"),
    )
    calls = (ToolCall("c0", "f", "{}"), ToolCall("c1", "g", "[1]", "s"))
    assert reply.alternatives == (Alternative(calls),)


def test_a_redacted_thought_is_a_part_of_its_own() -> None:
    reply = assembled(ReasoningDelta("x"), ReasoningSealed(redacted="r"), ReasoningDelta("y"))
    parts = (Reasoning("x"), Reasoning(redacted="r"), Reasoning("y"))
    assert reply.alternatives[0].parts == parts


def test_a_signature_without_a_thought_stands_alone() -> None:
    reply = assembled(TextDelta("a"), ReasoningSealed("s"))
    assert reply.alternatives[0].parts == (Text("a"), Reasoning(signature="s"))


def test_alternatives_come_in_their_order() -> None:
    reply = assembled(TextDelta("b", 1), TextDelta("a", 0), TextDelta("B", 1))
    assert [found.parts for found in reply.alternatives] == [(Text("a"),), (Text("bB"),)]


def test_the_last_valid_usage_counts() -> None:
    reply = assembled(Counted(Usage(1, 1)), Counted(Usage(1, 2)), Counted(None, bad=True))
    assert reply.usage == Usage(1, 2)
    assert reply.bad_usage


def test_what_says_nothing_changes_nothing() -> None:
    assert assembled(Idle(), Malformed()) == Reply(())


def test_a_failure_is_raised_with_its_word() -> None:
    with pytest.raises(ReplyError) as raised:
        assembled(TextDelta("a"), Failed("overloaded"))
    assert raised.value.word == "overloaded"


def test_it_holds_no_more_than_its_bound() -> None:
    assembly = Assembly(2 * PART_COST + 10)
    assembly.add(TextDelta("x" * 10))
    with pytest.raises(AssemblyFull):
        assembly.add(TextDelta("y"))


def test_arguments_count_too() -> None:
    assembly = Assembly(3 * PART_COST)
    assembly.add(CallStarted(0, "c", "f"))
    with pytest.raises(AssemblyFull):
        assembly.add(CallDelta(0, "x" * 2 * PART_COST))


@pytest.mark.parametrize(
    "event",
    [
        lambda number: CallStarted(number, "", ""),
        lambda _: ReasoningSealed(redacted=""),
        lambda number: TextDelta("", number),
    ],
)
def test_empty_parts_without_end_meet_the_bound(event) -> None:
    assembly = Assembly(10_000)
    events = map(event, range(100))
    with pytest.raises(AssemblyFull):
        any(map(assembly.add, events))


def test_a_million_tiny_events_take_linear_time() -> None:
    assembly = Assembly()
    start = time.process_time()
    for _ in range(1_000_000):
        assembly.add(TextDelta("x"))
    assert len(assembly.reply().alternatives[0].parts[0].text) == 1_000_000
    assert time.process_time() - start < 30
