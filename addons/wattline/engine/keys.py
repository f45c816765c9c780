"""Which of a provider's keys a call takes: each is an account of its own, that rests and fills its windows alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from zlib import crc32

from wattline.engine.plan import KeyOut, Skip
from wattline.engine.summary import Failure
from wattline.rules.compiled.target import Target
from wattline.wire.call import Call, Operation

OF_ONE_KEY: Final = frozenset({"resting", "window_full"})
"""Codes of what keeps one key out and not the provider."""
_FOR_ITS_KEY: Final = frozenset(
    {"http_401", "http_402", "http_403", "http_429", "window_full", "inband_rate_limit",
     "inband_authentication", "inband_permission", "inband_insufficient_quota"}
)  # fmt: skip
"""Failures after which another key of the same provider may do better."""
_TURN: Final = 7_919
"""A plan has one draw, which weighs targets too: multiplied by this and cut to its fraction it is another one."""


def keyed(target: Target) -> tuple[Target, ...]:
    """The target with each of its provider's keys."""
    return tuple(replace(target, provider=one) for one in target.provider.each)


def in_turn(open_keys: Sequence[Target], call: Call, draw: float) -> tuple[Target, ...]:
    """The keys that can be used, in the order in which this call tries them: a conversation begins where it began
    before, other calls where the draw says, so that all are used alike.
    """
    count = len(open_keys)
    if count < 2 or not open_keys[0].provider.spread:
        return tuple(open_keys)
    if call.conversation is not None:
        start = crc32(call.conversation.encode("utf-8", "replace")) % count
    else:
        part = draw * _TURN % 1.0
        start = min(int(part * count), count - 1) if part > 0 else 0  # not for what is no number
    return (*open_keys[start:], *open_keys[:start])


def is_pointless(
    target: Target, before: Target | None, failures: Sequence[Failure], call: Call
) -> bool:
    """The same was tried just before with another key, and its key was not why it failed. A question about what
    was made is for the account that made it.
    """
    if before is None or not failures or str(before) != str(target):
        return False
    return call.operation is not Operation.LOOKUP and failures[-1].code not in _FOR_ITS_KEY


def all_out(target: Target, found: Sequence[KeyOut]) -> Skip:
    """Why a provider is out: all its keys are. It waits for the first of them."""
    first = min(found, key=lambda out: _wait(out.skip))
    skip = first.skip
    provider = target.provider
    reason = f"all {len(found)} keys of {provider.name} wait, key {first.target.provider.key} the shortest: {skip.reason}"
    return Skip(str(target), skip.code, reason, skip.retry_after, skip.limited, skip.guessed)


def _wait(skip: Skip) -> float:
    return float("inf") if skip.retry_after is None else skip.retry_after
