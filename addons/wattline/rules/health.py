"""The section `health`: from its shape, with the environment's words before the file's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from wattline.rules.compiled.upkeep import HealthRules
from wattline.rules.door import Environment
from wattline.rules.globs import Glob, Patterns, is_glob
from wattline.rules.problems import nearest
from wattline.rules.report import Report
from wattline.rules.shapes.upkeep import HealthShape

NEVER, AFTER_MODELS = "DISABLE_PROVIDER_AUTO_DISABLE", "DISABLE_PROVIDER_AFTER_MODELS"
KNOWN = frozenset(
    {
        *(
            "all_providers_failed",
            "bad_answer",
            "connect_timeout",
            "context_length",
            "credential_origin",
            "cut",
        ),
        *(
            "deadline",
            "dns",
            "first_byte_timeout",
            "forbidden_address",
            "idle_timeout",
            "own_listener",
            "refused",
        ),
        *(
            "reset",
            "shutting_down",
            "tls",
            "total_timeout",
            "unreachable",
            "unsendable",
            "upstream_broke_off",
        ),
        *("inband_overloaded", "inband_rate_limit", "inband_server_error", "inband_timeout"),
        *(f"http_{status}" for status in (400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429)),
        *(f"http_{status}" for status in (500, 501, 502, 503, 504, 520, 522, 524, 529)),
    }
)
"""Outcomes, as the ledger and the log name them; of those with a number or a provider's word the usual ones."""
_NUMBERED = re.compile(r"http_[1-5][0-9]{2}|inband_[a-z_]+")
_MOST_MODELS = 1_000
_YES = frozenset({"1", "true", "yes", "on"})


def compile_health(shape: HealthShape, report: Report) -> HealthRules:
    """What the file says. What can have no effect goes to the report."""
    if "longest" in shape.model_fields_set and shape.longest < shape.cooldown:
        text = (
            "`longest` is shorter than `cooldown`: the time that a target is left out does not grow"
        )
        report.doubtful(("health", "longest"), text)
    for index, pattern in enumerate(shape.ignore or ()):
        if not _is_outcome(pattern):
            meant = nearest(pattern, KNOWN)
            hint = f" Did you mean {meant!r}?" if meant is not None else ""
            report.doubtful(("health", "ignore", index), f"no outcome is called so.{hint}")
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


def _is_outcome(pattern: str) -> bool:
    """It names one, or fits some."""
    if is_glob(pattern):
        return any(map(Glob(pattern).matches, KNOWN))
    return pattern in KNOWN or _NUMBERED.fullmatch(pattern) is not None


def environment_health(rules: HealthRules, env: Mapping[str, str], report: Report) -> HealthRules:
    """The file's rules with the environment's in their place (B-145, B-146)."""
    if env.get(NEVER, "").strip().lower() in _YES:
        rules = replace(rules, breaker=False)
    models = Environment(env, report).number(AFTER_MODELS, _MOST_MODELS)
    return rules if models is None else replace(rules, disable_after=models)
