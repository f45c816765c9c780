"""Calls that go on from what an earlier one made: with the key that made it, since it lives in that account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wattline.engine.plan import Plan
from wattline.engine.summary import summary
from wattline.rules.compiled.target import Target
from wattline.service.earlier import FIELDS, named
from wattline.service.remembered import Maker, Remembered
from wattline.wire.call import Call


def followed(plan: Plan, call: Call, value: Mapping[str, Any], remembered: Remembered) -> Plan:
    """The plan without the other keys of the provider that made what the call goes on from, where that is known.
    Which providers are asked, and in which order, stays the rules' own. Raises Fault while that key waits: nobody
    else has what the call goes on from.
    """
    if call.operation not in FIELDS or plan.passed:
        return plan
    for _, said in named(call.operation, value):
        maker = remembered.find(call.operation.value, call.principal.id, said)
        if maker is not None and maker.key:
            return _kept_to(plan, maker, call)
    return plan


def _kept_to(plan: Plan, maker: Maker, call: Call) -> Plan:
    if any(_is_its(target, maker) for target in plan.targets):
        targets = tuple(target for target in plan.targets if not _is_other(target, maker))
        return replace(plan, targets=targets)
    waits = next((out.skip for out in plan.keys_out if _is_its(out.target, maker)), None)
    if waits is None:
        return plan  # the rules know that key no more
    reason = f"{maker.provider} key {maker.key} made what this goes on from: {waits.reason}"
    skipped = (replace(waits, reason=reason),)
    raise summary((), replace(plan, targets=(), skipped=skipped), call.model)


def _is_its(target: Target, maker: Maker) -> bool:
    provider = target.provider
    return (provider.name, provider.key) == (maker.provider, maker.key) and target.owner is None


def _is_other(target: Target, maker: Maker) -> bool:
    return target.provider.name == maker.provider and target.provider.key not in (0, maker.key)
