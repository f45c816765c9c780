"""Whole chat answers, in both directions."""

from __future__ import annotations

from typing import Any

from wattline.dialects.openai.chat_blobs import data_url
from wattline.dialects.openai.chat_calls import argument_text, read_signature, write_call
from wattline.dialects.openai.chat_message import read_pictures, thinking_chunk
from wattline.dialects.openai.chat_thought import read_thought, write_thought
from wattline.dialects.openai.envelope import (
    headed,
    open_reply,
    place,
    read_envelope,
    write_envelope,
)
from wattline.dialects.openai.finish import read_finish, write_finish
from wattline.wire.call import Call
from wattline.wire.parts import Image, Part, Reasoning, Refusal, Text, ToolCall, plain
from wattline.wire.reply import Alternative, Reply, Stop

_OUTPUT = (
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
    "tool_calls",
    "function_call",
    "images",
    "audio",
)
"""What makes a message an answer; the first has it as soon as it is a text, though an empty one."""


def read_chat_reply(body: bytes) -> Reply:
    """A provider's whole answer. Raises BadReply, ReplyError.

    An answer without choices may have its text elsewhere: `content`, `response`, `message.content`.
    """
    value = open_reply(body)
    elsewhere = misplaced(value)
    return read_envelope(value, _alternative) if elsewhere is None else elsewhere


def misplaced(value: dict[str, Any]) -> Reply | None:
    """The answer whose text is not in its choices (C-070); None where they have one, or nothing has."""
    if _has_choice(value.get("choices")):
        return None
    message = value.get("message")
    inner = message.get("content") if isinstance(message, dict) else None
    for text in (value.get("content"), value.get("response"), inner):
        if isinstance(text, str):
            return headed(value, (Alternative((Text(text),) if text else (), Stop.END),))
    return None


def _has_choice(choices: Any) -> bool:
    """Whether the first one is more than a frame."""
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict):
        return False
    message = first.get("message")
    if not isinstance(message, dict):
        return bool(first)
    return isinstance(message.get("content"), str) or any(map(message.get, _OUTPUT))


def _alternative(choice: dict[str, Any], index: int) -> Alternative | None:
    message = choice.get("message")
    if not isinstance(message, dict):
        return None
    parts: list[Part] = [*read_thought(message)]
    parts += read_content(message.get("content"))
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        parts.append(Refusal(refusal))
    parts += read_pictures(message.get("images"))
    calls = _calls(message, place(choice.get("index"), index))
    parts += calls
    stop, sequence = read_finish(
        choice.get("finish_reason"), choice.get("stop_reason"), called=bool(calls)
    )
    return Alternative(tuple(parts), stop, sequence)


def read_content(content: Any) -> list[Part]:
    """The content of an answer: a text, or parts as Mistral gives them."""
    if isinstance(content, str):
        return [Text(content)] if content else []
    parts: list[Part] = []
    for item in content if isinstance(content, list) else ():
        if not isinstance(item, dict):
            continue
        text = item.get("text")
        if item.get("type") == "thinking":
            thought = thinking_chunk(item)
            parts += [thought] if thought is not None else []
        elif isinstance(text, str) and text:
            parts.append(Text(text))
    return parts


def _calls(message: dict[str, Any], alternative: int) -> list[ToolCall]:
    values = message.get("tool_calls")
    calls = [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []
    if not calls and isinstance(message.get("function_call"), dict):
        calls = [{"function": message["function_call"]}]
    found = []
    for index, call in enumerate(calls):
        function = call.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str):
            continue
        id_ = call.get("id")
        if not isinstance(id_, str) or not id_:
            id_ = f"call_{alternative}_{index}"
        arguments = argument_text(function.get("arguments"))
        found.append(ToolCall(id_, name, arguments, read_signature(call)))
    return found


def write_chat_reply(reply: Reply, call: Call) -> bytes:
    """The client's whole answer."""
    return write_envelope(reply, call, "chat.completion", "chatcmpl", write_alternative)


def write_alternative(alternative: Alternative) -> dict[str, Any]:
    """A choice of an answer, but for its index."""
    parts = alternative.parts
    calls = [write_call(part) for part in parts if isinstance(part, ToolCall)]
    refusal = "".join(part.text for part in parts if isinstance(part, Refusal))
    message: dict[str, Any] = {
        "role": "assistant",
        "content": plain(parts) or (None if calls or refusal else ""),
        "refusal": refusal or None,
        **write_thought(parts),
    }
    if pictures := [write_picture(part) for part in parts if isinstance(part, Image)]:
        message["images"] = pictures
    if calls:
        message["tool_calls"] = calls
    finish = write_finish(alternative.stop, called=bool(calls))
    return {"message": message, "logprobs": None, "finish_reason": finish}


def write_picture(image: Image) -> dict[str, Any]:
    """A picture in an answer, as OpenRouter gives them."""
    url = data_url(image) if image.url is None else image.url
    return {"type": "image_url", "image_url": {"url": url}}


def thought_of(parts: list[Part]) -> str:
    """The text of the thought in some parts."""
    return "".join(part.text for part in parts if isinstance(part, Reasoning))
