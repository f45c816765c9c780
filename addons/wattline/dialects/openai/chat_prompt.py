"""Reads a chat request into a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.fields import Fields, count, flag, kind, number, optional_name, wrong
from wattline.dialects.openai.chat_message import MessageReader
from wattline.dialects.openai.chat_tools import read_choice, read_tools
from wattline.dialects.openai.places import (
    array,
    optional_flag,
    optional_record,
    optional_text,
    optional_whole,
    record,
    text,
)
from wattline.wire.prompt import Format, Prompt, Sampling, Thinking

HINTS = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "verbosity",
    }
)
_READ = frozenset(
    {
        *("messages", "model", "stream", "stream_options", "user", "n"),
        *("tools", "functions", "tool_choice", "function_call", "parallel_tool_calls"),
        *("max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop"),
        *("seed", "random_seed", "presence_penalty", "frequency_penalty"),
        *("response_format", "reasoning_effort", "reasoning", "include_reasoning", "thinking"),
        "usage",  # OpenRouter's wish for usage, which is always asked for
    }
)


def read_chat_prompt(body: Fields) -> Prompt:
    """The prompt of a chat request. Raises ClientFault naming the field at fault."""
    extras = rest(body, _READ)
    reader = MessageReader(extras)
    values = array(body.get("messages"), "messages")
    return Prompt(
        messages=tuple(
            reader.read(value, f"messages[{index}]") for index, value in enumerate(values)
        ),
        tools=read_tools(body, extras),
        tool_choice=read_choice(body, extras),
        format=_format(body, extras),
        sampling=read_sampling(body),
        thinking=_thinking(body),
        stream=flag(body, "stream"),
        user=optional_name(body, "user"),
        hints={key: body[key] for key in HINTS if body.get(key) is not None},
        extras=extras,
    )


def rest(body: Fields, read: Iterable[str]) -> dict[str, Any]:
    """The fields that have no neutral form. Null and an empty value say nothing."""
    known = HINTS.union(read)
    return {
        key: value
        for key, value in body.items()
        if key not in known and value is not None and value not in ({}, [])
    }


def read_sampling(body: Fields) -> Sampling:
    """How tokens are chosen, and how many. Raises ClientFault."""
    number(body, "temperature", 0, 2)
    number(body, "top_p", 0, 1)
    number(body, "presence_penalty", -2, 2)
    number(body, "frequency_penalty", -2, 2)
    top_k = optional_whole(body.get("top_k"), "top_k")
    key = "random_seed" if body.get("seed") is None else "seed"  # Mistral's name
    limit = count(body, "max_tokens")
    return Sampling(
        max_tokens=count(body, "max_completion_tokens") or limit,
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        top_k=top_k if top_k is not None and top_k > 0 else None,  # 0 and -1: all tokens
        stop=_stop(body.get("stop")),
        seed=optional_whole(body.get(key), key),
        presence_penalty=body.get("presence_penalty"),
        frequency_penalty=body.get("frequency_penalty"),
        n=count(body, "n"),
    )


def _stop(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        wrong("stop", f"'stop' must be a string or an array of strings, not {kind(value)}.")
    return tuple(text(item, f"stop[{index}]") for index, item in enumerate(value))


def _format(body: Fields, extras: dict[str, Any]) -> Format | None:
    value = optional_record(body.get("response_format"), "response_format")
    if value is None:
        return None
    sort = text(value.get("type"), "response_format.type")
    if sort == "text":
        return None
    if sort == "json_object":
        return Format()
    if sort != "json_schema":
        extras["response_format"] = value
        return None
    at = "response_format.json_schema"
    schema = record(value.get("json_schema"), at)
    return Format(
        schema=optional_record(schema.get("schema"), f"{at}.schema"),
        name=text(schema.get("name"), f"{at}.name"),
        description=optional_text(schema.get("description"), f"{at}.description"),
        strict=optional_flag(schema.get("strict"), f"{at}.strict"),
    )


def _thinking(body: Fields) -> Thinking | None:
    """`reasoning_effort`, or what providers have instead: OpenRouter's `reasoning`, and `thinking` of
    DeepSeek, Z.ai and Anthropic's compatible API.
    """
    effort = optional_text(body.get("reasoning_effort"), "reasoning_effort")
    visible = optional_flag(body.get("include_reasoning"), "include_reasoning")
    budget = None
    if (own := optional_record(body.get("reasoning"), "reasoning")) is not None:
        effort = effort or optional_text(own.get("effort"), "reasoning.effort")
        budget = optional_whole(own.get("max_tokens"), "reasoning.max_tokens")
        hidden = optional_flag(own.get("exclude"), "reasoning.exclude")
        visible = visible if hidden is None else not hidden
        effort, budget = _switched(effort, budget, own.get("enabled"))
    if (own := optional_record(body.get("thinking"), "thinking")) is not None:
        said = optional_whole(own.get("budget_tokens"), "thinking.budget_tokens")
        budget = budget if said is None else said
        switch = _SWITCHES.get(text(own.get("type"), "thinking.type"))
        effort, budget = _switched(effort, budget, switch)
    if budget is not None and effort is not None:
        budget = None
    found = Thinking(effort, budget, visible)
    return found if found != Thinking() else None


_SWITCHES: Mapping[str, bool] = MappingProxyType({"enabled": True, "disabled": False})


def _switched(effort: str | None, budget: int | None, switch: Any) -> tuple[str | None, int | None]:
    """Effort and budget after a switch that only says on or off."""
    if switch is False:
        return "none", None
    if switch is True and effort is None and budget is None:
        return None, -1
    return effort, budget
