"""Why a call gets no answer from anybody, as one fault (decision 13). Upstream text is not in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from wattline.base.errors import ClientFault, Fault, Kind, OurFault, UpstreamFault
from wattline.engine.near import quoted
from wattline.engine.plan import UNKNOWN_THERE, Plan, Skip

SHOWN = 10
"""Reasons in one message."""
LIMITED = frozenset({"http_429", "window_full", "inband_rate_limit"})
_TEMPORARY = frozenset({"window_full", "resting"})
_PASSING = frozenset({"window_full", "resting", "breaker", "score"})
"""What passes by itself: whose calls it keeps out and why is the operator's own business."""
_OUT = "failed too often lately"
_MISSING = ("No API key for ", "No base URL for ")
CANNOT_EXPRESS = "cannot_express"
"""The target's API has no words for parts of the call; it was not tried."""
MODEL_NOT_FOUND = "model_not_found"
NOT_CONFIGURED = "No external providers configured (missing API keys)"
ALL_FAILED = "All providers unavailable", " "
TIER_FAILED = "All external providers failed", ": "
"""What is said of all, and what stands between a provider and its code."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One target that was tried or was about to be. `target` is `provider/model`."""

    target: str
    code: str
    retry_after: float | None
    detail: str | None = None
    """What a client is told beside the code."""


def summary(failures: Sequence[Failure], plan: Plan, model: str) -> Fault:
    """The answer to a call whose plan can't be tried, or whose targets have all failed.

    404 when no rule knows the model; 429 when only rate limits stand in the way; 500 when providers
    failed (A-073); 503 when none could be tried.
    """
    waiting = [skip for skip in plan.skipped if skip.code in _TEMPORARY]
    if plan.rule is None and not plan.passed and not failures and not plan.skipped:
        return _nowhere(plan, model)
    limits = [failure.code in LIMITED for failure in failures] + [
        skip.limited for skip in waiting if skip.limited or not failures
    ]
    if limits and all(limits):
        return _limited(failures, waiting, _broken(plan))
    if failures and all(failure.code == CANNOT_EXPRESS for failure in failures):
        return _inexpressible(failures)
    if failures:
        return _failed(failures, waiting, plan)
    return _unavailable(plan, model, waiting)


def _failed(failures: Sequence[Failure], waiting: Sequence[Skip], plan: Plan) -> Fault:
    """In the words of the gateway that was asked: A-073's, or for a tier C-106's."""
    said, between = TIER_FAILED if plan.tiered else ALL_FAILED
    return UpstreamFault(
        f"{said}: {_told(failures, (*waiting, *_broken(plan)), between)}",
        status=500,
        code="all_providers_failed",
        should_retry=False,
    )


def _nowhere(plan: Plan, model: str) -> Fault:
    if plan.unknown:
        meant = f" Did you mean {' or '.join(map(repr, plan.near))}?" if plan.near else ""
        text = f"The model {quoted(model)} is not known here.{meant}"
        return ClientFault(
            text, status=404, code=MODEL_NOT_FOUND, kind=Kind.NOT_FOUND, param="model"
        )
    return ClientFault(
        f"No rule takes this call of {quoted(model)}. Run `wattline explain` to see why, and add a rule.",
        status=404,
        code="no_rule",
        kind=Kind.NOT_FOUND,
    )


def _inexpressible(failures: Sequence[Failure]) -> Fault:
    reasons = list(dict.fromkeys(failure.detail or failure.target for failure in failures))
    return ClientFault(
        f"No provider of this call can express all of it: {_joined(reasons)}. Leave that out, or set "
        "`unsupported: drop` on the rule in rules.yaml.",
        code="unsupported_by_target",
        should_retry=False,
    )


def _broken(plan: Plan) -> list[Skip]:
    """Targets that their breakers keep out."""
    return [skip for skip in plan.skipped if skip.code == "breaker"]


def _limited(failures: Sequence[Failure], waiting: Sequence[Skip], broken: Sequence[Skip]) -> Fault:
    waits = _waits(failures, waiting)
    never = not waits and all(f.code == "window_full" for f in failures)
    return UpstreamFault(
        f"All providers are at their rate limits: {_told(failures, (*waiting, *broken))}",
        status=429,
        code="rate_limit_exceeded",
        kind=Kind.RATE_LIMIT,
        retry_after=min(waits, default=None),
        should_retry=False if never else None,
    )


def _unavailable(plan: Plan, model: str, waiting: Sequence[Skip]) -> Fault:
    skipped = plan.skipped
    reasons = list(dict.fromkeys(_reasons(skipped)))
    if not waiting and any(skip.code == UNKNOWN_THERE for skip in skipped):
        return ClientFault(
            f"The model {quoted(model)} is not known here: {_joined(reasons)}.",
            status=404,
            code=MODEL_NOT_FOUND,
            kind=Kind.NOT_FOUND,
            param="model",
        )
    if skipped and all(skip.code == "dialect" for skip in skipped):
        return ClientFault(
            f"No provider of this call can do it: {_joined(reasons)}.",
            code="unsupported_by_target",
            should_retry=False,
        )
    missing = all(
        skip.code == "unavailable" and skip.reason.startswith(_MISSING) for skip in skipped
    )
    said = NOT_CONFIGURED if missing else "No provider can take this call now"
    if missing and plan.unknown:
        said = f"{said} for {quoted(model)}, which is not known here"
    return OurFault(
        f"{said}: {_joined(reasons)}" if reasons else said,
        status=503,
        code="no_provider",
        kind=Kind.UNAVAILABLE,
        retry_after=min(_waits((), waiting), default=None),
        should_retry=None if waiting else False,
    )


def _reasons(skipped: Iterable[Skip]) -> Iterator[str]:
    """In a caller's words: of what passes only which provider it is, and when to come again."""
    passing: dict[str, list[float]] = {}
    for skip in skipped:
        if skip.code in _PASSING:
            waits = passing.setdefault(skip.target.partition("/")[0], [])
            waits += [] if skip.retry_after is None else [skip.retry_after]
        else:
            yield skip.reason
    for name, waits in passing.items():
        wait = f" (try again in {ceil(min(waits))} s)" if waits else ""
        yield f"{name} is not available now{wait}"


def _waits(failures: Iterable[Failure], waiting: Iterable[Skip]) -> list[float]:
    found = [*(f.retry_after for f in failures), *(skip.retry_after for skip in waiting)]
    return [seconds for seconds in found if seconds is not None]


def _told(failures: Iterable[Failure], waiting: Iterable[Skip], between: str = " ") -> str:
    """`openai http_503; groq first_byte_timeout`: providers and codes, no model names."""
    places = [(f.target, f.code) for f in failures] + [(s.target, s.code) for s in waiting]
    found = Counter(
        f"{target.partition('/')[0]}{between}{_OUT if code == 'breaker' else code}"
        for target, code in places
    )
    return _joined([text if n == 1 else f"{text} ({n} times)" for text, n in found.items()])


def _joined(reasons: Sequence[str]) -> str:
    more = len(reasons) - SHOWN
    return "; ".join(reasons[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
