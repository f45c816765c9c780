"""Body fields that an operator sets, on a prompt that is about to be written in another dialect.

rules.yaml names them as OpenAI does. Those that every dialect has, under whatever name and at whatever
place, are set in the prompt; the rest go into the body as they stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from wattline.wire.prompt import Prompt, Thinking

_SAMPLING: Mapping[str, str] = MappingProxyType(
    {
        "max_tokens": "max_tokens",
        "max_completion_tokens": "max_tokens",
        "max_output_tokens": "max_tokens",
        "temperature": "temperature",
        "top_p": "top_p",
        "top_k": "top_k",
        "stop": "stop",
        "seed": "seed",
        "presence_penalty": "presence_penalty",
        "frequency_penalty": "frequency_penalty",
        "n": "n",
    }
)
_EFFORT = "reasoning_effort"


@dataclass(frozen=True, slots=True)
class Fields:
    """The operator's: `defaults` where the client said nothing, `overrides` always."""

    defaults: Mapping[str, Any]
    overrides: Mapping[str, Any]


def set_in_prompt(prompt: Prompt, fields: Fields) -> tuple[Prompt, Fields]:
    """The prompt with what it has a place for, and the fields that are left."""
    default, other_defaults = _split(fields.defaults)
    override, other_overrides = _split(fields.overrides)
    said = prompt.sampling
    missing = {name: value for name, value in default.items() if not _given(said, name)}
    prompt = replace(prompt, sampling=replace(said, **{**missing, **override}))
    effort = fields.overrides.get(_EFFORT)
    if effort is None and prompt.thinking is None:
        effort = fields.defaults.get(_EFFORT)
    if isinstance(effort, str):
        prompt = replace(prompt, thinking=Thinking(effort=effort))
    return prompt, Fields(other_defaults, other_overrides)


def placed(body: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """A body with the fields that are left, at its top."""
    return {**fields.defaults, **body, **fields.overrides}


def _given(sampling: object, name: str) -> bool:
    return getattr(sampling, name) not in (None, ())


def _split(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    ours: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for key, value in fields.items():
        if key in _SAMPLING:
            ours[_SAMPLING[key]] = _stops(value) if key == "stop" else value
        elif key not in (_EFFORT, "model", "stream"):
            others[key] = value
    return ours, others


def _stops(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())
