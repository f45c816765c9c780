"""An explanation as JSON values, for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.engine.explanation import Explanation, RuleFound, WindowFound
from wattline.engine.plan import Plan
from wattline.rules.book import Target
from wattline.rules.conditions import MICRO


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
            "forward": call.forward,
        },
        "rules": [_rule_json(rule) for rule in explanation.rules],
        "rules_not_asked": explanation.after,
        "windows": [_window_json(found) for found in explanation.windows],
        "targets": [
            {"target": t.target, "state": t.code, "why_not": t.why_not, "demo": t.demo}
            for t in explanation.targets
        ],
        "near": list(explanation.near),
        "balance": None if explanation.balance is None else explanation.balance / MICRO,
        "plan": _plan_json(plan),
    }


def _rule_json(rule: RuleFound) -> dict[str, Any]:
    return {
        "name": rule.name,
        "position": rule.position,
        "line": rule.line,
        "action": rule.action,
        "conditions": [
            {"field": c.field, "value": c.value, "holds": c.why_not is None, "why_not": c.why_not}
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
        "defaults": _plain(plan.defaults),
        "overrides": _plain(plan.overrides),
        "on": sorted(plan.on),
        "reasons": list(plan.reasons),
        "unknown": plan.unknown,
        "version": plan.version,
    }


def _target_json(target: Target) -> dict[str, Any]:
    return {
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
