"""A client's request in neutral form."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.fields import wrong
from wattline.dialects.gemini import config as configs
from wattline.dialects.gemini.places import array, optional_record, optional_text, record
from wattline.dialects.gemini.read_parts import PartReader
from wattline.dialects.gemini.read_tools import read_choice, read_tools
from wattline.dialects.gemini.turns import whole_turns
from wattline.wire.call import Call
from wattline.wire.parts import Part, ToolCall, ToolResult
from wattline.wire.prompt import Message, Prompt, Role

HINTS = ("labels", "serviceTier", "store")
"""Fields that change nothing of an answer's meaning."""

_ROLES: Mapping[str, Role] = MappingProxyType(
    {"user": Role.USER, "function": Role.USER, "model": Role.ASSISTANT}
)
_READ = frozenset(
    {"model", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", *HINTS}
)


def read_prompt(body: Mapping[str, Any], call: Call) -> Prompt:
    """The neutral prompt. Raises ClientFault naming the field at fault."""
    fields = record(body, "the body")
    reader = PartReader()
    extras = reader.extras
    messages = [*_system(fields.get("systemInstruction"), reader)]
    for index, content in enumerate(array(fields.get("contents"), "contents")):
        messages += _content(content, f"contents[{index}]", reader)
    hints = {key: fields[key] for key in HINTS if fields.get(key) is not None}
    tools = read_tools(fields, extras, hints)
    choice = read_choice(fields, extras)
    config = optional_record(fields.get("generationConfig"), configs.AT)
    configs.keep_unknown(config, extras)
    wanted = configs.read_format(config, extras)
    thinking = configs.read_thinking(config, extras)
    extras.update({k: v for k, v in fields.items() if k not in _READ and v is not None})
    return Prompt(
        messages=tuple(whole_turns(messages)),
        tools=tools,
        tool_choice=choice,
        format=wanted,
        sampling=configs.read_sampling(config),
        thinking=thinking,
        stream=call.stream,
        hints=hints,
        extras=extras,
    )


def _parts(content: dict[str, Any], at: str, reader: PartReader) -> list[Part]:
    found: list[Part] = []
    for index, part in enumerate(array(content.get("parts"), f"{at}.parts")):
        found += reader.read(part, f"{at}.parts[{index}]")
    return found


def _system(value: Any, reader: PartReader) -> list[Message]:
    if value is None:
        return []
    at = "systemInstruction"
    parts = _parts(record(value, at), at, reader)
    if any(isinstance(part, ToolCall | ToolResult) for part in parts):
        wrong(at, f"'{at}' can't hold calls of functions.", "invalid_value")
    return [Message(Role.SYSTEM, tuple(parts))] if parts else []


def _content(value: Any, at: str, reader: PartReader) -> list[Message]:
    """One turn; results of tools become messages of their own, in their place."""
    content = record(value, at)
    role = _ROLES.get(optional_text(content.get("role"), f"{at}.role") or "user")
    if role is None:
        wrong(f"{at}.role", f"'{at}.role' must be 'user' or 'model'.", "invalid_value")
    messages: list[Message] = []
    run: list[Part] = []
    for part in _parts(content, at, reader):
        if isinstance(part, ToolCall) and role is not Role.ASSISTANT:
            wrong(at, f"'{at}' holds a functionCall: its role must be 'model'.", "invalid_value")
        if not isinstance(part, ToolResult):
            run.append(part)
            continue
        if run:
            messages.append(Message(role, tuple(run)))
            run = []
        messages.append(Message(Role.TOOL, (part,)))
    if run:
        messages.append(Message(role, tuple(run)))
    return messages
