"""How much a model should think: Anthropic's `thinking` and `output_config.effort`, and the neutral form.

A model that takes an effort gets one, others a budget, and where the client said the other of the two,
this table stands between them. Thinking has conditions at Anthropic: `max_tokens` above the budget,
no forced tool, no sampling parameters. The client's limit and tools come first: a budget shrinks, or
thinking is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from wattline.dialects.anthropic.models import Traits
from wattline.dialects.fields import Fields, count, kind, wrong
from wattline.wire.prompt import Thinking

BUDGETS: Mapping[str, int] = MappingProxyType(
    {
        "minimal": 1_024,
        "low": 2_048,
        "medium": 8_192,
        "high": 16_384,
        "xhigh": 20_480,
        "max": 24_576,
    }
)
"""Tokens of an effort. With room for an answer all of them fit under the smallest limit (32,000) of a
model that thinks.
"""

MIN_BUDGET = 1_024
"""Anthropic takes no smaller one."""

_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_SHOWN: Mapping[bool, str] = MappingProxyType({True: "summarized", False: "omitted"})


class Written(NamedTuple):
    """`thinking` and `effort` for the body, each None when it is left out, and the `max_tokens` they need."""

    thinking: dict[str, Any] | None
    effort: str | None
    limit: int


def write_thinking(
    thinking: Thinking, traits: Traits, limit: int | None, default_limit: int
) -> Written | None:
    """`limit` is the client's own, if it set one. None: the model does not think, or the limit leaves no
    room for thought.
    """
    if thinking.effort == "none" or thinking.budget == 0:
        return Written({"type": "disabled"}, None, limit if limit is not None else default_limit)
    if not traits.budget and not traits.adaptive:
        return None
    if traits.adaptive and not (thinking.budget or 0) > 0:
        return _adaptive(thinking, traits, limit if limit is not None else default_limit)
    if traits.budget:
        return _budgeted(thinking, limit, default_limit)
    return _adaptive(thinking, traits, limit if limit is not None else default_limit)


def _adaptive(thinking: Thinking, traits: Traits, limit: int) -> Written:
    effort = thinking.effort
    budget = thinking.budget or 0
    if effort is None and budget > 0:
        effort = next((name for name, size in BUDGETS.items() if size >= budget), "max")
    if effort == "minimal":
        effort = "low"
    if effort == "xhigh" and traits.budget:  # 4.6 has no xhigh
        effort = "high"
    if effort not in _EFFORTS:
        effort = None
    return Written(_shown({"type": "adaptive"}, thinking), effort, limit)


def _budgeted(thinking: Thinking, limit: int | None, default_limit: int) -> Written | None:
    budget = thinking.budget or 0
    if budget <= 0:
        budget = BUDGETS.get(thinking.effort or "", BUDGETS["medium"])
    budget = max(budget, MIN_BUDGET)
    if limit is None:
        limit = budget + default_limit
    elif limit <= budget:
        budget = limit - limit // 4
        if budget < MIN_BUDGET:
            return None
    config = {"type": "enabled", "budget_tokens": budget}
    return Written(_shown(config, thinking), None, limit)


def _shown(config: dict[str, Any], thinking: Thinking) -> dict[str, Any]:
    if thinking.visible is not None:
        config["display"] = _SHOWN[thinking.visible]
    return config


def read_thinking(
    config: Any, effort: str | None, extras: dict[str, Any], hints: dict[str, Any]
) -> Thinking | None:
    """Raises ClientFault. A kind of thinking without a neutral form goes into `extras`, an effort beside
    disabled thinking (it then says how wordy the answer is) into `hints`.
    """
    if config is None:
        return Thinking(effort=effort) if effort is not None else None
    if not isinstance(config, dict):
        wrong("thinking", f"'thinking' must be an object, not {kind(config)}.")
    said = config.get("type")
    match said:
        case "disabled":
            if effort is not None:
                hints["output_config.effort"] = effort
            return Thinking(budget=0)
        case "enabled":
            return Thinking(effort, _budget(config), _visible(config))
        case "adaptive":
            return Thinking(effort, -1 if effort is None else None, _visible(config))
    if not isinstance(said, str):
        wrong("thinking.type", f"'thinking.type' must be a string, not {kind(said)}.")
    extras["thinking"] = config
    return Thinking(effort=effort) if effort is not None else None


def _budget(config: Fields) -> int:
    budget = count(
        {"thinking.budget_tokens": config.get("budget_tokens")}, "thinking.budget_tokens"
    )
    if budget is None:
        wrong(
            "thinking.budget_tokens",
            "'thinking.budget_tokens' is missing. Add it to 'thinking'.",
            "missing_required_parameter",
        )
    return budget


def _visible(config: Fields) -> bool | None:
    shown = config.get("display")
    return None if shown not in ("summarized", "omitted") else shown == "summarized"
