"""The parts of a prompt in the order in which providers keep them: tools, system, messages.

One reader for all dialects, by the names of fields: OpenAI's chat and responses, Anthropic, Gemini, Ollama.
Markers of what is to be cached (`cache_control`) move from message to message and are no part of a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wattline.dialects.json_text import dumps

_TOOLS: Final = ("tools", "functions")
_SYSTEM: Final = ("system", "instructions", "systemInstruction", "system_instruction")
_MESSAGES: Final = ("messages", "input", "contents")
_MARKER: Final = "cache_control"
_INSIDE: Final = ("content", "parts")
_SYSTEM_ROLES: Final = frozenset({"system", "developer"})


@dataclass(frozen=True, slots=True)
class Block:
    """One part. `kind` is `tool`, `system` or `message`; `index` counts within its field."""

    kind: str
    index: int
    role: str
    value: Any

    @property
    def text(self) -> bytes:
        """Its JSON, keys in the order in which they came: another order is another prompt."""
        return dumps(_bare(self.value))


def blocks(value: Mapping[str, Any]) -> Iterator[Block]:
    """The blocks of a request's parsed body. What has no shape that we know is a block as it is."""
    for index, item in enumerate(_items(value, _TOOLS)):
        yield Block("tool", index, "", item)
    for index, item in enumerate(_system(value)):
        yield Block("system", index, "system", item)
    for index, item in enumerate(_items(value, _MESSAGES)):
        role = _role(item)
        yield Block("system" if role in _SYSTEM_ROLES else "message", index, role, item)


def stable_prefix(value: Mapping[str, Any], most: int = 8) -> Iterator[Block]:
    """What stays the same from call to call of a conversation: all up to the first message of the user, at
    most so many messages.
    """
    messages = 0
    for block in blocks(value):
        yield block
        if block.kind == "message":
            messages += 1
            if block.role == "user" or messages == most:
                return


def _items(value: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    for name in names:
        found = value.get(name)
        if isinstance(found, list):
            return found
        if isinstance(found, str):
            return [found]
    return []


def _system(value: Mapping[str, Any]) -> list[Any]:
    for name in _SYSTEM:
        found = value.get(name)
        if isinstance(found, list):
            return found
        if found is not None:
            return [found]
    return []


def _role(item: Any) -> str:
    """A text alone, and what says no role, is the user's. Roles that nobody knows are shortened."""
    if not isinstance(item, dict):
        return "user"
    role = item.get("role")
    if isinstance(role, str):
        return role[:32]
    kind = item.get("type")
    return kind[:32] if isinstance(kind, str) and kind != "message" else "user"


def _bare(value: Any) -> Any:
    """Without markers, on the block and on the parts of its content."""
    if not isinstance(value, dict):
        return value
    bare = {name: item for name, item in value.items() if name != _MARKER}
    for name in _INSIDE:
        inside = bare.get(name)
        if isinstance(inside, list):
            bare[name] = [_unmarked(part) for part in inside]
    return bare


def _unmarked(part: Any) -> Any:
    if isinstance(part, dict) and _MARKER in part:
        return {name: item for name, item in part.items() if name != _MARKER}
    return part
