"""Reads a chat's messages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.fields import Fields, kind, wrong
from wattline.dialects.json_text import dumps
from wattline.dialects.ollama.calls import OpenCalls
from wattline.dialects.ollama.settings import read_images
from wattline.wire.parts import Part, Reasoning, Text, ToolCall, ToolResult
from wattline.wire.prompt import Message, Role

_ROLES: Mapping[str, Role] = MappingProxyType({role.value: role for role in Role})
_FIELDS = frozenset({"role", "content", "images", "thinking", "tool_calls", "name"})
_RESULT_FIELDS = frozenset({"role", "content", "images", "tool_name", "tool_call_id", "name"})


class MessageReader:
    """Reads the messages of one chat in turn. `extras` are fields that no neutral message has."""

    def __init__(self) -> None:
        self.extras: dict[str, Any] = {}
        self._calls = OpenCalls()

    def read(self, value: Any, at: str) -> Message:
        """A message. Raises ClientFault naming the field that is not what Ollama takes."""
        if not isinstance(value, dict):
            wrong(at, f"'{at}' must be an object, not {kind(value)}.")
        role = _role(value, at)
        if role is Role.TOOL:
            return self._result(value, at)
        parts: list[Part] = []
        if thought := text(value, "thinking", at):
            parts.append(Reasoning(thought))
        parts += read_images(value.get("images"), f"{at}.images")
        if content := text(value, "content", at):
            parts.append(Text(content))
        parts += self._tool_calls(value.get("tool_calls"), f"{at}.tool_calls")
        self._note(value, at, _FIELDS)
        return Message(role, tuple(parts), text(value, "name", at) or None)

    def _result(self, value: Fields, at: str) -> Message:
        name = text(value, "tool_name", at) or text(value, "name", at) or None
        call, known = self._calls.answer(name, text(value, "tool_call_id", at) or None)
        content = text(value, "content", at)
        images = read_images(value.get("images"), f"{at}.images")
        words = (Text(content),) if content else ()
        self._note(value, at, _RESULT_FIELDS)
        return Message(Role.TOOL, (ToolResult(call, (*images, *words), known),))

    def _tool_calls(self, value: Any, at: str) -> list[ToolCall]:
        if value is None:
            return []
        if not isinstance(value, list):
            wrong(at, f"'{at}' must be an array, not {kind(value)}.")
        return [self._tool_call(item, f"{at}[{index}]") for index, item in enumerate(value)]

    def _tool_call(self, value: Any, at: str) -> ToolCall:
        function = _object(value, at).get("function")
        function = _object(function, f"{at}.function")
        name = text(function, "name", f"{at}.function")
        if not name:
            where = f"{at}.function.name"
            wrong(where, f"'{where}' is missing.", "missing_required_parameter")
        arguments = function.get("arguments")
        if arguments is None:
            arguments = {}
        arguments = _object(arguments, f"{at}.function.arguments")
        call = self._calls.add(name, text(value, "id", at) or None)
        return ToolCall(call, name, dumps(arguments).decode())

    def _note(self, value: Fields, at: str, known: frozenset[str]) -> None:
        for key in value.keys() - known:
            if value[key] not in (None, "", []):
                self.extras[f"{at} ({key})"] = value[key]


def _role(value: Fields, at: str) -> Role:
    role = value.get("role")
    where = f"{at}.role"
    if not isinstance(role, str):
        code = "missing_required_parameter" if role is None else "invalid_type"
        wrong(where, f"'{where}' must be a string such as 'user'.", code)
    found = _ROLES.get(role.lower())
    if found is None:
        wrong(where, f"'{where}' must be system, user, assistant or tool.", "invalid_value")
    return found


def text(value: Fields, key: str, at: str = "") -> str:
    """A text; an empty one when it is missing or null. Raises ClientFault."""
    found = value.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        where = f"{at}.{key}" if at else key
        wrong(where, f"'{where}' must be a string, not {kind(found)}.")
    return found


def _object(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        wrong(at, f"'{at}' must be an object, not {kind(value)}.")
    return value
