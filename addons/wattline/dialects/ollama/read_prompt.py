"""Reads a request for text, of chat or of generate, into a prompt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wattline.dialects.fields import Fields, items, kind, wrong
from wattline.dialects.ollama.options import read_options
from wattline.dialects.ollama.read_messages import MessageReader, text
from wattline.dialects.ollama.request import streams
from wattline.dialects.ollama.settings import (
    read_format,
    read_hints,
    read_images,
    read_think,
)
from wattline.wire.parts import Text
from wattline.wire.prompt import Message, Prompt, Role, Tool

_COMMON = frozenset({"model", "stream", "options", "format", "think", "keep_alive"})
_CHAT = _COMMON | {"messages", "tools"}
_ON = frozenset({"truncate", "shift"})
"""Switches that are on unless the client says no; all others are off."""
_GENERATE = _COMMON | {"prompt", "system", "images"}


def read_chat(body: Fields) -> Prompt:
    """The prompt of `/api/chat`. Raises ClientFault naming the field at fault."""
    messages = items(body, "messages")
    if not messages:
        wrong("messages", "'messages' is empty. Send at least one message.", "empty_array")
    reader = MessageReader()
    read = [reader.read(item, f"messages[{index}]") for index, item in enumerate(messages)]
    tools = [
        _tool(item, f"tools[{index}]", reader) for index, item in enumerate(items(body, "tools"))
    ]
    return _prompt(body, read, tools, reader.extras | _unknown(body, _CHAT))


def read_generate(body: Fields) -> Prompt:
    """The prompt of `/api/generate`. Raises ClientFault naming the field at fault."""
    prompt = text(body, "prompt")
    if not prompt:
        wrong("prompt", "'prompt' is empty. Send some text.", "invalid_value")
    system = text(body, "system")
    messages = [Message(Role.SYSTEM, (Text(system),))] if system else []
    images = read_images(body.get("images"), "images")
    messages.append(Message(Role.USER, (*images, Text(prompt))))
    return _prompt(body, messages, [], _unknown(body, _GENERATE))


def _prompt(
    body: Fields, messages: Iterable[Message], tools: Iterable[Tool], extras: dict[str, Any]
) -> Prompt:
    options = read_options(body.get("options"))
    return Prompt(
        messages=tuple(messages),
        tools=tuple(tools),
        format=read_format(body.get("format")),
        sampling=options.sampling,
        thinking=read_think(body.get("think")),
        stream=streams(body),
        hints=read_hints(body) | options.hints,
        extras=options.extras | extras,
    )


def _unknown(body: Fields, known: frozenset[str]) -> dict[str, Any]:
    """Fields without a neutral form. Ollama's clients send empty ones for what is not set."""
    return {
        key: value
        for key, value in body.items()
        if key not in known
        and value is not None
        and value is not (key in _ON)
        and value not in ("", [])
    }


def _tool(value: Any, at: str, reader: MessageReader) -> Tool:
    if not isinstance(value, dict):
        wrong(at, f"'{at}' must be an object, not {kind(value)}.")
    if value.get("type") not in (None, "", "function"):
        wrong(f"{at}.type", f"'{at}.type' must be 'function'.", "invalid_value")
    function = value.get("function")
    inner = f"{at}.function"
    if not isinstance(function, dict):
        wrong(inner, f"'{inner}' must be an object, not {kind(function)}.")
    name = text(function, "name", inner)
    if not name:
        wrong(f"{inner}.name", f"'{inner}.name' is missing.", "missing_required_parameter")
    schema = function.get("parameters")
    if schema is not None and not isinstance(schema, dict):
        where = f"{inner}.parameters"
        wrong(where, f"'{where}' must be an object, not {kind(schema)}.")
    strict = function.get("strict")
    for key in function.keys() - {"name", "description", "parameters", "strict"}:
        if function[key] is not None:
            reader.extras[f"{inner} ({key})"] = function[key]
    return Tool(
        name,
        text(function, "description", inner) or None,
        schema,
        strict if isinstance(strict, bool) else None,
    )
