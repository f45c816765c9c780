"""A client's tools and its choice among them in neutral form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.dialects.fields import wrong
from wattline.dialects.gemini.places import array, optional_record, optional_text, record, text
from wattline.dialects.gemini.schema import json_schema
from wattline.wire.prompt import Choice, Tool, ToolChoice

DECLARATIONS = "functionDeclarations"
CALLING = "functionCallingConfig"
_MODES = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")


def read_tools(
    body: Mapping[str, Any], extras: dict[str, Any], hints: dict[str, Any]
) -> tuple[Tool, ...]:
    """The functions. Google's own tools go to `extras` as `tools.<name>`, what a function gives back (Google's
    SDK tells it of each) to `hints`. Raises ClientFault.
    """
    found: list[Tool] = []
    for index, value in enumerate(array(body.get("tools"), "tools")):
        at = f"tools[{index}]"
        tool = record(value, at)
        place = f"{at}.{DECLARATIONS}"
        for number, item in enumerate(array(tool.pop(DECLARATIONS, None), place)):
            found.append(_tool(item, f"{place}[{number}]", extras, hints))
        extras.update({f"tools.{key}": inner for key, inner in tool.items() if inner is not None})
    return tuple(found)


def _tool(value: Any, at: str, extras: dict[str, Any], hints: dict[str, Any]) -> Tool:
    declared = record(value, at)
    name = text(declared.get("name"), f"{at}.name")
    for key, kept in (("response", hints), ("responseJsonSchema", hints), ("behavior", extras)):
        if declared.get(key) is not None:
            kept[f"{at}.{key}"] = declared[key]
    schema = declared.get("parametersJsonSchema")
    if schema is None:
        schema = json_schema(declared.get("parameters"))
    if schema is not None and not isinstance(schema, dict):
        record(schema, f"{at}.parameters")
    description = optional_text(declared.get("description"), f"{at}.description")
    return Tool(name, description, schema)


def read_choice(body: Mapping[str, Any], extras: dict[str, Any]) -> ToolChoice | None:
    """How free the model is. What has no neutral form (several allowed functions, `VALIDATED`) goes to
    `extras` whole. Raises ClientFault.
    """
    config = optional_record(body.get("toolConfig"), "toolConfig")
    at = f"toolConfig.{CALLING}"
    raw = config.pop(CALLING, None)
    extras.update(
        {f"toolConfig.{key}": value for key, value in config.items() if value is not None}
    )
    if raw is None:
        return None
    calling = record(raw, at)
    mode = (optional_text(calling.pop("mode", None), f"{at}.mode") or "AUTO").upper()
    if mode not in _MODES:
        wrong(f"{at}.mode", f"'{at}.mode' must be AUTO, ANY, NONE or VALIDATED.", "invalid_value")
    place = f"{at}.allowedFunctionNames"
    allowed = array(calling.pop("allowedFunctionNames", None), place)
    names = [text(name, f"{place}[{index}]") for index, name in enumerate(allowed)]
    if calling or mode == "VALIDATED" or (names and (mode != "ANY" or len(names) > 1)):
        extras[at] = raw
        return None
    if mode == "ANY":
        return ToolChoice(Choice.NAMED, names[0]) if names else ToolChoice(Choice.REQUIRED)
    return ToolChoice(Choice.NONE if mode == "NONE" else Choice.AUTO)
