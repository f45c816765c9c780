"""Whole answers of the Responses API, both ways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.json_text import dumps
from wattline.dialects.openai.responses_input import thought
from wattline.dialects.openai.responses_output import (
    COMPLETED,
    Head,
    Item,
    call_item,
    image_item,
    message_item,
    reasoning_item,
    refusal_part,
    response,
    status_of,
    text_part,
)
from wattline.dialects.openai.responses_usage import read_counts
from wattline.dialects.openai.stream import lenient
from wattline.dialects.words import error_word
from wattline.wire.call import Call
from wattline.wire.parts import Image, Part, Reasoning, Refusal, Text, ToolCall
from wattline.wire.reply import Alternative, Reply, Stop

_ENDED = ("completed", "incomplete", None)


def read_reply(body: bytes) -> Reply:
    """A provider's whole answer. Raises BadReply, ReplyError."""
    value = lenient(body)
    if value is None:
        raise BadReply
    status = value.get("status")
    if value.get("error") or status in ("failed", "cancelled"):
        raise ReplyError(error_word(value.get("error")))
    output = value.get("output")
    if not isinstance(output, list) or status not in _ENDED:
        raise BadReply
    parts = [part for index, item in enumerate(output) for part in item_parts(item, index)]
    count = read_counts(value.get("usage"))
    return Reply(
        (Alternative(tuple(parts), read_stop(value, parts)),),
        id=string(value.get("id")),
        model=string(value.get("model")),
        created=whole_seconds(value.get("created_at")),
        usage=count.usage,
        bad_usage=count.bad,
    )


def string(value: Any) -> str | None:
    """A text that says something; None for anything else."""
    return value if isinstance(value, str) and value else None


def whole_seconds(value: Any) -> int | None:
    """A time; None for anything else. 0 is how an answer without one is written."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if known and 0 < value < 2**53 else None


def read_stop(value: dict[str, Any], parts: Iterable[Part]) -> Stop:
    """Why the answer that a response object holds has ended."""
    if value.get("status") == "incomplete":
        details = value.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        if reason == "content_filter":
            return Stop.FILTERED
        return Stop.LENGTH if reason == "max_output_tokens" else Stop.OTHER
    return Stop.TOOL_CALLS if any(isinstance(part, ToolCall) for part in parts) else Stop.END


def item_parts(item: Any, index: int) -> list[Part]:
    """What an item of an `output` says; nothing for those of hosted tools, and for odd ones. A call
    without an id gets one from its `index`.
    """
    if not isinstance(item, dict):
        return []
    match item.get("type"):
        case "message":
            spoken = [_spoken(part) for part in _dicts(item.get("content"))]
            return [part for part in spoken if part is not None]
        case "reasoning":
            summary, content = _texts(item.get("summary")), _texts(item.get("content"))
            read = thought(summary, content, string(item.get("encrypted_content")))
            return [read] if read != Reasoning() else []
        case "function_call":
            return _call(item, index)
        case "image_generation_call":
            return _image(item)
        case _:
            return []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    found = [one.get("text") for one in _dicts(value)]
    return [one for one in found if isinstance(one, str)]


def _spoken(part: dict[str, Any]) -> Text | Refusal | None:
    if part.get("type") == "refusal":
        refusal = part.get("refusal")
        return Refusal(refusal) if isinstance(refusal, str) else None
    text = part.get("text")
    return Text(text) if isinstance(text, str) else None


def call_name(item: dict[str, Any], index: int) -> tuple[str, str] | None:
    """The id and the name of a call; None when it has no name."""
    name = string(item.get("name"))
    given = string(item.get("call_id")) or string(item.get("id"))
    return None if name is None else (given or f"call_{index}", name)


def _call(item: dict[str, Any], index: int) -> list[Part]:
    found, arguments = call_name(item, index), item.get("arguments")
    if found is None:
        return []
    return [ToolCall(*found, arguments if isinstance(arguments, str) else "")]


def _image(item: dict[str, Any]) -> list[Part]:
    data, form = string(item.get("result")), string(item.get("output_format")) or "png"
    return [] if data is None else [Image(f"image/{form}", data=data)]


def write_reply(reply: Reply, call: Call) -> bytes:
    """The client's whole answer: the first of the alternatives, as the API has only one."""
    first = reply.alternatives[0] if reply.alternatives else Alternative(())
    head = Head(reply.id or f"resp_{call.id}", reply.model or call.model, reply.created or 0)
    status = status_of(first.stop)
    output = _output(first.parts, call.id, status)
    return dumps(response(head, status, output, reply.usage, first.stop))


def _output(parts: Iterable[Part], call_id: str, status: str) -> list[Item]:
    output: list[Item] = []
    content: list[Item] | None = None
    for part in parts:
        name = f"{call_id}_{len(output)}"
        if isinstance(part, Text | Refusal):
            if content is None:
                content = []
                output.append(message_item(f"msg_{name}", COMPLETED, content))
            said = isinstance(part, Text)
            content.append(text_part(part.text) if said else refusal_part(part.text))
        elif (item := _item(part, name)) is not None:
            content = None
            output.append(item)
    if output and output[-1]["type"] in ("message", "function_call"):
        output[-1]["status"] = status
    return output


def _item(part: Part, name: str) -> Item | None:
    match part:
        case Reasoning():
            return reasoning_item(f"rs_{name}", part)
        case ToolCall():
            return call_item(f"fc_{name}", COMPLETED, part)
        case Image(data=str()):
            return image_item(f"ig_{name}", COMPLETED, part)
        case _:
            return None
