"""Reads a request for a message into a neutral prompt."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.anthropic.error import LOST_THREAD
from wattline.dialects.anthropic.read_blocks import BlockReader
from wattline.dialects.anthropic.thinking import read_thinking
from wattline.dialects.fields import Fields, flag, items, kind, number, wrong
from wattline.wire.parts import Text
from wattline.wire.prompt import (
    Choice,
    Format,
    Message,
    Prompt,
    Role,
    Sampling,
    Tool,
    ToolChoice,
)

_READ = frozenset(
    {
        "model",
        "messages",
        "system",
        "max_tokens",
        "stream",
        "tools",
        "tool_choice",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "thinking",
        "output_config",
        "output_format",
        "metadata",
    }
)

HINTS = frozenset({"cache_control", "service_tier", "speed", "diagnostics", "user_profile_id"})
"""Fields that change nothing of an answer's meaning."""

_TOOL = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})
_TOOL_HINTS = ("defer_loading", "eager_input_streaming", "input_examples")

_CHOICES: Mapping[str, Choice] = MappingProxyType(
    {
        "auto": Choice.AUTO,
        "any": Choice.REQUIRED,
        "tool": Choice.NAMED,
        "none": Choice.NONE,
    }
)


def read_prompt(body: Fields) -> Prompt:
    """The neutral prompt. Raises ClientFault naming the field at fault."""
    extras: dict[str, Any] = {}
    hints: dict[str, Any] = {}
    blocks = BlockReader(extras)
    _check_thread(body.get("thread"))
    messages = items(body, "messages")
    _check_messages(messages)
    system = _system(body, blocks)
    config = _object(body, "output_config")
    effort = _effort(config, extras)
    prompt = Prompt(
        messages=(*system, *blocks.messages(messages)),
        tools=_tools(body, extras, hints),
        tool_choice=_tool_choice(body),
        format=_format(body, config, extras),
        sampling=_sampling(body),
        thinking=read_thinking(body.get("thinking"), effort, extras, hints),
        stream=flag(body, "stream"),
        user=_user(body, hints),
        hints=hints,
        extras=extras,
    )
    for key, value in body.items():
        if key not in _READ and value is not None:
            (hints if key in HINTS else extras)[key] = value
    return prompt


def _check_thread(thread: Any) -> None:
    """What continues a conversation holds only its last turn: to leave the field out would lose the rest."""
    if isinstance(thread, dict) and thread.get("type") == "continue":
        wrong("thread", f"{LOST_THREAD}. Send all of it.", "thread_not_found")


def _check_messages(messages: list[Any]) -> None:
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            at = f"messages[{index}]"
            wrong(at, f"'{at}' must be an object, not {kind(message)}.")


def _system(body: Fields, blocks: BlockReader) -> list[Message]:
    system = body.get("system")
    if system is None:
        return []
    parts = blocks.content(system, "system")
    for part in parts:
        if not isinstance(part, Text):
            blocks.extras[f"system ({part.kind})"] = True
    texts = tuple(part for part in parts if isinstance(part, Text))
    return [Message(Role.SYSTEM, texts)] if texts else []


def _object(body: Fields, key: str) -> dict[str, Any]:
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        wrong(key, f"'{key}' must be an object, not {kind(value)}.")
    return value


def _effort(config: dict[str, Any], extras: dict[str, Any]) -> str | None:
    for key, value in config.items():
        if key not in ("effort", "format") and value is not None:
            extras[f"output_config.{key}"] = value
    effort = config.get("effort")
    if effort is not None and not isinstance(effort, str):
        at = "output_config.effort"
        wrong(at, f"'{at}' must be a string, not {kind(effort)}.")
    return effort


def _format(body: Fields, config: dict[str, Any], extras: dict[str, Any]) -> Format | None:
    """`output_config.format`, or `output_format` as it was called before."""
    at = "output_format" if config.get("format") is None else "output_config.format"
    value = body.get(at) if at == "output_format" else config["format"]
    if value is None:
        return None
    if not isinstance(value, dict):
        wrong(at, f"'{at}' must be an object, not {kind(value)}.")
    if value.get("type") != "json_schema":
        extras[at] = value
        return None
    schema = value.get("schema")
    if not isinstance(schema, dict):
        wrong(f"{at}.schema", f"'{at}.schema' must be an object, not {kind(schema)}.")
    return Format(schema)


def _tools(body: Fields, extras: dict[str, Any], hints: dict[str, Any]) -> tuple[Tool, ...]:
    found = []
    for index, tool in enumerate(items(body, "tools")):
        at = f"tools[{index}]"
        if not isinstance(tool, dict):
            wrong(at, f"'{at}' must be an object, not {kind(tool)}.")
        if tool.get("type") in (None, "custom"):
            found.append(_tool(tool, at, extras, hints))
        else:
            extras[f"{at} ({tool['type']})"] = tool
    return tuple(found)


def _tool(tool: dict[str, Any], at: str, extras: dict[str, Any], hints: dict[str, Any]) -> Tool:
    types: tuple[tuple[str, type, str], ...] = (
        ("name", str, "a string"),
        ("description", str, "a string"),
        ("input_schema", dict, "an object"),
        ("strict", bool, "true or false"),
        ("cache_control", dict, "an object"),
    )
    for key, wanted, said in types:
        value = tool.get(key)
        if not isinstance(value, wanted) and (value is not None or key == "name"):
            wrong(f"{at}.{key}", f"'{at}.{key}' must be {said}, not {kind(value)}.")
    for key, value in tool.items():
        if key not in _TOOL and value is not None:
            (hints if key in _TOOL_HINTS else extras)[f"{at}.{key}"] = value
    return Tool(
        tool["name"],
        tool.get("description"),
        tool.get("input_schema"),
        tool.get("strict"),
        tool.get("cache_control"),
    )


def _tool_choice(body: Fields) -> ToolChoice | None:
    value = _object(body, "tool_choice")
    if not value:
        return None
    chosen = value.get("type")
    choice = _CHOICES.get(chosen) if isinstance(chosen, str) else None
    if choice is None:
        at = "tool_choice.type"
        wrong(at, f"'{at}' must be one of {', '.join(_CHOICES)}.", "invalid_value")
    serial = value.get("disable_parallel_tool_use")
    if serial is not None and not isinstance(serial, bool):
        at = "tool_choice.disable_parallel_tool_use"
        wrong(at, f"'{at}' must be true or false, not {kind(serial)}.")
    tool = value.get("name") if choice is Choice.NAMED else None
    if choice is Choice.NAMED and not isinstance(tool, str):
        at = "tool_choice.name"
        wrong(at, f"'{at}' must be a string, not {kind(tool)}.")
    return ToolChoice(choice, tool, None if serial is None else not serial)


def _sampling(body: Fields) -> Sampling:
    number(body, "temperature", 0, 1)
    number(body, "top_p", 0, 1)
    stop = items(body, "stop_sequences")
    for index, text in enumerate(stop):
        if not isinstance(text, str):
            at = f"stop_sequences[{index}]"
            wrong(at, f"'{at}' must be a string, not {kind(text)}.")
    return Sampling(
        max_tokens=_whole(body, "max_tokens"),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        top_k=_whole(body, "top_k"),
        stop=tuple(stop),
    )


def _whole(body: Fields, key: str) -> int | None:
    number(body, key, 0, 1_000_000_000)
    value = body.get(key)
    if value is not None and not isinstance(value, int):
        wrong(key, f"'{key}' must be an integer, not {kind(value)}.")
    return value


def _user(body: Fields, hints: dict[str, Any]) -> str | None:
    metadata = _object(body, "metadata")
    for key, value in metadata.items():
        if key != "user_id" and value is not None:
            hints[f"metadata.{key}"] = value
    user = metadata.get("user_id")
    if user is not None and not isinstance(user, str):
        wrong("metadata.user_id", f"'metadata.user_id' must be a string, not {kind(user)}.")
    return user or None
