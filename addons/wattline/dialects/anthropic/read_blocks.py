"""Reads Anthropic's messages and their blocks into neutral ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wattline.dialects.anthropic.arguments import arguments_of, encoded
from wattline.dialects.fields import kind, wrong
from wattline.wire.parts import (
    File,
    Image,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from wattline.wire.prompt import Message, Role

_TEXT = frozenset({"type", "text", "cache_control"})
_THINKING = frozenset({"type", "thinking", "signature"})
_REDACTED = frozenset({"type", "data"})
_IMAGE = frozenset({"type", "source", "cache_control"})
_DOCUMENT = frozenset({"type", "source", "title", "cache_control"})
_CALL = frozenset({"type", "id", "name", "input", "cache_control", "caller"})
_RESULT = frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"})

_ROLES = ("user", "assistant", "system")


@dataclass(slots=True)
class BlockReader:
    """Reads the messages of one request. What has no neutral form goes into `extras` under its path."""

    extras: dict[str, Any]
    names: dict[str, str] = field(default_factory=dict)
    """The tool of each call by the call's id."""

    def messages(self, messages: list[Any]) -> list[Message]:
        """Neutral messages; each tool result is one of its own, at its place. Raises ClientFault."""
        found: list[Message] = []
        for index, message in enumerate(messages):
            at = f"messages[{index}]"
            role = _text(message, "role", at)
            if role not in _ROLES:
                wrong(
                    f"{at}.role",
                    f"'{at}.role' must be 'user', 'assistant' or 'system'.",
                    "invalid_value",
                )
            parts = self.content(message.get("content"), f"{at}.content")
            found += _turns(Role(role), parts)
        return found

    def content(self, content: Any, at: str) -> list[Part]:
        """The parts of a text or of blocks. Raises ClientFault."""
        if isinstance(content, str):
            return [Text(content)]
        if not isinstance(content, list):
            wrong(at, f"'{at}' must be a string or an array of blocks, not {kind(content)}.")
        found: list[Part] = []
        for index, block in enumerate(content):
            here = f"{at}[{index}]"
            if not isinstance(block, dict):
                wrong(here, f"'{here}' must be an object, not {kind(block)}.")
            part = self._part(block, here)
            if part is not None:
                found.append(part)
        return found

    def _part(self, block: dict[str, Any], at: str) -> Part | None:
        match _text(block, "type", at):
            case "text":
                self._rest(block, at, _TEXT, ("citations",))
                return Text(_text(block, "text", at), self._cache(block, at))
            case "image":
                self._rest(block, at, _IMAGE)
                return self._image(block, at)
            case "document":
                return self._document(block, at)
            case "thinking":
                self._rest(block, at, _THINKING)
                signature = _optional(block, "signature", at)
                return Reasoning(_text(block, "thinking", at), signature or None)
            case "redacted_thinking":
                self._rest(block, at, _REDACTED)
                return Reasoning(redacted=_text(block, "data", at))
            case "tool_use":
                return self._call(block, at)
            case "tool_result":
                return self._result(block, at)
            case other:
                self.extras[f"{at} ({other})"] = block
                return None

    def _rest(
        self,
        block: Mapping[str, Any],
        at: str,
        known: frozenset[str],
        ignored: tuple[str, ...] = (),
    ) -> None:
        """Fields without a neutral form. `ignored` say where an earlier answer's words came from."""
        for key, value in block.items():
            if key not in known and key not in ignored and value is not None:
                self.extras[f"{at}.{key}"] = value

    def _cache(self, block: Mapping[str, Any], at: str) -> Mapping[str, Any] | None:
        cache = block.get("cache_control")
        if cache is not None and not isinstance(cache, dict):
            here = f"{at}.cache_control"
            wrong(here, f"'{here}' must be an object, not {kind(cache)}.")
        return cache

    def _image(self, block: dict[str, Any], at: str) -> Image | None:
        source, here = _source(block, at)
        cache = self._cache(block, at)
        match _text(source, "type", here):
            case "base64":
                media_type = _text(source, "media_type", here)
                return Image(media_type, data=_text(source, "data", here), cache=cache)
            case "url":
                return Image(url=_text(source, "url", here), cache=cache)
            case "file":
                return Image(id=_text(source, "file_id", here), cache=cache)
            case other:
                self.extras[f"{here} ({other})"] = source
                return None

    def _document(self, block: dict[str, Any], at: str) -> Part | None:
        self._rest(block, at, _DOCUMENT)
        source, here = _source(block, at)
        title, cache = _optional(block, "title", at), self._cache(block, at)
        match _text(source, "type", here):
            case "base64":
                media_type = _text(source, "media_type", here)
                data = _text(source, "data", here)
                return File(media_type, data=data, name=title, cache=cache)
            case "text":
                data = encoded(_text(source, "data", here))
                return File("text/plain", data=data, name=title, cache=cache)
            case "url":
                return File(url=_text(source, "url", here), name=title, cache=cache)
            case "file":
                return File(id=_text(source, "file_id", here), name=title, cache=cache)
            case other:
                self.extras[f"{here} ({other})"] = source
                return None

    def _call(self, block: dict[str, Any], at: str) -> ToolCall:
        self._rest(block, at, _CALL)
        call = ToolCall(
            _text(block, "id", at),
            _text(block, "name", at),
            arguments_of(_object(block, "input", at)),
            cache=self._cache(block, at),
        )
        self.names[call.id] = call.name
        return call

    def _result(self, block: dict[str, Any], at: str) -> ToolResult:
        self._rest(block, at, _RESULT)
        content = block.get("content")
        parts = [] if content is None else self.content(content, f"{at}.content")
        kept: list[Text | Image | File] = []
        for part in parts:
            if isinstance(part, Text | Image | File):
                kept.append(part)
            else:
                self.extras[f"{at}.content ({part.kind})"] = True
        error = block.get("is_error")
        if error is not None and not isinstance(error, bool):
            here = f"{at}.is_error"
            wrong(here, f"'{here}' must be true or false, not {kind(error)}.")
        call = _text(block, "tool_use_id", at)
        name, cache = self.names.get(call), self._cache(block, at)
        return ToolResult(call, tuple(kept), name, error is True, cache)


def _turns(role: Role, parts: list[Part]) -> list[Message]:
    """A user's message with its tool results taken out into messages of their own, the order kept."""
    if role is not Role.USER or not any(isinstance(part, ToolResult) for part in parts):
        return [Message(role, tuple(parts))]
    found: list[Message] = []
    turn: list[Part] = []
    for part in parts:
        if isinstance(part, ToolResult):
            if turn:
                found.append(Message(role, tuple(turn)))
                turn = []
            found.append(Message(Role.TOOL, (part,)))
        else:
            turn.append(part)
    return [*found, Message(role, tuple(turn))] if turn else found


def _source(block: dict[str, Any], at: str) -> tuple[dict[str, Any], str]:
    return _object(block, "source", at), f"{at}.source"


def _object(block: dict[str, Any], key: str, at: str) -> dict[str, Any]:
    value = block.get(key)
    if not isinstance(value, dict):
        here = f"{at}.{key}"
        code = "missing_required_parameter" if value is None else "invalid_type"
        wrong(here, f"'{here}' must be an object, not {kind(value)}.", code)
    return value


def _text(block: Mapping[str, Any], key: str, at: str) -> str:
    value = block.get(key)
    if not isinstance(value, str):
        here = f"{at}.{key}"
        code = "missing_required_parameter" if value is None else "invalid_type"
        wrong(here, f"'{here}' must be a string, not {kind(value)}.", code)
    return value


def _optional(block: Mapping[str, Any], key: str, at: str) -> str | None:
    return None if block.get(key) is None else _text(block, key, at)
