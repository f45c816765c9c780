"""The tools of a chat request and the choice among them, the older `functions` included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.fields import Fields, items, wrong
from wattline.dialects.openai.places import (
    optional_flag,
    optional_record,
    optional_text,
    record,
    text,
)
from wattline.wire.prompt import Choice, Tool, ToolChoice

_CHOICES: Mapping[str, Choice] = MappingProxyType(
    {
        "auto": Choice.AUTO,
        "none": Choice.NONE,
        "required": Choice.REQUIRED,
        "any": Choice.REQUIRED,  # Mistral's word
    }
)


def read_tools(body: Fields, extras: dict[str, Any]) -> tuple[Tool, ...]:
    """`tools` and `functions`. Tools of other kinds go into `extras`. Raises ClientFault."""
    found = []
    for index, value in enumerate(items(body, "tools")):
        at = f"tools[{index}]"
        tool = record(value, at)
        sort = tool.get("type", "function")
        if sort != "function":
            word = sort[:64] if isinstance(sort, str) and sort.isprintable() else "unknown"
            extras[f"{at} ({word})"] = tool
            continue
        function = record(tool.get("function"), f"{at}.function")
        cache = optional_record(tool.get("cache_control"), f"{at}.cache_control")
        found.append(_function(function, f"{at}.function", cache))
    for index, value in enumerate(items(body, "functions")):
        at = f"functions[{index}]"
        found.append(_function(record(value, at), at, None))
    return tuple(found)


def _function(function: Mapping[str, Any], at: str, cache: Mapping[str, Any] | None) -> Tool:
    return Tool(
        name=text(function.get("name"), f"{at}.name"),
        description=optional_text(function.get("description"), f"{at}.description"),
        schema=optional_record(function.get("parameters"), f"{at}.parameters"),
        strict=optional_flag(function.get("strict"), f"{at}.strict"),
        cache=cache,
    )


def read_choice(body: Fields, extras: dict[str, Any]) -> ToolChoice | None:
    """`tool_choice` or `function_call`, with `parallel_tool_calls`. Raises ClientFault."""
    parallel = optional_flag(body.get("parallel_tool_calls"), "parallel_tool_calls")
    key = "function_call" if body.get("tool_choice") is None else "tool_choice"
    value = body.get(key)
    if value is None:
        return None if parallel is None else ToolChoice(parallel=parallel)
    if isinstance(value, str):
        if value not in _CHOICES:
            wrong(key, f"'{key}' must be 'auto', 'none', 'required' or a tool.", "invalid_value")
        return ToolChoice(_CHOICES[value], None, parallel)
    named = record(value, key)
    if key == "tool_choice":
        if named.get("type", "function") != "function":
            extras["tool_choice"] = named
            return None if parallel is None else ToolChoice(parallel=parallel)
        named, key = record(named.get("function"), "tool_choice.function"), "tool_choice.function"
    return ToolChoice(Choice.NAMED, text(named.get("name"), f"{key}.name"), parallel)


def write_tools(tools: Iterable[Tool], *, cache: bool) -> list[dict[str, Any]]:
    """`tools` of a request."""
    found = []
    for tool in tools:
        function: dict[str, Any] = {"name": tool.name}
        if tool.description is not None:
            function["description"] = tool.description
        if tool.schema is not None:
            function["parameters"] = tool.schema
        if tool.strict is not None:
            function["strict"] = tool.strict
        written: dict[str, Any] = {"type": "function", "function": function}
        if cache and tool.cache is not None:
            written["cache_control"] = tool.cache
        found.append(written)
    return found


def write_choice(choice: ToolChoice) -> dict[str, Any]:
    """The members of a request with tools for a choice."""
    members: dict[str, Any] = {"tool_choice": choice.choice.value}
    if choice.choice is Choice.NAMED:
        members["tool_choice"] = {"type": "function", "function": {"name": choice.name or ""}}
    if choice.parallel is not None:
        members["parallel_tool_calls"] = choice.parallel
    return members
