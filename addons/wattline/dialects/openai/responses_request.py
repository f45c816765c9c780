"""Writes a prompt as a Responses request."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.openai.omissions import Omissions
from wattline.dialects.openai.responses_items import CACHE, Items
from wattline.dialects.openai.responses_places import own_choice, put_back
from wattline.dialects.openai.responses_prompt import ENCRYPTED, HINTS
from wattline.wire.parts import Reasoning
from wattline.wire.prompt import (
    Choice,
    Format,
    Prompt,
    Role,
    Sampling,
    Thinking,
    Tool,
    Written,
)

DEFAULT_FORMAT = "response"
"""The name of a JSON schema without one: the API needs one."""

_SAME = frozenset(
    {
        "access_programs",
        "background",
        "context_management",
        "conversation",
        "moderation",
        "previous_response_id",
        "prompt",
        "top_logprobs",
    }
)
"""Extras that the API knows by the same name."""
_REASONING = ("reasoning.context", "reasoning.mode")
_PLACES = ("input[", "tools[")
_EFFORTS: Mapping[int, str] = MappingProxyType({2_048: "low", 8_192: "medium"})
"""Up to how many tokens of thought an effort is worth; `high` above."""
_VERBOSITIES = ("low", "medium", "high")


def write_prompt(prompt: Prompt, model: str) -> Written:
    """The request for a provider that knows its model as `model`."""
    omissions = Omissions()
    items = Items(omissions)
    for message in prompt.messages:
        items.add(message)
    body: dict[str, Any] = {"model": model, "input": items.items}
    if prompt.tools:
        body["tools"] = [_tool(tool) for tool in prompt.tools]
        if any(tool.cache is not None for tool in prompt.tools):
            omissions.drop(CACHE)
    _choose(body, prompt)
    _sample(body, prompt.sampling)
    _format(body, prompt.format)
    _think(body, prompt, omissions)
    body["store"] = False
    if prompt.stream:
        body["stream"] = True
    if prompt.user is not None:
        body["user"] = prompt.user
    _unsampled(prompt.sampling, omissions)
    _hint(body, prompt, omissions)
    _extra(body, prompt, omissions)
    _place(body, prompt, omissions)
    return omissions.written(body)


def _tool(tool: Tool) -> dict[str, Any]:
    """A function. The API takes a missing `strict` for true, all other dialects for false."""
    written: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description is not None:
        written["description"] = tool.description
    schema = None if tool.schema is None else dict(tool.schema)
    return written | {"parameters": schema, "strict": tool.strict is True}


def _choose(body: dict[str, Any], prompt: Prompt) -> None:
    choice = prompt.tool_choice
    if choice is None:
        return
    if choice.choice is Choice.NAMED:
        body["tool_choice"] = {"type": "function", "name": choice.name}
    else:
        body["tool_choice"] = choice.choice.value
    if choice.parallel is not None:
        body["parallel_tool_calls"] = choice.parallel


def _sample(body: dict[str, Any], sampling: Sampling) -> None:
    values = {
        "max_output_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    body |= {key: value for key, value in values.items() if value is not None}


def _unsampled(sampling: Sampling, omissions: Omissions) -> None:
    """What the client asked for and the API has no field for."""
    asked = {
        "stop": bool(sampling.stop),
        "top_k": sampling.top_k is not None,
        "seed": sampling.seed is not None,
        "presence_penalty": bool(sampling.presence_penalty),
        "frequency_penalty": bool(sampling.frequency_penalty),
        "n": (sampling.n or 1) > 1,
    }
    for key in (key for key, value in asked.items() if value):
        omissions.refuse(key)


def _format(body: dict[str, Any], form: Format | None) -> None:
    if form is None:
        return
    if form.schema is None:
        body["text"] = {"format": {"type": "json_object"}}
        return
    written: dict[str, Any] = {"type": "json_schema", "name": form.name or DEFAULT_FORMAT}
    written["schema"] = dict(form.schema)
    if form.description is not None:
        written["description"] = form.description
    if form.strict is not None:
        written["strict"] = form.strict
    body["text"] = {"format": written}


def _think(body: dict[str, Any], prompt: Prompt, omissions: Omissions) -> None:
    """The reasoning that is wanted, and its sealed form, without which it can't be given back later."""
    reasoning = {} if prompt.thinking is None else _reasoning(prompt.thinking)
    if reasoning:
        body["reasoning"] = reasoning
    if prompt.thinking is not None and prompt.thinking.budget == 0 and "effort" not in reasoning:
        omissions.drop("reasoning budget")
    sealed = any(isinstance(part, Reasoning) for one in prompt.messages for part in one.parts)
    wanted = bool(reasoning) and reasoning.get("effort") != "none"
    if wanted or sealed:
        body["include"] = [ENCRYPTED]


def _reasoning(thinking: Thinking) -> dict[str, Any]:
    effort = thinking.effort or effort_of(thinking.budget)
    written: dict[str, Any] = {} if effort is None else {"effort": effort}
    if thinking.visible:
        written["summary"] = "auto"
    return written


def effort_of(budget: int | None) -> str | None:
    """The effort that a budget in tokens is about; None where it is the model's own choice, and for a
    budget of 0: most models refuse the word `none`.
    """
    if budget is None or budget <= 0:
        return None
    return next((effort for most, effort in _EFFORTS.items() if budget <= most), "high")


def _hint(body: dict[str, Any], prompt: Prompt, omissions: Omissions) -> None:
    """Write the hints that the API knows."""
    for key, value in prompt.hints.items():
        if key.startswith(_PLACES):
            continue
        if key == "include" and _strings(value):
            _include(body, value)
        elif key == "reasoning.summary" and "summary" in body.get("reasoning", {}):
            body["reasoning"]["summary"] = value
        elif key == "verbosity" and value in _VERBOSITIES:
            body.setdefault("text", {})["verbosity"] = value
        elif _own_hint(key, value, prompt):
            body[key] = value
        else:
            omissions.drop(key)


def _own_hint(key: str, value: Any, prompt: Prompt) -> bool:
    """Whether a hint is the API's own: other dialects have fields of the same names."""
    match key:
        case "store":
            return isinstance(value, bool)
        case "metadata":
            return isinstance(value, dict) and _strings(list(value.values()))
        case "service_tier" | "truncation" | "prompt_cache_key" | "safety_identifier":
            return isinstance(value, str)
        case "stream_options":
            return (
                prompt.stream and isinstance(value, dict) and set(value) <= {"include_obfuscation"}
            )
        case _:
            return key in HINTS


def _extra(body: dict[str, Any], prompt: Prompt, omissions: Omissions) -> None:
    """Write the extras that the API knows."""
    for key, value in prompt.extras.items():
        if key.startswith(_PLACES):
            continue
        if key == "include" and _strings(value):
            _include(body, value)
        elif key.startswith("tool_choice (") and own_choice(value):
            body["tool_choice"] = value
        elif key == "verbosity" and value in _VERBOSITIES:
            body.setdefault("text", {})["verbosity"] = value
        elif key in _REASONING:
            body.setdefault("reasoning", {})[key.removeprefix("reasoning.")] = value
        elif key in _SAME:
            body[key] = value
        else:
            omissions.refuse(key)


def _include(body: dict[str, Any], wanted: list[str]) -> None:
    known = body.setdefault("include", [])
    known += [one for one in wanted if one not in known]


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _place(body: dict[str, Any], prompt: Prompt, omissions: Omissions) -> None:
    """Put back what has a place. The client's `instructions` stand as an item before those that it
    counted.
    """
    first = prompt.messages[0] if prompt.messages else None
    shift = 1 if first is not None and first.role is Role.SYSTEM else 0
    both = {**prompt.extras, **prompt.hints}
    placed = {key: both[key] for key in both if key.startswith(_PLACES)}
    for key in put_back(body, placed, shift):
        if key in prompt.hints:
            omissions.drop(key)
        else:
            omissions.refuse(key)
