"""Orders of a conversation that some models demand."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kit.neutral_answers import NAMES
from wattline.dialects.history import (
    OPENING,
    alternating,
    for_deepseek_reasoner,
    without_earlier_thought,
    without_system,
)
from wattline.wire.parts import Image, Reasoning, Text, ToolCall, ToolResult
from wattline.wire.prompt import Message, Prompt, Role, Sampling

SYSTEM, DEVELOPER, USER, ASSISTANT, TOOL = (
    Role.SYSTEM,
    Role.DEVELOPER,
    Role.USER,
    Role.ASSISTANT,
    Role.TOOL,
)


def said(role: Role, *parts: str) -> Message:
    return Message(role, tuple(map(Text, parts)))


def conversation(*messages: Message) -> Prompt:
    return Prompt(messages, sampling=Sampling(max_tokens=5))


CALL = Message(ASSISTANT, (Reasoning("why"), ToolCall("c", "f", "{}")))
RESULT = Message(TOOL, (ToolResult("c", (Text("4"),)),))

MESSAGES = st.lists(
    st.builds(said, st.sampled_from((SYSTEM, USER, ASSISTANT)), NAMES),
    max_size=8,
).map(tuple)


def all_text(prompt: Prompt) -> str:
    return "".join(
        part.text.replace("\n\n", "")
        for message in prompt.messages
        for part in message.parts
        if isinstance(part, Text)
    )


def test_a_conversation_in_order_stays_as_it_is() -> None:
    """A-057"""
    prompt = conversation(said(SYSTEM, "s"), said(USER, "a"), said(ASSISTANT, "b"), said(USER, "c"))
    assert alternating(prompt) == prompt
    assert for_deepseek_reasoner(prompt) == prompt


def test_neighbours_of_one_role_become_one_message() -> None:
    """A-057"""
    prompt = conversation(
        said(USER, "a"), said(USER, "b"), said(ASSISTANT, "c"), said(ASSISTANT, "d")
    )
    assert alternating(prompt) == conversation(said(USER, "a\n\nb"), said(ASSISTANT, "c\n\nd"))


def test_a_user_comes_first() -> None:
    """A-057: with the least that a provider accepts."""
    prompt = conversation(said(SYSTEM, "s"), said(ASSISTANT, "hello"))
    assert alternating(prompt).messages == (
        said(SYSTEM, "s"),
        said(USER, OPENING),
        said(ASSISTANT, "hello"),
    )
    assert alternating(prompt, None) == prompt


def test_instructions_alone_get_a_user() -> None:
    """A-057"""
    assert alternating(conversation(said(SYSTEM, "s"))).messages[1:] == (said(USER, OPENING),)


def test_tool_results_stay_apart() -> None:
    """A-057: each answers its own call."""
    prompt = conversation(said(USER, "a"), CALL, RESULT, RESULT, said(USER, "b"))
    assert alternating(prompt) == prompt


def test_pictures_and_kept_prompts_stay_parts() -> None:
    picture, kept = Image(url="https://x"), Text("k", {"type": "ephemeral"})
    prompt = conversation(
        Message(USER, (kept,)), Message(USER, (Text("a"), picture)), said(USER, "b")
    )
    parts = (kept, Text("a"), picture, Text("b"))
    assert alternating(prompt).messages == (Message(USER, parts),)


def test_a_name_stays_where_all_have_it() -> None:
    ann = Message(USER, (Text("a"),), "ann")
    assert alternating(conversation(ann, ann)).messages[0].name == "ann"
    assert alternating(conversation(ann, said(USER, "b"))).messages[0].name is None


def test_deepseek_gets_no_thought_of_earlier_turns() -> None:
    """A-056"""
    thought = Message(ASSISTANT, (Reasoning("long", "s"), Text("b")))
    prompt = conversation(said(USER, "a"), thought, said(USER, "c"))
    assert for_deepseek_reasoner(prompt).messages[1] == said(ASSISTANT, "b")


def test_deepseek_keeps_the_thought_of_the_turn_that_goes_on() -> None:
    """A-056: a tool's result goes back to the thought that asked for it."""
    prompt = conversation(said(USER, "a"), CALL, RESULT)
    assert for_deepseek_reasoner(prompt) == prompt


def test_a_message_of_thought_alone_goes_and_its_neighbours_meet() -> None:
    """A-056"""
    prompt = conversation(said(USER, "a"), Message(ASSISTANT, (Reasoning("x"),)), said(USER, "b"))
    assert for_deepseek_reasoner(prompt) == conversation(said(USER, "a\n\nb"))


def test_without_a_user_no_thought_is_earlier() -> None:
    prompt = conversation(CALL, RESULT)
    assert without_earlier_thought(prompt) == prompt


@given(MESSAGES)
def test_any_conversation_alternates_and_loses_nothing(messages: tuple[Message, ...]) -> None:
    """A-057"""
    prompt = alternating(conversation(*messages), opening="")
    roles = [message.role for message in prompt.messages]
    assert all(one is not other for one, other in pairwise(roles))
    assert next(role for role in roles if role is not SYSTEM) is USER
    assert all_text(prompt) == all_text(conversation(*messages))


def test_instructions_move_to_the_head_of_the_users_text() -> None:
    """A-058"""
    prompt = conversation(
        said(SYSTEM, "be brief"), said(DEVELOPER, "and kind"), said(USER, "hello")
    )
    assert without_system(prompt) == conversation(said(USER, "be brief\n\nand kind\n\nhello"))


def test_later_instructions_keep_their_place() -> None:
    """A-058"""
    prompt = conversation(said(USER, "a"), said(ASSISTANT, "b"), said(SYSTEM, "s"), said(USER, "c"))
    assert without_system(prompt) == conversation(
        said(USER, "a"), said(ASSISTANT, "b"), said(USER, "s\n\nc")
    )


def test_instructions_with_no_user_after_them_become_one() -> None:
    """A-058: never lost, and never between a call and its result."""
    prompt = conversation(said(USER, "a"), CALL, said(SYSTEM, "s"), RESULT)
    assert without_system(prompt) == conversation(said(USER, "a"), CALL, RESULT, said(USER, "s"))
    assert without_system(conversation(said(SYSTEM, "s"))) == conversation(said(USER, "s"))


@given(MESSAGES)
def test_no_instruction_is_lost(messages: tuple[Message, ...]) -> None:
    """A-058"""
    prompt = without_system(conversation(*messages))
    assert all(message.role is not SYSTEM for message in prompt.messages)
    before = sorted(all_text(conversation(*messages)))
    assert sorted(all_text(prompt)) == before
