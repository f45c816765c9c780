"""Writes the messages of a chat request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from wattline.dialects.openai.chat_blobs import write_blob
from wattline.dialects.openai.chat_calls import write_call
from wattline.dialects.openai.chat_thought import write_thought
from wattline.dialects.openai.chat_traits import ChatTraits
from wattline.dialects.openai.omissions import Omissions
from wattline.wire.parts import (
    Audio,
    Blob,
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

_ALLOWED: Mapping[Role, tuple[type, ...]] = MappingProxyType(
    {
        Role.SYSTEM: (Text,),
        Role.DEVELOPER: (Text,),
        Role.USER: (Text, Image, Audio, File),
        Role.ASSISTANT: (Text, Refusal, Reasoning, ToolCall),
        Role.TOOL: (Text,),
    }
)
"""What a message of a role can hold. Tool results become messages of their own."""


class HistoryWriter:
    """Writes one prompt's messages for a provider."""

    def __init__(self, traits: ChatTraits, omissions: Omissions) -> None:
        self._traits = traits
        self._omissions = omissions
        self._attached: list[dict[str, Any]] = []
        """Parts of tool results that a tool's message can't hold: a user's message after the run of
        tool messages does, since a call's results must follow it without a gap.
        """

    def write(self, messages: Iterable[Message]) -> list[dict[str, Any]]:
        """The messages in a provider's shape."""
        found: list[dict[str, Any]] = []
        for message in messages:
            results = [part for part in message.parts if isinstance(part, ToolResult)]
            found += [self._result(result) for result in results]
            others = [part for part in message.parts if not isinstance(part, ToolResult)]
            if message.role is Role.TOOL:
                self._check(others, Role.TOOL)
            elif others or not results:
                if self._attached:
                    found.append(self._attachment())
                found.append(self._message(message, others))
        if self._attached:
            found.append(self._attachment())
        return found

    def _attachment(self) -> dict[str, Any]:
        parts, self._attached = self._attached, []
        return {"role": "user", "content": parts}

    def _message(self, message: Message, parts: Sequence[Part]) -> dict[str, Any]:
        role = message.role
        if role is Role.DEVELOPER and not self._traits.developer:
            role = Role.SYSTEM
        kept = self._check(parts, message.role)
        written: dict[str, Any] = {"role": role.value}
        if message.name is not None:
            written["name"] = message.name
        if role is Role.ASSISTANT:
            return written | self._assistant(kept)
        return written | {"content": self._content(kept)}

    def _check(self, parts: Iterable[Part], role: Role) -> list[Part]:
        """The parts that a message of a role can hold; the others are reported."""
        kept = []
        for part in parts:
            if isinstance(part, _ALLOWED[role]):
                kept.append(part)
            else:
                self._omissions.refuse(f"{part.kind} in {role} messages")
        return kept

    def _assistant(self, parts: Sequence[Part]) -> dict[str, Any]:
        said = [part for part in parts if isinstance(part, Text | Refusal)]
        calls = [part for part in parts if isinstance(part, ToolCall)]
        written: dict[str, Any] = {"content": self._content(said) if said or not calls else None}
        if len(said) == 1 and isinstance(said[0], Refusal):
            written = {"content": None, "refusal": said[0].text}
        written |= self._thought(parts)
        if calls:
            written["tool_calls"] = [
                write_call(call, signed=self._traits.signatures) for call in calls
            ]
        return written

    def _thought(self, parts: Sequence[Part]) -> dict[str, Any]:
        traits = self._traits
        written = write_thought(parts, name=traits.reasoning, details=traits.signatures)
        if not written and any(isinstance(part, Reasoning) for part in parts):
            self._omissions.drop("reasoning in assistant messages")
        return written

    def _content(self, parts: Sequence[Part]) -> str | list[dict[str, Any]]:
        if not parts:
            return ""
        if len(parts) == 1 and isinstance(parts[0], Text) and not self._marked(parts[0]):
            return parts[0].text
        written = [self._part(part) for part in parts]
        return [part for part in written if part is not None]

    def _marked(self, part: Text | Blob) -> bool:
        return self._traits.cache and part.cache is not None

    def _part(self, part: Part) -> dict[str, Any] | None:
        if isinstance(part, Refusal):
            return {"type": "refusal", "refusal": part.text}
        if isinstance(part, Text):
            written: dict[str, Any] | None = {"type": "text", "text": part.text}
        elif isinstance(part, Blob):
            written = write_blob(part)
            if written is None:
                how = "URL" if part.url is not None else "id"
                self._omissions.refuse(f"{part.kind} by {how} in messages")
        else:
            return None
        if written is not None and self._marked(part):
            written["cache_control"] = part.cache
        return written

    def _result(self, result: ToolResult) -> dict[str, Any]:
        """A tool's message. That a result is an error has no field: its text has to say so."""
        texts: list[Part] = [part for part in result.parts if isinstance(part, Text)]
        blobs = [part for part in result.parts if not isinstance(part, Text)]
        if result.error:
            self._omissions.drop("error flags of tool results")
            texts = texts or [Text("error")]
        attached = [part for part in map(self._part, blobs) if part is not None]
        if attached:
            label = f"Attached to the result of tool call {result.call}:"
            self._attached += [{"type": "text", "text": label}, *attached]
        return {
            "role": "tool",
            "tool_call_id": result.call,
            "content": self._content(texts),
        }
