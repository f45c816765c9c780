"""A model's turn that came as a stream: its SDK keeps each event as a content of its own."""

from __future__ import annotations

from collections.abc import Iterable

from wattline.wire.parts import Part, Reasoning, Text
from wattline.wire.prompt import Message, Role


def whole_turns(messages: Iterable[Message]) -> list[Message]:
    """The messages, neighbours of the model's as one: other APIs want the calls of a turn together, and a
    signature beside the whole of its thought.
    """
    runs: list[tuple[Message, list[Part]]] = []
    for message in messages:
        if runs and message.role is Role.ASSISTANT and runs[-1][0].role is Role.ASSISTANT:
            _add(runs[-1][1], message.parts)
        else:
            runs.append((message, list(message.parts)))
    return [Message(first.role, tuple(parts), first.name) for first, parts in runs]


def _add(parts: list[Part], more: tuple[Part, ...]) -> None:
    """Texts, and thoughts, that meet are pieces of one."""
    if parts and more and (seam := _joined(parts[-1], more[0])) is not None:
        parts[-1], more = seam, more[1:]
    parts += more


def _joined(before: Part, after: Part) -> Part | None:
    if isinstance(before, Text) and isinstance(after, Text):
        return Text(before.text + after.text)
    if not isinstance(before, Reasoning) or not isinstance(after, Reasoning):
        return None
    if before.signature is not None or before.redacted is not None or after.redacted is not None:
        return None
    return Reasoning(before.text + after.text, after.signature)
