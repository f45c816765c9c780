"""Prompts of calls beside the ones before them, where rules.yaml asks for it (`affinity: {diagnose: true}`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from wattline.engine.prompt_cache import Blocks, Break, Conversation, PromptCaches
from wattline.rules.compiled.provider import FROM_CACHE
from wattline.rules.compiled.target import Target
from wattline.service.catalog.costs import Costs
from wattline.wire.call import Call
from wattline.wire.usage import Usage


@dataclass(frozen=True, slots=True)
class Prompted:
    """The blocks of a call's prompt, and the name of its conversation."""

    name: str
    blocks: Blocks


class Diagnosis:
    """Judges each answer."""

    def __init__(self, caches: PromptCaches, costs: Costs) -> None:
        self._caches = caches
        self._costs = costs

    def answered(
        self, call: Call, asked: Prompted, target: Target, usage: Usage, now: float, wall: float
    ) -> Break | None:
        """A target answered. What was kept here says nothing."""
        if target.provider.name == FROM_CACHE:
            return None
        who = (call.principal.id, call.model, asked.name)
        place = (target.provider.name, target.model)
        return self._caches.seen(
            who, asked.blocks, place, usage, now, wall, lambda lost: self._costs.lost(target, lost)
        )

    def told(self) -> dict[str, Any]:
        """All of it as JSON values: totals, and the conversations, the latest first."""
        found = self._caches.conversations()
        causes: Counter[str] = Counter()
        for conversation in found:
            causes.update(conversation.causes)
        return {
            "conversations": [_conversation(conversation) for conversation in found],
            "totals": {
                "conversations": len(found),
                "calls": sum(c.calls for c in found),
                "promptTokens": sum(c.prompt for c in found),
                "cachedTokens": sum(c.cached for c in found),
                "lostTokens": sum(c.lost for c in found),
                "lostDollars": round(sum(c.dollars for c in found), 6),
                "breaks": dict(causes.most_common()),
            },
        }


def _conversation(found: Conversation) -> dict[str, Any]:
    return {
        "conversation": found.name,
        "principal": found.principal,
        "model": found.model,
        "calls": found.calls,
        "promptTokens": found.prompt,
        "cachedTokens": found.cached,
        "lostTokens": found.lost,
        "lostDollars": round(found.dollars, 6),
        "breaks": [_break(one) for one in reversed(found.breaks)],
        "breaksByCause": dict(found.causes.most_common()),
    }


def _break(one: Break) -> dict[str, Any]:
    return {
        "at": int(one.at * 1000),
        "cause": one.code,
        "what": one.text,
        "role": one.role,
        "index": one.index,
        "lostTokens": one.lost,
        "lostDollars": None if one.dollars is None else round(one.dollars, 6),
        "target": "/".join(one.place),
    }
