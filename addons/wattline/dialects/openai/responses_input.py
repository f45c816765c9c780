"""Reads the `input` of a Responses request into messages.

An assistant's turn comes as several items (reasoning, a message, calls) and becomes one message; so do
the outputs of tools that stand together. Items that have no neutral form become extras of their path.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.openai.responses_fields import (
    Item,
    choose,
    expect,
    join,
    objects,
    optional_text,
    text,
)
from wattline.dialects.openai.responses_media import cache_of, read_file, read_image
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

PARAGRAPH = "\n\n"
"""Between the parts of a reasoning summary, which are one thought."""

_ROLES = frozenset({"user", "assistant", "system", "developer"})
_TEXTS = ("input_text", "output_text", "text")

_KNOWN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "message": frozenset({"type", "role", "content", "id", "status", "phase"}),
        "function_call": frozenset({"type", "id", "status", "call_id", "name", "arguments"}),
        "function_call_output": frozenset({"type", "id", "status", "call_id", "name", "output"}),
        "reasoning": frozenset({"type", "id", "status", "summary", "content", "encrypted_content"}),
    }
)
"""What is read of each item, or means nothing outside the API that stored it."""
_DIRECT = MappingProxyType({"type": "direct"})
"""The `caller` of an ordinary call."""


class Conversation:
    """What the items of an input add up to."""

    def __init__(self) -> None:
        self.hints: dict[str, Any] = {}
        self.extras: dict[str, Any] = {}
        self.names: dict[str, str] = {}
        """The tools' names by the ids of their calls."""
        self._messages: list[Message] = []
        self._role: Role | None = None
        self._parts: list[Part] = []
        self._called = False

    def add(self, role: Role, *parts: Part) -> None:
        """More of the turn that goes on, or a new one."""
        if role is not self._role or not self._goes_on(parts):
            self._close()
            self._role = role
        self._parts += parts
        self._called = self._called or any(isinstance(part, ToolCall) for part in parts)

    def messages(self) -> tuple[Message, ...]:
        """All turns, the last one included."""
        self._close()
        return tuple(self._messages)

    def _goes_on(self, parts: tuple[Part, ...]) -> bool:
        """Two messages of an assistant stay two, unless there is a call between them: its output has to
        follow the turn that made it. The last part tells which it is.
        """
        if self._role is not Role.ASSISTANT:
            return self._role is Role.TOOL
        last = self._parts[-1] if self._parts else None
        if not isinstance(last, Text | Refusal):
            return True
        return self._called or all(isinstance(part, ToolCall) for part in parts)

    def _close(self) -> None:
        if self._role is not None:
            self._messages.append(Message(self._role, tuple(self._parts)))
        self._role, self._parts, self._called = None, [], False


def read_input(body: Item, found: Conversation) -> None:
    """Add the `input` of a request. Raises ClientFault."""
    value = body.get("input")
    if isinstance(value, str):
        found.add(Role.USER, Text(value))
    elif value is not None and not isinstance(value, list):
        expect("input", "a string or an array", value)
    else:
        for at, item in objects(body, "input", ""):
            _item(item, at, found)


def _item(item: Item, at: str, found: Conversation) -> None:
    kind = item.get("type")
    if kind is None and "role" in item:
        kind = "message"
    if not isinstance(kind, str):
        expect(join(at, "type"), "a string", kind)
    match kind:
        case "message":
            _message(item, at, found)
        case "function_call":
            _call(item, at, found)
        case "function_call_output":
            _output(item, at, found)
        case "reasoning":
            found.add(Role.ASSISTANT, _reasoning(item, at))
        case _:
            found.extras[f"{at} ({kind})"] = dict(item)
            return
    for key, value in item.items():
        if key not in _KNOWN[kind] and value not in (None, False, _DIRECT):
            found.extras[f"{at}.{key}"] = value


def _message(item: Item, at: str, found: Conversation) -> None:
    role = Role(choose(join(at, "role"), item.get("role"), _ROLES))
    parts = read_parts(item, "content", at, found)
    found.add(role, *parts)
    if (phase := optional_text(item, "phase", at)) is not None:
        found.hints[f"{at}.phase"] = phase


def read_parts(item: Item, key: str, at: str, found: Conversation) -> tuple[Any, ...]:
    """A content: a text, or an array of parts."""
    value = item.get(key)
    if isinstance(value, str):
        return (Text(value),)
    if not isinstance(value, list):
        expect(join(at, key), "a string or an array of parts", value)
    parts: list[Part] = []
    for where, part in objects(item, key, at):
        kind = part.get("type")
        if not isinstance(kind, str):
            expect(join(where, "type"), "a string", kind)
        if (read := _part(kind, part, where)) is None:
            found.extras[f"{where} ({kind})"] = dict(part)
        else:
            parts.append(read)
    return tuple(parts)


def _part(kind: str, part: Item, at: str) -> Text | Image | File | Audio | Refusal | None:
    if kind in _TEXTS:
        return Text(text(part, "text", at), cache_of(part))
    match kind:
        case "input_image":
            return read_image(part, at)
        case "input_file":
            return read_file(part, at)
        case "refusal":
            return Refusal(text(part, "refusal", at))
        case "input_audio":
            return _audio(part, at)
        case _:
            return None


def _audio(part: Item, at: str) -> Audio:
    inner, where = part.get("input_audio"), join(at, "input_audio")
    if not isinstance(inner, dict):
        expect(where, "an object", inner)
    return Audio(f"audio/{text(inner, 'format', where)}", data=text(inner, "data", where))


def _call(item: Item, at: str, found: Conversation) -> None:
    call, name = text(item, "call_id", at), text(item, "name", at)
    found.names[call] = name
    found.add(Role.ASSISTANT, ToolCall(call, name, text(item, "arguments", at)))


def _output(item: Item, at: str, found: Conversation) -> None:
    """`status` is the only place where the API says that a call did not go well."""
    call = text(item, "call_id", at)
    parts = read_parts(item, "output", at, found)
    kept = tuple(part for part in parts if isinstance(part, Text | Image | File))
    if len(kept) != len(parts):
        found.extras[f"{at}.output"] = item["output"]
    name = optional_text(item, "name", at) or found.names.get(call)
    if item.get("output") == "":
        kept = ()
    found.add(Role.TOOL, ToolResult(call, kept, name, error=item.get("status") == "incomplete"))


def _reasoning(item: Item, at: str) -> Reasoning:
    """See `thought`: here with all checks."""
    summary = [text(part, "text", where) for where, part in objects(item, "summary", at)]
    content = [text(part, "text", where) for where, part in objects(item, "content", at)]
    return thought(summary, content, optional_text(item, "encrypted_content", at))


def thought(summary: list[str], content: list[str], sealed: str | None) -> Reasoning:
    """A reasoning item. One without any text is a thought that only its provider can read; an empty
    summary that is there says that it is a signature of a thought that was not shown.
    """
    shown = PARAGRAPH.join(summary or content)
    if sealed and not summary and not shown:
        return Reasoning(redacted=sealed)
    return Reasoning(shown, sealed or None)
