"""Writes a chat's messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from wattline.dialects.ollama.calls import parsed
from wattline.dialects.ollama.report import Report
from wattline.wire.parts import (
    Audio,
    File,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from wattline.wire.prompt import Message, Role


def write_messages(messages: Iterable[Message], report: Report) -> list[dict[str, Any]]:
    """The messages as Ollama takes them; each tool result is one of its own."""
    found: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for message in messages:
        names |= {part.id: part.name for part in message.parts if isinstance(part, ToolCall)}
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        found += [_result(part, part.name or names.get(part.call), report) for part in results]
        others = [part for part in message.parts if not isinstance(part, ToolResult)]
        if others or not results:
            found.append(_message(message, others, report))
    return found


def _message(message: Message, parts: Sequence[Part], report: Report) -> dict[str, Any]:
    role = Role.SYSTEM if message.role is Role.DEVELOPER else message.role
    if message.name is not None:
        report.drop("name in messages")
    value: dict[str, Any] = {"role": role.value, "content": joined(parts, role)}
    if thought := "".join(_thoughts(parts, report)):
        value["thinking"] = thought
    if images := written_images(parts, report):
        value["images"] = images
    if calls := [_call(part, report) for part in parts if isinstance(part, ToolCall)]:
        value["tool_calls"] = calls
    return value


def joined(parts: Iterable[Part], role: Role) -> str:
    """The text of a message's parts. A model's own follow on each other; others are apart."""
    texts = [part.text for part in parts if isinstance(part, Text | Refusal)]
    return ("" if role is Role.ASSISTANT else "\n").join(texts)


def written_images(parts: Iterable[Part], report: Report) -> list[str]:
    """The pictures of a message; what can't be written is reported."""
    images: list[str] = []
    for part in parts:
        if isinstance(part, Image) and part.data is not None:
            images.append(part.data)
        elif isinstance(part, Image):
            report.refuse("images by URL" if part.url is not None else "images by file id")
        elif isinstance(part, Audio):
            report.refuse("audio in messages")
        elif isinstance(part, File):
            report.refuse("files in messages")
    return images


def _thoughts(parts: Iterable[Part], report: Report) -> Iterable[str]:
    for part in parts:
        if isinstance(part, Reasoning):
            if part.redacted is not None:
                report.drop("redacted reasoning")
            if part.signature is not None:
                report.drop("signatures of reasoning")
            yield part.text


def _call(part: ToolCall, report: Report) -> dict[str, Any]:
    arguments = parsed(part.arguments)
    if arguments is None:
        report.refuse("arguments of a tool call that are no JSON object")
    return {"id": part.id, "function": {"name": part.name, "arguments": arguments or {}}}


def _result(part: ToolResult, name: str | None, report: Report) -> dict[str, Any]:
    if part.error:
        report.drop("errors of tool results")
    content = joined(part.parts, Role.TOOL)
    value: dict[str, Any] = {"role": "tool", "content": content, "tool_call_id": part.call}
    if name is not None:
        value["tool_name"] = name
    if images := written_images(part.parts, report):
        value["images"] = images
    return value
