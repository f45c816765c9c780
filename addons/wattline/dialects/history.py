"""What some models demand of a conversation's order: pure functions over a prompt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from wattline.wire.parts import Part, Reasoning, Text
from wattline.wire.prompt import Message, Prompt, Role

OPENING = "."
"""The text of a user's turn where a model demands one and the client gave none: the least that providers
accept, since they refuse an empty text.
"""
_INSTRUCTIONS = (Role.SYSTEM, Role.DEVELOPER)


def for_deepseek_reasoner(prompt: Prompt) -> Prompt:
    """A-056: earlier turns without their thought, alternating, with a user's turn first. Thought of the
    turn that goes on (tool calls after the last user's message) stays: DeepSeek wants it back.
    """
    return alternating(without_earlier_thought(prompt))


def alternating(prompt: Prompt, opening: str | None = OPENING) -> Prompt:
    """A-057: neighbours of one role become one message, and the first after the instructions is a
    user's. Where it is not, a user's turn with the text `opening` is put there; None puts none.
    """
    messages = merged(prompt.messages)
    start = next(
        (place for place, message in enumerate(messages) if message.role not in _INSTRUCTIONS),
        len(messages),
    )
    if opening is not None and (start == len(messages) or messages[start].role is not Role.USER):
        messages.insert(start, Message(Role.USER, (Text(opening),)))
    return replace(prompt, messages=tuple(messages))


def merged(messages: Iterable[Message]) -> list[Message]:
    """The messages, neighbours of one role as one. Tool results stay apart: each answers its own call.
    A name that is not the same in both is lost.
    """
    found: list[Message] = []
    for message in messages:
        before = found[-1] if found else None
        if before is None or before.role is not message.role or message.role is Role.TOOL:
            found.append(message)
            continue
        name = before.name if before.name == message.name else None
        found[-1] = Message(message.role, _joined(before.parts, message.parts), name)
    return found


def _joined(before: tuple[Part, ...], after: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts of both. Texts that meet become one, a blank line between, so that a message of plain
    text stays one.
    """
    if not before or not after:
        return before or after
    last, first = before[-1], after[0]
    if isinstance(last, Text) and isinstance(first, Text) and last.cache is None:
        text = "\n\n".join(filter(None, (last.text, first.text)))
        return (*before[:-1], Text(text, first.cache), *after[1:])
    return before + after


def without_earlier_thought(prompt: Prompt) -> Prompt:
    """The prompt without what the model thought before the last user's message. A message of nothing
    else goes with it.
    """
    users = [place for place, message in enumerate(prompt.messages) if message.role is Role.USER]
    last = users[-1] if users else 0
    earlier = (_thoughtless(message) for message in prompt.messages[:last])
    kept = [message for message in earlier if message is not None]
    return replace(prompt, messages=(*kept, *prompt.messages[last:]))


def _thoughtless(message: Message) -> Message | None:
    if not any(isinstance(part, Reasoning) for part in message.parts):
        return message
    parts = tuple(part for part in message.parts if not isinstance(part, Reasoning))
    return replace(message, parts=parts) if parts else None


def without_system(prompt: Prompt) -> Prompt:
    """A-058: no system and developer messages, for models that refuse them. The text of each stands at
    the head of the next user's message; where there is none, it is a user's message at the end.
    """
    found: list[Message] = []
    waiting: tuple[Part, ...] = ()
    for message in prompt.messages:
        if message.role in _INSTRUCTIONS:
            waiting = _joined(waiting, message.parts)
        elif message.role is Role.USER and waiting:
            found.append(replace(message, parts=_joined(waiting, message.parts)))
            waiting = ()
        else:
            found.append(message)
    if waiting:
        found.append(Message(Role.USER, waiting))
    return replace(prompt, messages=tuple(found))
