"""A neutral prompt as a request for Gemini."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from wattline.dialects.gemini import config as configs
from wattline.dialects.gemini.omissions import Omissions
from wattline.dialects.gemini.read_prompt import HINTS
from wattline.dialects.gemini.read_tools import CALLING, DECLARATIONS
from wattline.dialects.gemini.write_parts import PartWriter
from wattline.wire.parts import ToolCall, ToolResult
from wattline.wire.prompt import Choice, Message, Prompt, Role, Tool, ToolChoice, Written

_OWN = ("safetySettings", "cachedContent")
"""Extras of a Gemini client that are written back as they are, at the top."""
_NESTED = ("generationConfig", "toolConfig", "tools")
"""Where extras of a Gemini client with a dotted name stand."""
_SPOKEN = (Role.SYSTEM, Role.DEVELOPER)


def write_prompt(prompt: Prompt, model: str) -> Written:
    """The request for a model; what it can't say is named. System messages all go first."""
    omissions = Omissions()
    body: dict[str, Any] = {}
    system, contents = _messages(prompt, model, omissions)
    body["contents"] = contents
    if system:
        body["systemInstruction"] = {"parts": system}
    if prompt.tools:
        tools = [_tool(tool, omissions) for tool in prompt.tools]
        body["tools"] = [{DECLARATIONS: tools}]
    calling = _choice(prompt.tool_choice, omissions)
    if calling is not None:
        body["toolConfig"] = {CALLING: calling}
    config = {
        **configs.write_sampling(prompt.sampling, omissions),
        **configs.write_format(prompt.format),
        **configs.write_thinking(prompt.thinking, model, omissions),
    }
    if config:
        body["generationConfig"] = config
    _hints(prompt, body, omissions)
    for key, value in prompt.extras.items():
        if not _extra(key, value, body):
            omissions.refuse(key)
    return omissions.written(body)


def _messages(
    prompt: Prompt, model: str, omissions: Omissions
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The parts of the system instruction, and the contents."""
    names: dict[str, str] = {}  # of the calls so far: an id may come again in a later turn
    writer = PartWriter(model, omissions, names)
    system: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    for is_tool, group in groupby(prompt.messages, lambda message: message.role is Role.TOOL):
        if is_tool:
            contents += _results(list(group), writer)
            continue
        for message in group:
            names.update({p.id: p.name for p in message.parts if isinstance(p, ToolCall)})
            if message.name is not None:
                omissions.drop("name in messages")
            written = writer.write(message.parts)
            if message.role in _SPOKEN:
                system += written
            elif written:
                role = "model" if message.role is Role.ASSISTANT else "user"
                contents.append({"role": role, "parts": written})
    if not contents:  # the API wants at least one
        contents, system = [{"role": "user", "parts": system or [{"text": ""}]}], []
    return system, contents


def _results(messages: list[Message], writer: PartWriter) -> list[dict[str, Any]]:
    """The results of one turn's calls: the API wants all of them in one content."""
    parts = [part for message in messages for part in message.parts]
    results = writer.results(part for part in parts if isinstance(part, ToolResult))
    others = writer.write(part for part in parts if not isinstance(part, ToolResult))
    written = results + others
    return [{"role": "user", "parts": written}] if written else []


def _tool(tool: Tool, omissions: Omissions) -> dict[str, Any]:
    if tool.cache:
        omissions.drop("cache_control")
    if tool.strict:
        omissions.drop("strict in tools")
    found: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        found["description"] = tool.description
    if tool.schema is not None:
        found["parametersJsonSchema"] = dict(tool.schema)
    return found


def _choice(choice: ToolChoice | None, omissions: Omissions) -> dict[str, Any] | None:
    if choice is None:
        return None
    if choice.parallel is False:
        omissions.refuse("at most one tool call in a turn")
    match choice.choice:
        case Choice.NAMED if choice.name is not None:
            return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
        case Choice.REQUIRED | Choice.NAMED:
            return {"mode": "ANY"}
        case Choice.NONE:
            return {"mode": "NONE"}
        case Choice.AUTO:
            return {"mode": "AUTO"}


def _hints(prompt: Prompt, body: dict[str, Any], omissions: Omissions) -> None:
    for key, value in prompt.hints.items():
        if key in HINTS and key != "store":
            body[key] = value
        else:
            omissions.drop(key)
    if prompt.user is not None:
        omissions.drop("user")


def _extra(key: str, value: Any, body: dict[str, Any]) -> bool:
    """Write an extra back to where a Gemini client had it; False when it is none of Gemini's."""
    place, dot, name = key.partition(".")
    if not dot:
        if key in _OWN:
            body[key] = value
        return key in _OWN
    if place not in _NESTED or not name.isidentifier():
        return False
    if place == "tools":
        body.setdefault("tools", []).append({name: value})
    else:
        body.setdefault(place, {})[name] = value
    return True
