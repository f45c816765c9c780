"""Reads a Responses request into a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.dialects.fields import count, flag, number, optional_name, wrong
from wattline.dialects.openai.responses_fields import (
    Item,
    choose,
    expect,
    join,
    objects,
    optional_flag,
    optional_object,
    optional_text,
    text,
)
from wattline.dialects.openai.responses_input import Conversation, read_input
from wattline.wire.parts import Text
from wattline.wire.prompt import (
    Choice,
    Format,
    Prompt,
    Role,
    Sampling,
    Thinking,
    Tool,
    ToolChoice,
)

ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})

HINTS = frozenset(
    {
        "client_metadata",
        "image",
        "max_tool_calls",
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "stream_options",
        "truncation",
    }
)
"""Fields that change nothing of an answer's meaning. `max_tool_calls` counts hosted tools only."""

_READ = frozenset(
    {
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "model",
        "parallel_tool_calls",
        "reasoning",
        "stream",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_p",
        "user",
    }
)
_CHOICES = frozenset({"auto", "none", "required"})
_FORMATS = frozenset({"text", "json_object", "json_schema"})
_SUMMARIES = frozenset({"auto", "concise", "detailed"})
_TOOL_FIELDS = frozenset({"type", "name", "description", "parameters", "strict"})


def read_prompt(body: Mapping[str, Any]) -> Prompt:
    """The prompt of a request. Raises ClientFault naming the field at fault."""
    found = Conversation()
    if instructions := optional_text(body, "instructions", ""):
        found.add(Role.SYSTEM, Text(instructions))
    read_input(body, found)
    thinking = _thinking(body, found)
    _include(body, thinking, found)
    return Prompt(
        messages=found.messages(),
        tools=_tools(body, found),
        tool_choice=_tool_choice(body, found),
        format=_text(body, found),
        sampling=_sampling(body),
        thinking=thinking,
        stream=flag(body, "stream"),
        user=optional_name(body, "user"),
        hints=found.hints | _hints(body),
        extras=found.extras | _extras(body),
    )


def _hints(body: Item) -> dict[str, Any]:
    """Not to store is no wish that could be left out: nobody else does, nor is it written otherwise."""
    found = {key: body[key] for key in body if key in HINTS and body[key] is not None}
    return {key: value for key, value in found.items() if (key, value) != ("store", False)}


def _extras(body: Item) -> dict[str, Any]:
    """All other fields, but for those that ask for nothing."""
    asked = (key for key in body if key not in HINTS and key not in _READ)
    return {key: body[key] for key in asked if body[key] not in (None, False, 0, [], {})}


def _sampling(body: Item) -> Sampling:
    number(body, "temperature", 0, 2)
    number(body, "top_p", 0, 1)
    return Sampling(
        max_tokens=count(body, "max_output_tokens"),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
    )


def _tools(body: Item, found: Conversation) -> tuple[Tool, ...]:
    tools = []
    for at, tool in objects(body, "tools", ""):
        kind = text(tool, "type", at)
        if kind != "function":
            found.extras[f"{at} ({kind})"] = dict(tool)
            continue
        tools.append(
            Tool(
                _name(tool, at),
                optional_text(tool, "description", at),
                optional_object(tool, "parameters", at),
                optional_flag(tool, "strict", at),
            )
        )
        for key, value in tool.items():
            if key not in _TOOL_FIELDS and value not in (None, False):
                found.extras[f"{at}.{key}"] = value
    return tuple(tools)


def _name(item: Item, at: str) -> str:
    name = text(item, "name", at)
    if not name:
        wrong(join(at, "name"), f"'{join(at, 'name')}' is empty. Give it a name.", "invalid_value")
    return name


def _tool_choice(body: Item, found: Conversation) -> ToolChoice | None:
    parallel = optional_flag(body, "parallel_tool_calls", "")
    value = body.get("tool_choice")
    if isinstance(value, dict):
        if value.get("type") == "function":
            return ToolChoice(Choice.NAMED, _name(value, "tool_choice"), parallel)
        kind = text(value, "type", "tool_choice")
        found.extras[f"tool_choice ({kind})"] = value
    elif value is not None:
        return ToolChoice(Choice(choose("tool_choice", value, _CHOICES)), parallel=parallel)
    return None if parallel is None else ToolChoice(parallel=parallel)


def _text(body: Item, found: Conversation) -> Format | None:
    value = optional_object(body, "text", "") or {}
    if (verbosity := optional_text(value, "verbosity", "text")) is not None:
        found.hints["verbosity"] = verbosity
    for key in value:
        if key not in ("format", "verbosity") and value[key] is not None:
            found.extras[f"text.{key}"] = value[key]
    form, at = optional_object(value, "format", "text"), "text.format"
    if form is None:
        return None
    kind = choose(join(at, "type"), form.get("type"), _FORMATS)
    if kind != "json_schema":
        return Format() if kind == "json_object" else None
    schema = form.get("schema")
    if not isinstance(schema, dict):
        expect(join(at, "schema"), "an object", schema)
    return Format(
        schema,
        _name(form, at),
        optional_text(form, "description", at),
        optional_flag(form, "strict", at),
    )


def _thinking(body: Item, found: Conversation) -> Thinking | None:
    value, at = optional_object(body, "reasoning", ""), "reasoning"
    if value is None:
        return None
    effort, summary = value.get("effort"), value.get("summary", value.get("generate_summary"))
    if effort is not None:
        choose(join(at, "effort"), effort, EFFORTS)
    if summary is not None:
        choose(join(at, "summary"), summary, _SUMMARIES | {"none"})
    if summary in _SUMMARIES and summary != "auto":
        found.hints["reasoning.summary"] = summary
    for key in value:
        if key not in ("effort", "summary", "generate_summary") and value[key] is not None:
            found.extras[f"{at}.{key}"] = value[key]
    visible = True if summary in _SUMMARIES else None
    return None if effort is None and visible is None else Thinking(effort, visible=visible)


def _include(body: Item, thinking: Thinking | None, found: Conversation) -> None:
    """What hosted tools should tell more of is a hint; sealed thoughts always come where there are any."""
    value = body.get("include")
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        expect("include", "an array of strings", value)
    if LOGPROBS in value:
        found.extras["include"] = [LOGPROBS]
    thinks = thinking is not None
    kept = [one for one in value if one != LOGPROBS and not (thinks and one == ENCRYPTED)]
    if kept:
        found.hints["include"] = kept
