"""What the demo provider says, whatever the endpoint: text or tool calls, cut as the request wants."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wattline.demo.check import Fields, Refused
from wattline.demo.schema import example
from wattline.demo.tokens import split

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
MOST_STOPS = 4


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the client offers."""

    name: str
    parameters: object


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of one of them; `arguments` are the parts in which its JSON is streamed."""

    id: str
    name: str
    arguments: Sequence[str]


@dataclass(frozen=True, slots=True)
class Output:
    """One answer: the tokens of a text, or tool calls. `cut`: the token limit ended it."""

    pieces: Sequence[str] = ()
    calls: Sequence[ToolCall] = ()
    cut: bool = False

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)

    @property
    def tokens(self) -> int:
        """Tokens of text and arguments."""
        return len(self.pieces) + sum(len(call.arguments) for call in self.calls)

    @property
    def finish(self) -> str:
        """OpenAI's `finish_reason`."""
        if self.calls:
            return "tool_calls"
        return "length" if self.cut else "stop"


def say(text: str, *, stops: Sequence[str] = (), limit: int | None = None) -> Output:
    """`text` up to the first stop sequence, and not more than `limit` tokens."""
    ends = [place for stop in stops if (place := text.find(stop)) >= 0]
    pieces = split(text[: min(ends)] if ends else text)
    if limit is not None and len(pieces) > limit:
        return Output(pieces[:limit], cut=True)
    return Output(pieces)


def call(tools: Sequence[Tool], number: int) -> Output:
    """A call of each tool, with arguments that its schema allows."""
    return Output(
        calls=[
            ToolCall(f"call_demo{number:08d}{index:02d}", tool.name, _arguments(tool))
            for index, tool in enumerate(tools)
        ]
    )


def _arguments(tool: Tool) -> list[str]:
    made = example(tool.parameters)
    return split(compact(made if isinstance(made, dict) else {}))


def compact(value: object) -> str:
    """JSON as a model writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read_stops(fields: Fields) -> list[str]:
    """`stop`: one text or up to four. An empty one stops nothing."""
    stops = fields.get("stop")
    if stops is None:
        return []
    if isinstance(stops, str):
        stops = [stops]
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise fields.wrong_type("stop", "a string or an array of strings")
    if len(stops) > MOST_STOPS:
        raise fields.too_long("stop", MOST_STOPS, len(stops))
    return [stop for stop in stops if stop]


def read_tool(fields: Fields) -> Tool:
    """A function's `name` and `parameters`, wherever the dialect has them."""
    name = fields.text("name", required=True) or ""
    if not _TOOL_NAME.fullmatch(name):
        raise Refused(
            f"Invalid '{fields.name('name')}': string does not match pattern. Expected a string "
            "that matches the pattern '^[a-zA-Z0-9_-]+$', 64 characters at most.",
            param=fields.name("name"),
            code="invalid_value",
        )
    fields.object("parameters")
    return Tool(name, fields.get("parameters"))


def choose(fields: Fields, tools: Sequence[Tool], text: str) -> list[Tool]:
    """The tools to call: those that `tool_choice` forces, else those that the user's `text` names."""
    choice = fields.get("tool_choice")
    if choice is not None and not fields.get("tools"):
        raise Refused(
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are "
            "specified.",
            param="tool_choice",
        )
    if isinstance(choice, dict):
        return _named(choice, tools)
    wanted = fields.one_of("tool_choice", ("none", "auto", "required")) or "auto"
    if wanted == "none":
        return []
    named = [tool for tool in tools if tool.name in text]
    if not named and wanted == "required":
        named = list(tools[:1])
    return named[:1] if fields.get("parallel_tool_calls") is False else named


def _named(choice: dict[str, Any], tools: Sequence[Tool]) -> list[Tool]:
    if choice.get("type") != "function":
        return []
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else choice.get("name")
    found = [tool for tool in tools if tool.name == name]
    if not found:
        raise Refused("Tool choice 'function' not found in 'tools' parameter.", param="tool_choice")
    return found[:1]
