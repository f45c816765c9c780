"""Whole messages: read from a provider's, and written for a client."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from wattline.dialects.anthropic.arguments import arguments_of, input_of
from wattline.dialects.anthropic.usage import BadCount, read_counts, usage_members
from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.json_text import dumps
from wattline.dialects.openai.stream import lenient
from wattline.dialects.words import error_word
from wattline.wire.call import Call
from wattline.wire.parts import Part, Reasoning, Refusal, Text, ToolCall
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage

_STOPS: Mapping[str, Stop] = MappingProxyType(
    {
        "end_turn": Stop.END,
        "max_tokens": Stop.LENGTH,
        "model_context_window_exceeded": Stop.LENGTH,
        "stop_sequence": Stop.SEQUENCE,
        "tool_use": Stop.TOOL_CALLS,
        "pause_turn": Stop.PAUSED,
        "refusal": Stop.FILTERED,
    }
)

_REASONS: Mapping[Stop, str] = MappingProxyType(
    {
        Stop.END: "end_turn",
        Stop.LENGTH: "max_tokens",
        Stop.SEQUENCE: "stop_sequence",
        Stop.TOOL_CALLS: "tool_use",
        Stop.PAUSED: "pause_turn",
        Stop.FILTERED: "refusal",
        Stop.OTHER: "end_turn",
    }
)

_DECODER: Final = msgspec.json.Decoder()


def stop_of(reason: Any) -> Stop | None:
    """The neutral reason; None for none."""
    if reason is None:
        return None
    return _STOPS.get(reason, Stop.OTHER) if isinstance(reason, str) else Stop.OTHER


def reason_of(stop: Stop | None, *, calls: bool, refused: bool) -> str:
    """Anthropic's reason. Clients look at it to see whether tools are called, or the model declined."""
    if stop in (None, Stop.END, Stop.OTHER):
        if calls:
            return "tool_use"
        if refused:
            return "refusal"
    return _REASONS[stop or Stop.END]


def opened(body: bytes) -> dict[str, Any] | None:
    """The object in `body`, with every text in it writable; None when it is none."""
    try:
        value = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = lenient(body)
    return value if isinstance(value, dict) else None


def text_of(value: Any) -> str | None:
    """A text, half surrogates replaced; None for anything else."""
    if not isinstance(value, str):
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def refusal_of(details: Any) -> str | None:
    """Why an answer was refused, in words, from `stop_details`."""
    return text_of(details.get("explanation")) if isinstance(details, dict) else None


def read_reply(body: bytes) -> Reply:
    """A provider's message. Raises BadReply, ReplyError. Blocks of server tools are not read."""
    value = opened(body)
    if value is None:
        raise BadReply
    if value.get("error") or value.get("type") == "error":
        raise ReplyError(error_word(value.get("error")))
    content = value.get("content")
    if not isinstance(content, list):
        raise BadReply
    parts = [part for block in content if (part := _part(block)) is not None]
    explanation = refusal_of(value.get("stop_details"))
    if explanation:
        parts.append(Refusal(explanation))
    only = Alternative(
        tuple(parts), stop_of(value.get("stop_reason")), text_of(value.get("stop_sequence"))
    )
    usage, bad = _usage(value)
    return Reply((only,), text_of(value.get("id")), text_of(value.get("model")), None, usage, bad)


def _usage(value: dict[str, Any]) -> tuple[Usage | None, bool]:
    try:
        return read_counts(value.get("usage")).usage, False
    except BadCount:
        return None, True


def _part(block: Any) -> Part | None:
    if not isinstance(block, dict):
        raise BadReply
    match block.get("type"):
        case "text":
            return Text(_required(block, "text"))
        case "thinking":
            return Reasoning(_required(block, "thinking"), text_of(block.get("signature")) or None)
        case "redacted_thinking":
            return Reasoning(redacted=_required(block, "data"))
        case "tool_use":
            given = block.get("input")
            if not isinstance(given, dict):
                raise BadReply
            try:
                arguments = text_of(arguments_of(given)) or ""
            except RecursionError as error:
                raise BadReply from error
            return ToolCall(_required(block, "id"), _required(block, "name"), arguments)
        case _:
            return None


def _required(block: dict[str, Any], key: str) -> str:
    value = text_of(block.get(key))
    if value is None:
        raise BadReply
    return value


def write_reply(reply: Reply, call: Call) -> bytes:
    """The client's message: the first alternative, as there is no place for others. Without a usage it has
    none: `AnthropicDialect.write_answer` adds one.
    """
    first = reply.alternatives[0] if reply.alternatives else Alternative(())
    calls = any(isinstance(part, ToolCall) for part in first.parts)
    refused = any(isinstance(part, Refusal) for part in first.parts)
    message: dict[str, Any] = {
        "id": reply.id or f"msg_{call.id}",
        "type": "message",
        "role": "assistant",
        "model": reply.model or call.model,
        "content": [block for part in first.parts if (block := _block(part)) is not None],
        "stop_reason": reason_of(first.stop, calls=calls, refused=refused),
        "stop_sequence": first.sequence,
    }
    if reply.usage is not None:
        message["usage"] = usage_members(reply.usage)
    return dumps(message)


def notice(part_kind: str) -> str:
    """What stands for a part that a message can't carry."""
    return f"({part_kind} left out: the Messages API has no place for it in an answer)"


def _block(part: Part) -> dict[str, Any] | None:
    match part:
        case Text() | Refusal():
            return {"type": "text", "text": part.text} if part.text else None
        case Reasoning(redacted=str()):
            return {"type": "redacted_thinking", "data": part.redacted}
        case Reasoning():
            return {"type": "thinking", "thinking": part.text, "signature": part.signature or ""}
        case ToolCall():
            arguments = input_of(part.arguments)
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}
        case _:
            return {"type": "text", "text": notice(part.kind)}
