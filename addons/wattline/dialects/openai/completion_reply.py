"""Whole answers of legacy completions, in both directions."""

from __future__ import annotations

from typing import Any

from wattline.dialects.openai.chat_thought import read_thought, write_thought
from wattline.dialects.openai.envelope import open_reply, read_envelope, write_envelope
from wattline.dialects.openai.finish import read_finish, write_finish
from wattline.wire.call import Call
from wattline.wire.parts import Part, Refusal, Text
from wattline.wire.reply import Alternative, Reply, Stop


def read_completion_reply(body: bytes) -> Reply:
    """A provider's whole answer. Raises BadReply, ReplyError."""
    return read_envelope(open_reply(body), _alternative)


def _alternative(choice: dict[str, Any], index: int) -> Alternative | None:  # noqa: ARG001  (chat's too)
    text = choice.get("text")
    if not isinstance(text, str):
        return None
    parts: list[Part] = [*read_thought(choice)]
    if text:
        parts.append(Text(text))
    stop, sequence = read_finish(
        choice.get("finish_reason"), choice.get("stop_reason"), called=False
    )
    return Alternative(tuple(parts), stop, sequence)


def write_completion_reply(reply: Reply, call: Call) -> bytes:
    """The client's whole answer."""
    return write_envelope(reply, call, "text_completion", "cmpl", _choice)


def _choice(alternative: Alternative) -> dict[str, Any]:
    """A text. Thought stands beside it as in chat; a refusal is text like any other."""
    said = (part.text for part in alternative.parts if isinstance(part, Text | Refusal))
    return {
        "text": "".join(said),
        "logprobs": None,
        "finish_reason": completion_finish(alternative.stop),
        **write_thought(alternative.parts, details=False),
    }


def completion_finish(stop: Stop | None) -> str:
    """The word for a client: there are no tool calls here."""
    return "stop" if stop is Stop.TOOL_CALLS else write_finish(stop, called=False)
