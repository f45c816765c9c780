"""What of a dialog is sent along with a new message: pure functions over its messages.

A dialog that is sent begins with a user's message: models demand it, and an answer without its question says
little.
"""

from __future__ import annotations

from collections.abc import Sequence

from wattline.engine.meter import estimate_tokens
from wattline.rules.compiled.callers import DialogRules
from wattline.store.dialogs import Message

PER_MESSAGE = 4
"""Tokens around each message, about."""
TURN = 2
"""Messages that a completion adds: a question and its answer."""


def trimmed(
    messages: Sequence[Message], question: str, system: str | None, rules: DialogRules
) -> Sequence[Message]:
    """The newest messages that fit beside a question and its answer to come (A-061). Without any of them a
    question always fits.
    """
    room = rules.tokens - _tokens(question) - _tokens(system or "")
    start = len(messages)
    while start > 0 and len(messages) - start < rules.messages - TURN:
        room -= _tokens(messages[start - 1].content)
        if room < 0:
            break
        start -= 1
    return _from_a_question(messages[start:])


def shorter(messages: Sequence[Message]) -> Sequence[Message]:
    """The newer half, by tokens: for a model that said that it was too much. Empty for one turn or none."""
    room = sum(_tokens(message.content) for message in messages) // 2
    start = len(messages)
    while start > 0:
        room -= _tokens(messages[start - 1].content)
        if room < 0:
            break
        start -= 1
    return _from_a_question(messages[start:])


def oldest_kept(messages: Sequence[Message], kept: Sequence[Message]) -> int:
    """The place below which all of a dialog's messages are forgotten; `kept` are its newest."""
    if kept:
        return kept[0].seq
    return messages[-1].seq + 1 if messages else 0


def _from_a_question(messages: Sequence[Message]) -> Sequence[Message]:
    start = next((i for i, m in enumerate(messages) if m.role == "user"), len(messages))
    return messages[start:]


def _tokens(text: str) -> int:
    """An estimate: letters of other scripts than Latin are more tokens."""
    return PER_MESSAGE + estimate_tokens(len(text) if text.isascii() else 2 * len(text))
