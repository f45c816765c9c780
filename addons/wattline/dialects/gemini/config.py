"""`generationConfig`: sampling, the answer's format and thinking, both ways."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.fields import MAX_COUNT, wrong
from wattline.dialects.gemini.omissions import Omissions
from wattline.dialects.gemini.places import (
    array,
    optional_flag,
    optional_number,
    optional_text,
    optional_whole,
    record,
    text,
)
from wattline.dialects.gemini.schema import json_schema
from wattline.wire.prompt import Format, Sampling, Thinking

AT = "generationConfig"
MAX_STOPS = 5
"""Stop sequences that the API takes."""

_JSON = "application/json"
_BIG = 2**63 - 1
_READ = frozenset(
    {
        "temperature",
        "topP",
        "topK",
        "maxOutputTokens",
        "stopSequences",
        "seed",
        "presencePenalty",
        "frequencyPenalty",
        "candidateCount",
        "responseMimeType",
        "responseSchema",
        "responseJsonSchema",
        "thinkingConfig",
    }
)

_BUDGETS: Mapping[str, int] = MappingProxyType(
    {
        "none": 0,
        "minimal": 1024,
        "low": 1024,
        "medium": 8192,
        "high": 24576,
        "xhigh": 24576,
        "max": 24576,
    }
)
"""Efforts in tokens, for models that take budgets: Google's own table for its OpenAI-like API."""

_LEVELS: Mapping[str, str] = MappingProxyType(
    {
        "none": "minimal",
        "minimal": "minimal",
        "low": "low",
        "medium": "medium",
        "high": "high",
        "xhigh": "high",
        "max": "high",
    }
)
"""Efforts as levels, for models that take those. Thinking can't be switched off in them."""

_BY_BUDGET = re.compile(r"gemini-2\.5")
_THOUGHTLESS = re.compile(r"gemini-1|gemini-2\.0|gemini-pro|gemma|learnlm")


def read_sampling(config: Mapping[str, Any]) -> Sampling:
    """Raises ClientFault. `config` has its keys in camelCase."""
    at = {key: f"{AT}.{key}" for key in _READ}
    stops = array(config.get("stopSequences"), at["stopSequences"])
    place = at["stopSequences"]

    def number(key: str, low: float, high: float) -> float | None:
        return optional_number(config.get(key), at[key], low, high)

    def whole(key: str, low: int, high: int = MAX_COUNT) -> int | None:
        return optional_whole(config.get(key), at[key], low, high)

    return Sampling(
        max_tokens=whole("maxOutputTokens", 1),
        temperature=number("temperature", 0, 2),
        top_p=number("topP", 0, 1),
        top_k=whole("topK", 0),
        stop=tuple(text(stop, f"{place}[{index}]") for index, stop in enumerate(stops)),
        seed=whole("seed", -_BIG, _BIG),
        presence_penalty=number("presencePenalty", -2, 2),
        frequency_penalty=number("frequencyPenalty", -2, 2),
        n=whole("candidateCount", 1),
    )


def read_format(config: Mapping[str, Any], extras: dict[str, Any]) -> Format | None:
    """Raises ClientFault. A type of answer that is neither text nor JSON goes to `extras`."""
    mime = optional_text(config.get("responseMimeType"), f"{AT}.responseMimeType")
    for key in ("responseJsonSchema", "responseSchema"):
        schema = config.get(key)
        if schema is None:
            continue
        if not isinstance(schema, dict):
            record(schema, f"{AT}.{key}")
        if mime not in (None, _JSON):
            break
        return Format(json_schema(schema) if key == "responseSchema" else schema)
    else:
        if mime in (None, "", "text/plain"):
            return None
        if mime == _JSON:
            return Format()
    for key in ("responseMimeType", "responseJsonSchema", "responseSchema"):
        if config.get(key) is not None:
            extras[f"{AT}.{key}"] = config[key]
    return None


def read_thinking(config: Mapping[str, Any], extras: dict[str, Any]) -> Thinking | None:
    """Raises ClientFault."""
    value = config.get("thinkingConfig")
    if value is None:
        return None
    at = f"{AT}.thinkingConfig"
    thinking = record(value, at)
    level = (
        optional_text(thinking.pop("thinkingLevel", None), f"{at}.thinkingLevel") or ""
    ).lower()
    if level and level != "thinking_level_unspecified" and level not in _LEVELS:
        wrong(f"{at}.thinkingLevel", f"'{at}.thinkingLevel' is no known level.", "invalid_value")
    budget = thinking.pop("thinkingBudget", None)
    visible = optional_flag(thinking.pop("includeThoughts", None), f"{at}.includeThoughts")
    extras.update({f"{at}.{key}": inner for key, inner in thinking.items() if inner is not None})
    return Thinking(
        effort=level if level in _LEVELS else None,
        budget=optional_whole(budget, f"{at}.thinkingBudget", -1, MAX_COUNT),
        visible=visible,
    )


def keep_unknown(config: Mapping[str, Any], extras: dict[str, Any]) -> None:
    """Put the fields that have no neutral form into `extras`, as `generationConfig.<name>`."""
    for key, value in config.items():
        if key not in _READ and value is not None:
            extras[f"{AT}.{key}"] = value


def write_sampling(sampling: Sampling, omissions: Omissions) -> dict[str, Any]:
    """The members of a `generationConfig`."""
    stops = list(sampling.stop)
    if len(stops) > MAX_STOPS:
        omissions.refuse(f"more than {MAX_STOPS} stop sequences")
        stops = []
    found: dict[str, Any] = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "maxOutputTokens": sampling.max_tokens,
        "stopSequences": stops or None,
        "seed": sampling.seed,
        "presencePenalty": sampling.presence_penalty,
        "frequencyPenalty": sampling.frequency_penalty,
        "candidateCount": sampling.n,
    }
    return {key: value for key, value in found.items() if value is not None}


def write_format(wanted: Format | None) -> dict[str, Any]:
    """The members of a `generationConfig`. Answers always keep to a schema here: it can't be loose."""
    if wanted is None:
        return {}
    if wanted.schema is None:
        return {"responseMimeType": _JSON}
    schema = dict(wanted.schema)
    if wanted.description:
        schema.setdefault("description", wanted.description)
    return {"responseMimeType": _JSON, "responseJsonSchema": schema}


def write_thinking(thinking: Thinking | None, model: str, omissions: Omissions) -> dict[str, Any]:
    """The member of a `generationConfig`. Models that don't think refuse it, so for them it is left out."""
    if thinking is None:
        return {}
    if _THOUGHTLESS.search(model):
        omissions.drop("thinking")
        return {}
    found: dict[str, Any] = {}
    if thinking.budget is not None:
        found["thinkingBudget"] = thinking.budget
    elif thinking.effort is not None:
        if _BY_BUDGET.search(model):
            found["thinkingBudget"] = _BUDGETS.get(thinking.effort, -1)
        else:
            found["thinkingLevel"] = _LEVELS.get(thinking.effort, "high")
    if thinking.visible is not None:
        found["includeThoughts"] = thinking.visible
    return {"thinkingConfig": found} if found else {}
