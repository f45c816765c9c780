"""The section `health`: from its shape, with the environment's words before the file's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wattline.rules.compiled.upkeep import HealthRules
from wattline.rules.door import Environment
from wattline.rules.globs import Patterns
from wattline.rules.report import Report
from wattline.rules.shapes.upkeep import HealthShape

NEVER, AFTER_MODELS = "DISABLE_PROVIDER_AUTO_DISABLE", "DISABLE_PROVIDER_AFTER_MODELS"
_MOST_MODELS = 1_000
_YES = frozenset({"1", "true", "yes", "on"})


def compile_health(shape: HealthShape) -> HealthRules:
    """What the file says."""
    return HealthRules(
        breaker=shape.breaker,
        failures=shape.failures,
        share=shape.share,
        window=shape.window,
        cooldown=shape.cooldown,
        longest=max(shape.longest, shape.cooldown),
        disable_after=shape.disable_after,
        ignore=Patterns.of(shape.ignore or ()),
    )


def environment_health(rules: HealthRules, env: Mapping[str, str], report: Report) -> HealthRules:
    """The file's rules with the environment's in their place (B-145, B-146)."""
    if env.get(NEVER, "").strip().lower() in _YES:
        rules = replace(rules, breaker=False)
    models = Environment(env, report).number(AFTER_MODELS, _MOST_MODELS)
    return rules if models is None else replace(rules, disable_after=models)
