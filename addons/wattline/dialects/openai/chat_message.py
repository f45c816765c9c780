"""Reads the messages of a chat request."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.fields import kind, wrong
from wattline.dialects.openai.chat_blobs import image_from_url, read_audio, read_file, read_image
from wattline.dialects.openai.chat_calls import read_signature
from wattline.dialects.openai.chat_thought import DETAILS, TEXTS, read_thought
from wattline.dialects.openai.places import array, optional_record, optional_text, record, text
from wattline.wire.parts import File, Image, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from wattline.wire.prompt import Message, Role

_ROLES: Mapping[str, Role] = MappingProxyType(
    {**{role.value: role for role in Role}, "function": Role.TOOL}
)
_READ = frozenset(
    {
        *("role", "content", "name", "refusal", "tool_calls", "function_call", "tool_call_id"),
        *("images", DETAILS, *TEXTS),
    }
)
_IGNORED = frozenset({"annotations", "id", "created", "created_at", "cache_control"})
"""What clients send back with an answer, or as a hint, and no model reads."""


class MessageReader:
    """Reads one request's messages in their order. What has no neutral form goes into `extras`."""

    def __init__(self, extras: dict[str, Any]) -> None:
        self._extras = extras
        self._names: dict[str, str] = {}
        """The tools of the calls so far, by the calls' ids."""
        self._legacy: str | None = None
        """The id that the last `function_call` got."""

    def read(self, value: Any, at: str) -> Message:
        """The message at a place. Raises ClientFault naming the field at fault."""
        message = record(value, at)
        role = self._role(message, at)
        for key, extra in message.items():
            if extra and key not in _READ and key not in _IGNORED:
                self._extras[f"{at}.{key}"] = extra
        name = optional_text(message.get("name"), f"{at}.name") or None
        if role is Role.TOOL:
            return Message(role, (self._result(message, at, name),))
        if role is Role.ASSISTANT:
            return Message(role, tuple(self._assistant(message, at)), name)
        return Message(role, tuple(self._content(message.get("content"), f"{at}.content")), name)

    def _role(self, message: Mapping[str, Any], at: str) -> Role:
        role = text(message.get("role"), f"{at}.role")
        if role not in _ROLES:
            known = ", ".join(f"'{known}'" for known in _ROLES)
            wrong(f"{at}.role", f"'{at}.role' must be one of {known}.", "invalid_value")
        return _ROLES[role]

    def _assistant(self, message: Mapping[str, Any], at: str) -> list[Part]:
        parts: list[Part] = [*read_thought(message)]
        parts += self._content(message.get("content"), f"{at}.content")
        if refusal := optional_text(message.get("refusal"), f"{at}.refusal"):
            parts.append(Refusal(refusal))
        parts += read_pictures(message.get("images"))
        calls = message.get("tool_calls")
        for index, call in enumerate([] if calls is None else array(calls, f"{at}.tool_calls")):
            found = self._call(call, f"{at}.tool_calls[{index}]")
            if found is not None:
                parts.append(found)
        legacy = optional_record(message.get("function_call"), f"{at}.function_call")
        if legacy is not None:
            self._legacy = f"call_function_{len(self._names)}"
            parts.append(self._function(self._legacy, legacy, f"{at}.function_call", None))
        return parts

    def _call(self, value: Any, at: str) -> ToolCall | None:
        call = record(value, at)
        sort = call.get("type", "function")
        if sort != "function":
            self._extras[f"{at} ({_word(sort)})"] = call
            return None
        id_ = text(call.get("id"), f"{at}.id")
        function = record(call.get("function"), f"{at}.function")
        return self._function(id_, function, f"{at}.function", read_signature(call))

    def _function(
        self, id_: str, function: Mapping[str, Any], at: str, signature: str | None
    ) -> ToolCall:
        name = text(function.get("name"), f"{at}.name")
        arguments = optional_text(function.get("arguments"), f"{at}.arguments")
        self._names[id_] = name
        return ToolCall(id_, name, "{}" if arguments is None else arguments, signature)

    def _result(self, message: Mapping[str, Any], at: str, name: str | None) -> ToolResult:
        """A tool's message, or the older kind that names its function and no call."""
        if message["role"] == "tool":
            call = text(message.get("tool_call_id"), f"{at}.tool_call_id")
            name = name or self._names.get(call)
        else:
            name = text(name, f"{at}.name")
            known = self._legacy is not None and self._names.get(self._legacy) == name
            call = self._legacy if known and self._legacy else f"call_{name}"
        content = self._content(message.get("content"), f"{at}.content")
        parts = tuple(part for part in content if isinstance(part, Text | Image | File))
        for part in content:
            if not isinstance(part, Text | Image | File):
                self._extras[f"{at}.content ({part.kind})"] = True
        return ToolResult(call, parts, name)

    def _content(self, value: Any, at: str) -> list[Part]:
        """A text, null, or parts. An empty text is none: there are dialects that refuse it."""
        if value is None:
            return []
        if isinstance(value, str):
            return [Text(value)] if value else []
        if not isinstance(value, list):
            wrong(at, f"'{at}' must be a string or an array of parts, not {kind(value)}.")
        found = [self._part(part, f"{at}[{index}]") for index, part in enumerate(value)]
        return [part for part in found if part is not None and part != Text("")]

    def _part(self, value: Any, at: str) -> Part | None:
        if isinstance(value, str):
            return Text(value)
        part = record(value, at)
        sort = text(part.get("type"), f"{at}.type")
        match sort:
            case "text":
                cache = optional_record(part.get("cache_control"), f"{at}.cache_control")
                return Text(text(part.get("text"), f"{at}.text"), cache)
            case "image_url":
                return read_image(part, at)
            case "input_audio":
                return read_audio(part, at)
            case "file":
                return read_file(part, at)
            case "refusal":
                return Refusal(text(part.get("refusal"), f"{at}.refusal"))
            case "thinking":
                return thinking_chunk(part)
            case "document_url":
                return File(url=text(part.get("document_url"), f"{at}.document_url"))
        self._extras[f"{at} ({_word(sort)})"] = part
        return None


def thinking_chunk(part: Mapping[str, Any]) -> Reasoning | None:
    """Mistral's part for thought: text parts, or a text; None when it is empty."""
    inner = part.get("thinking")
    items = inner if isinstance(inner, list) else [{"text": inner}]
    texts = [item.get("text") for item in items if isinstance(item, dict)]
    found = "".join(text for text in texts if isinstance(text, str))
    return Reasoning(found) if found else None


def read_pictures(value: Any) -> list[Image]:
    """The `images` of an assistant's message, as OpenRouter gives them; what is none is passed over."""
    found = []
    for item in value if isinstance(value, list) else ():
        inner = item.get("image_url") if isinstance(item, dict) else None
        url = inner.get("url") if isinstance(inner, dict) else inner
        if isinstance(url, str) and url:
            found.append(image_from_url(url))
    return found


def _word(sort: Any) -> str:
    """A type's name for a report: never long, never odd."""
    return sort[:64] if isinstance(sort, str) and sort.isprintable() else "unknown"
