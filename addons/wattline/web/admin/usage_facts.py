"""What was used, as JSON."""

from __future__ import annotations

from typing import Any

from wattline.service.accounts.key_facts import energy, moment
from wattline.store.statistics import Used


def usage_facts(used: Used) -> dict[str, Any]:
    """What a key used in the last 30 days, under the names that B's clients read. `whole` is false when there
    was more than one question looks at: then these are its latest calls.
    """
    return {
        "requestCount": used.calls,
        "attempts": used.attempts,
        "failedAttempts": used.failed,
        "promptTokens": used.prompt,
        "completionTokens": used.completion,
        "tokenUsage": used.prompt + used.completion,
        "energy": energy(used.energy_micro),
        "first": moment(used.first),
        "last": moment(used.last),
        "days": 30,
        "whole": used.whole,
    }
