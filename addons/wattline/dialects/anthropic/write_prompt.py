"""Writes a neutral prompt as a request for a message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.anthropic.body import DEFAULT_LIMIT
from wattline.dialects.anthropic.models import Traits, traits
from wattline.dialects.anthropic.read_prompt import HINTS
from wattline.dialects.anthropic.schema import closed
from wattline.dialects.anthropic.thinking import write_thinking
from wattline.dialects.anthropic.write_blocks import BlockWriter
from wattline.wire.prompt import Choice, Prompt, Role, Sampling, Tool, Written

_EXTRAS = frozenset(
    {"container", "context_management", "inference_geo", "mcp_servers", "thinking", "output_format"}
)
"""Fields that have no neutral form and that Anthropic knows by this name."""

_SERVER_TOOL = re.compile(r"tools\[\d+\] \(")
_SYSTEM = (Role.SYSTEM, Role.DEVELOPER)
_TIERS = ("auto", "standard_only")
_MIN_TOP_P = 0.95
"""With thinking."""

_CHOICES: Mapping[Choice, str] = MappingProxyType(
    {
        Choice.AUTO: "auto",
        Choice.REQUIRED: "any",
        Choice.NAMED: "tool",
        Choice.NONE: "none",
    }
)
_FORCED = (Choice.REQUIRED, Choice.NAMED)


def write_prompt(prompt: Prompt, model: str) -> Written:
    """The request; what can't be written is named and left out, nothing is raised."""
    return _PromptWriter(prompt, model).write()


class _PromptWriter:
    """Writes one prompt."""

    def __init__(self, prompt: Prompt, model: str) -> None:
        self.prompt = prompt
        self.traits: Traits = traits(model)
        self.blocks = BlockWriter()
        self.dropped = self.blocks.dropped
        self.unsupported = self.blocks.unsupported
        self.body: dict[str, Any] = {"model": model}

    def write(self) -> Written:
        """All of it."""
        self._messages()
        self._tools()
        self._format()
        thinks = self._thinking()
        self._sampling(self.prompt.sampling, thinks=thinks)
        if self.prompt.stream:
            self.body["stream"] = True
        if self.prompt.user is not None:
            self.body["metadata"] = {"user_id": self.prompt.user}
        self._hints()
        self._extras()
        return Written(self.body, tuple(self.dropped), tuple(self.unsupported))

    def _messages(self) -> None:
        messages = self.prompt.messages
        system = self.blocks.system(found for found in messages if found.role in _SYSTEM)
        self.body["max_tokens"] = DEFAULT_LIMIT
        if system:
            plain = len(system) == 1 and "cache_control" not in system[0]
            self.body["system"] = system[0]["text"] if plain else system
        self.body["messages"] = self.blocks.turns(
            found for found in messages if found.role not in _SYSTEM
        )

    def _tools(self) -> None:
        tools = [_tool(tool) for tool in self.prompt.tools]
        tools += [value for key, value in self.prompt.extras.items() if _SERVER_TOOL.match(key)]
        if tools:
            self.body["tools"] = tools
        choice = self.prompt.tool_choice
        if choice is None:
            return
        if not tools:  # Anthropic takes no choice among none
            if choice.choice in _FORCED:
                self.unsupported["tool_choice without tools"] = None
            return
        written: dict[str, Any] = {"type": _CHOICES[choice.choice]}
        if choice.choice is Choice.NAMED:
            written["name"] = choice.name
        if choice.parallel is not None and choice.choice is not Choice.NONE:
            written["disable_parallel_tool_use"] = not choice.parallel
        self.body["tool_choice"] = written

    def _format(self) -> None:
        wanted = self.prompt.format
        if wanted is None:
            return
        if wanted.schema is None:
            self.unsupported["JSON without a schema"] = None
            return
        if wanted.description is not None:
            self.dropped["description of the JSON schema"] = None
        self._output_config("format", {"type": "json_schema", "schema": closed(wanted.schema)})

    def _output_config(self, key: str, value: Any) -> None:
        self.body.setdefault("output_config", {})[key] = value

    def _thinking(self) -> bool:
        """Whether the model will think."""
        limit = self.prompt.sampling.max_tokens
        if limit is not None:
            self.body["max_tokens"] = limit
        wanted = self.prompt.thinking
        if wanted is None:
            return False
        written = write_thinking(wanted, self.traits, limit, DEFAULT_LIMIT)
        if written is None or (
            written.thinking != {"type": "disabled"} and self._forbidden(written.thinking)
        ):
            self.dropped["thinking"] = None
            return False
        self.body["max_tokens"] = written.limit
        if written.effort is not None:
            self._output_config("effort", written.effort)
        self.body["thinking"] = written.thinking
        return written.thinking != {"type": "disabled"}

    def _forbidden(self, config: Mapping[str, Any] | None) -> bool:
        """A forced tool excludes thinking, and so does, for a budget, a tool's turn that began without."""
        choice = self.prompt.tool_choice
        if self.prompt.tools and choice is not None and choice.choice in _FORCED:
            return True
        return (
            config is not None
            and config["type"] == "enabled"
            and _thoughtless(self.body["messages"])
        )

    def _sampling(self, sampling: Sampling, *, thinks: bool) -> None:
        for key in ("seed", "presence_penalty", "frequency_penalty"):
            if getattr(sampling, key) is not None:
                self.dropped[key] = None
        if sampling.n not in (None, 1):
            self.unsupported["n above 1"] = None
        stop = [text for text in sampling.stop if text.strip()]
        if len(stop) < len(sampling.stop):
            self.unsupported["stop sequences of white space"] = None
        if stop:
            self.body["stop_sequences"] = stop
        if sampling.temperature is not None and sampling.temperature > 1:
            self.unsupported["temperature above 1"] = None
        else:
            self._sample("temperature", sampling.temperature, taken=not thinks)
        top_p = sampling.top_p
        fits = not thinks or (top_p is not None and top_p >= _MIN_TOP_P)
        fits = fits and (self.traits.both or "temperature" not in self.body)
        self._sample("top_p", top_p, taken=fits)
        self._sample("top_k", sampling.top_k, taken=not thinks)

    def _sample(self, key: str, value: float | None, *, taken: bool) -> None:
        """Some models, and thinking, take no sampling: how varied an answer is, is not its meaning."""
        if value is None:
            return
        if taken and self.traits.sampling:
            self.body[key] = value
        elif not (value == 1 and key in ("temperature", "top_p")):
            self.dropped[key] = None

    def _hints(self) -> None:
        for key, value in self.prompt.hints.items():
            if key == "output_config.effort" and "effort" not in self.body.get("output_config", {}):
                self._output_config("effort", value)
            elif key.startswith("metadata.") and key.count(".") == 1:
                self.body.setdefault("metadata", {})[key.partition(".")[2]] = value
            elif key in HINTS and (key != "service_tier" or value in _TIERS):
                self.body[key] = value
            else:
                self.dropped[key] = None

    def _extras(self) -> None:
        for key, value in self.prompt.extras.items():
            if key in _EXTRAS:
                self.body[key] = value
            elif key.startswith("output_config."):
                self._output_config(key.partition(".")[2], value)
            elif not _SERVER_TOOL.match(key):
                self.unsupported[key] = None


def _tool(tool: Tool) -> dict[str, Any]:
    schema = {"type": "object", "properties": {}} if tool.schema is None else dict(tool.schema)
    schema.setdefault("type", "object")
    written: dict[str, Any] = {"name": tool.name, "input_schema": schema}
    if tool.description is not None:
        written["description"] = tool.description
    if tool.strict is not None:
        written["strict"] = tool.strict
    if tool.strict:
        written["input_schema"] = closed(schema)
    if tool.cache is not None:
        written["cache_control"] = dict(tool.cache)
    return written


def _thoughtless(turns: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the conversation stands within a tool's use that began without a signed thought."""
    last = list(turns)[-2:]
    if len(last) < 2 or last[0]["role"] != "assistant":
        return False
    if not any(block["type"] == "tool_result" for block in last[1]["content"]):
        return False
    return last[0]["content"][0]["type"] not in ("thinking", "redacted_thinking")
