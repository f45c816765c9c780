"""Writes a prompt as a request for chat or generate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.dialects.ollama.options import PREFIX, SHAPING, own, write_options
from wattline.dialects.ollama.report import Report
from wattline.dialects.ollama.settings import write_format, write_think
from wattline.dialects.ollama.write_messages import joined, write_messages, written_images
from wattline.wire.parts import Image, Reasoning, Refusal, Text
from wattline.wire.prompt import Choice, Message, Prompt, Role, Thinking, Tool, Written

_SHAPING = frozenset(PREFIX + name for name in SHAPING)
_CHAT = _SHAPING | {"truncate", "shift"}
_GENERATE = _CHAT | {"suffix", "template", "raw", "context", "width", "height", "steps"}
_SYSTEM = (Role.SYSTEM, Role.DEVELOPER)


def write_chat(prompt: Prompt, model: str) -> Written:
    """The body of `/api/chat`."""
    report = Report()
    body: dict[str, Any] = {"model": model}
    body["messages"] = write_messages(prompt.messages, report)
    if tools := _tools(prompt, report):
        body["tools"] = tools
    return _written(body, prompt, report, _CHAT)


def write_generate(prompt: Prompt, model: str) -> Written:
    """The body of `/api/generate`, which takes one turn of a user and a system's text before it."""
    report = Report()
    system = [message for message in prompt.messages if message.role in _SYSTEM]
    turns = [message for message in prompt.messages if message.role not in _SYSTEM]
    last = turns[-1] if turns else Message(Role.USER, ())
    plain = all(isinstance(part, Text | Image | Refusal | Reasoning) for part in last.parts)
    report.refuse_if(
        (
            ("more than one turn", len(turns) > 1 or last.role is not Role.USER),
            ("tools", bool(prompt.tools) or not plain),
        )
    )
    body: dict[str, Any] = {"model": model, "prompt": joined(last.parts, Role.USER)}
    if text := "\n\n".join(filter(None, (joined(item.parts, Role.SYSTEM) for item in system))):
        body["system"] = text
    if images := written_images(last.parts, report):
        body["images"] = images
    return _written(body, prompt, report, _GENERATE)


def _written(
    body: dict[str, Any], prompt: Prompt, report: Report, known: frozenset[str]
) -> Written:
    """`body` with all that chat and generate share."""
    extras = {key: value for key, value in prompt.extras.items() if key in known}
    report.refuse_if((("n", (prompt.sampling.n or 1) > 1),))
    report.refuse(*(key for key in prompt.extras if key not in known))
    _hints(body, prompt, report)
    body |= {key: value for key, value in extras.items() if key not in _SHAPING}
    if prompt.format is not None:
        body["format"] = write_format(prompt.format)
    if prompt.thinking is not None:
        _think(body, prompt.thinking, report)
    options = write_options(prompt.sampling) | own(prompt.hints) | own(extras)
    if options:
        body["options"] = options
    body["stream"] = prompt.stream
    return Written(body, report.dropped, report.unsupported)


def _hints(body: dict[str, Any], prompt: Prompt, report: Report) -> None:
    if "keep_alive" in prompt.hints:
        body["keep_alive"] = prompt.hints["keep_alive"]
    report.drop(
        *(key for key in prompt.hints if key != "keep_alive" and not key.startswith(PREFIX))
    )
    if prompt.user is not None:
        report.drop("user")


def _think(body: dict[str, Any], thinking: Thinking, report: Report) -> None:
    if thinking != Thinking(visible=thinking.visible):
        body["think"] = write_think(thinking)
    if thinking.effort is None and (thinking.budget or 0) > 0:
        report.drop("thinking budget")
    if thinking.visible is False and body.get("think") is not False:
        report.drop("hidden thinking")


def _tools(prompt: Prompt, report: Report) -> list[dict[str, Any]]:
    """Tools that the model may call: none of them when the client wants no calls."""
    choice = prompt.tool_choice
    if choice is not None:
        report.refuse_if(
            (
                ("tool_choice", choice.choice in (Choice.REQUIRED, Choice.NAMED)),
                ("parallel_tool_calls", choice.parallel is False and bool(prompt.tools)),
            )
        )
        if choice.choice is Choice.NONE:
            return []
    return [_tool(tool, report) for tool in prompt.tools]


def _tool(tool: Tool, report: Report) -> dict[str, Any]:
    if tool.strict:
        report.drop("strict tools")
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    empty: Mapping[str, Any] = {"type": "object", "properties": {}}
    function["parameters"] = dict(empty if tool.schema is None else tool.schema)
    return {"type": "function", "function": function}
