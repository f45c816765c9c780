"""An explanation as JSON values, for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.base.amounts import MICRO
from wattline.engine.explanation import (
    Explanation,
    RuleFound,
    Standing,
    TargetFound,
    WindowFound,
)
from wattline.engine.plan import Plan
from wattline.rules.compiled.target import Target


def as_json(explanation: Explanation) -> dict[str, Any]:
    """The explanation as JSON values. There are no secrets and no prompts in it."""
    call, plan = explanation.call, explanation.plan
    return {
        "call": {
            "id": call.id,
            "dialect": call.dialect,
            "operation": str(call.operation),
            "method": call.method,
            "host": call.host,
            "path": call.path,
            "model": call.model,
            "stream": call.stream,
            "principal": call.principal.id,
            "tokens": call.tokens,
            "tokens_counted": call.counted,
            "forward": call.forward,
        },
        "rules": [_rule_json(rule) for rule in explanation.rules],
        "rules_not_asked": explanation.after,
        "windows": [_window_json(found) for found in explanation.windows],
        "targets": [_found_json(found) for found in explanation.targets],
        "order": explanation.order,
        "refused": explanation.refused,
        "near": list(explanation.near),
        "balance": None if explanation.balance is None else explanation.balance / MICRO,
        "plan": _plan_json(plan),
    }


def _found_json(found: TargetFound) -> dict[str, Any]:
    told: dict[str, Any] = {
        "target": found.target,
        "state": found.code,
        "why_not": found.why_not,
        "demo": found.demo,
    }
    if found.key:
        told |= {"key": found.key, "mask": found.mask}
    if found.standing is not None:
        told |= _standing_json(found.standing)
    return told


def _standing_json(standing: Standing) -> dict[str, Any]:
    figures = standing.figures
    return {
        "credential": standing.credential,
        "breaker": str(standing.breaker),
        "attempts": figures.calls,
        "errors": round(figures.errors, 4),
        "first_ms": None if figures.first_ms is None else round(figures.first_ms, 1),
        "total_ms": None if figures.total_ms is None else round(figures.total_ms, 1),
        "score": round(figures.score, 4),
    }


def _rule_json(rule: RuleFound) -> dict[str, Any]:
    return {
        "name": rule.name,
        "position": rule.position,
        "line": rule.line,
        "action": rule.action,
        "conditions": [
            {
                "field": c.field,
                "name": c.name or None,
                "value": c.value,
                "holds": c.why_not is None,
                "why_not": c.why_not,
            }
            for c in rule.conditions
        ],
        "obstacle": rule.obstacle,
        "decides": rule.decides,
    }


def _window_json(found: WindowFound) -> dict[str, Any]:
    window = found.window
    return {
        "name": window.name,
        "scope": str(window.scope),
        "per": window.per,
        "calls": window.calls,
        "tokens": window.tokens,
        "key": found.key,
        "fill": found.fill,
    }


def _plan_json(plan: Plan) -> dict[str, Any]:
    return {
        "rule": plan.rule,
        "position": plan.position,
        "targets": [_target_json(target) for target in plan.targets],
        "skipped": [
            {"target": s.target, "code": s.code, "reason": s.reason, "retry_after": s.retry_after}
            for s in plan.skipped
        ],
        "deny": None
        if plan.deny is None
        else {"message": plan.deny.message, "status": plan.deny.status},
        "passed": plan.passed,
        "panic": plan.panic,
        "defaults": _plain(plan.defaults),
        "overrides": _plain(plan.overrides),
        "on": sorted(plan.on),
        "reasons": list(plan.reasons),
        "unknown": plan.unknown,
        "version": plan.version,
    }


def _target_json(target: Target) -> dict[str, Any]:
    key = {"key": target.provider.key} if target.provider.key else {}
    return key | {
        "target": str(target),
        "provider": target.provider.name,
        "model": target.model,
        "entry": target.entry,
        "rate": None if target.rate is None else float(target.rate),
    }


def _plain(value: Any) -> Any:
    """Body fields of the rules, whose mappings and lists may be frozen ones."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
