"""Writes messages as the items of a Responses request's `input`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wattline.dialects.openai.omissions import Omissions
from wattline.dialects.openai.responses_media import write_file, write_image
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

CACHE = "cache_control"
UNSIGNED = "reasoning without a signature in messages"
SIGNED_CALL = "signatures of tool calls"
NAME = "names in messages"


class Items:
    """The items written so far. What can't be written goes into `omissions`."""

    def __init__(self, omissions: Omissions) -> None:
        self.items: list[dict[str, Any]] = []
        self._omissions = omissions
        self._content: list[dict[str, Any]] | None = None

    def add(self, message: Message) -> None:
        """The items of a message."""
        if message.name is not None:
            self._omissions.drop(NAME)
        self._content = None
        for part in message.parts:
            self._part(part, message.role)
        if not message.parts and message.role not in (Role.ASSISTANT, Role.TOOL):
            self._open(message.role)

    def _part(self, part: Part, role: Role) -> None:
        if not isinstance(part, Reasoning | Refusal) and part.cache is not None:
            self._omissions.drop(CACHE)
        match part:
            case ToolResult():
                self._item(self._output(part))
            case ToolCall() if role is Role.ASSISTANT:
                self._item(self._call(part))
            case Reasoning() if role is Role.ASSISTANT:
                self._reasoning(part)
            case _:
                self._spoken(part, role)

    def _item(self, item: dict[str, Any]) -> None:
        """An item of its own: what is said after it needs a new message."""
        self._content = None
        self.items.append(item)

    def _spoken(self, part: Part, role: Role) -> None:
        written = _content_part(part, role)
        if written is None:
            self._omissions.refuse(f"{part.kind} in {role} messages")
        elif self._content is None:
            self._open(role).append(written)
        else:
            self._content.append(written)

    def _open(self, role: Role) -> list[dict[str, Any]]:
        role = Role.USER if role is Role.TOOL else role
        self._content = []
        message = {"type": "message", "role": role.value, "content": self._content}
        self.items.append(message)
        return self._content

    def _call(self, part: ToolCall) -> dict[str, Any]:
        if part.signature is not None:
            self._omissions.drop(SIGNED_CALL)
        return {
            "type": "function_call",
            "call_id": part.id,
            "name": part.name,
            "arguments": part.arguments,
        }

    def _output(self, part: ToolResult) -> dict[str, Any]:
        """An error is told by the status, the only place for it."""
        item: dict[str, Any] = {
            "type": "function_call_output",
            "call_id": part.call,
            "output": self._result(part.parts),
        }
        if part.error:
            item["status"] = "incomplete"
        return item

    def _result(self, parts: Iterable[Text | Image | File]) -> str | list[dict[str, Any]]:
        parts = tuple(parts)
        if any(part.cache is not None for part in parts):
            self._omissions.drop(CACHE)
        if not parts:
            return ""
        if len(parts) == 1 and isinstance(parts[0], Text) and parts[0].text:
            return parts[0].text
        written = [_content_part(part, Role.USER) for part in parts]
        return [part for part in written if part is not None]

    def _reasoning(self, part: Reasoning) -> None:
        """A thought that is not sealed means nothing to the API, which then looks for its id."""
        sealed = part.redacted or part.signature
        if sealed is None:
            self._omissions.drop(UNSIGNED)
            return
        self._item({"type": "reasoning", **sealed_thought(part), "encrypted_content": sealed})


def sealed_thought(part: Reasoning) -> dict[str, Any]:
    """The summary of a thought. A signature of a thought that was not shown has an empty one, a thought
    that only its provider can read has none.
    """
    shown = part.redacted is None
    return {"summary": [{"type": "summary_text", "text": part.text}] if shown else []}


def _content_part(part: Part, role: Role) -> dict[str, Any] | None:
    """A part of a message's content; None for what the role can't say."""
    spoken = role is Role.ASSISTANT
    match part:
        case Text() if spoken:
            return {"type": "output_text", "text": part.text, "annotations": []}
        case Text():
            return {"type": "input_text", "text": part.text}
        case Refusal() if spoken:
            return {"type": "refusal", "refusal": part.text}
        case Audio():
            return None
        case Image() if not spoken:
            return write_image(part)
        case File() if not spoken:
            return write_file(part)
        case _:
            return None
