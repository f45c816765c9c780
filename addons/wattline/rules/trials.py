"""Drills and shadow targets from their shapes, and what somebody should know of each that is in force."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from wattline.base.amounts import percent
from wattline.rules.drill import Drill
from wattline.rules.globs import Patterns, is_glob
from wattline.rules.report import Report
from wattline.rules.shadow import Shadow
from wattline.rules.shapes.drill import FaultShape, ShadowShape
from wattline.rules.shapes.header import CREDENTIALS
from wattline.rules.targets import Targets
from wattline.rules.tree import Path

LONGEST: Final = 7 * 86_400.0
"""Seconds that a drill may be ahead: one that was forgotten ends all the same."""


def compile_drill(
    shape: FaultShape | None, path: Path, targets: Targets, report: Report
) -> Drill | None:
    """The drill; None where there is none, or none any more. Mistakes go to the report."""
    if shape is None:
        return None
    left = shape.until - time.time()
    if left > LONGEST:
        report.wrong((*path, "until"), "a drill ends within 7 days: take an earlier time")
        return None
    for name in shape.targets or ():
        _check_target(name, (*path, "targets"), targets)
    drill = Drill(
        kind=str(shape.kind),
        share=float(shape.share),
        until=shape.until,
        headers=tuple(_headers(shape, path, report)),
        principals=_patterns(shape.principal),
        users=_patterns(shape.user),
        targets=_patterns(shape.targets),
        after=shape.after or 0,
        retry_after=shape.retry_after,
        pause=shape.pause if shape.pause is not None else 1.0,
    )
    if left <= 0:
        report.doubtful(
            (*path, "until"),
            f"this drill is over, it ended at {shown(shape.until)}: take `fault` out of the rule, or give a later time",
        )
        return None
    if not drill.share:
        return None
    report.doubtful(path, f"a drill is on: {describe_drill(drill)}")
    return drill


def describe_drill(drill: Drill) -> str:
    """`429 for 5 % of the calls that fit, until 2026-05-04T18:00:00Z`."""
    share = (
        "each call that fits"
        if drill.share == 1
        else f"{percent(drill.share)} of the calls that fit"
    )
    return f"{drill.kind} for {share}, until {shown(drill.until)}"


def shown(moment: float) -> str:
    """Unix seconds as an ISO time."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def compile_shadow(
    shape: ShadowShape | None, path: Path, targets: Targets, report: Report
) -> Shadow | None:
    """The shadow; None where there is none. Mistakes go to the report."""
    if shape is None:
        return None
    target = targets.find(shape.target, (*path, "target"))
    if target is None or not shape.share:
        return None
    share = float(shape.share)
    which = "all" if share == 1 else percent(share)
    text = f"the prompts of {which} of this rule's calls are sent to {target} too"
    report.doubtful((*path, "target"), text)
    return Shadow(target, share)


def _check_target(name: str, path: Path, targets: Targets) -> None:
    """A drill knows the target of an attempt by its entry, as `provider/model`, and by its provider."""
    if is_glob(name):
        if not _may_fit(name, targets):
            targets.report.doubtful(path, f"{name!r} fits no target: the drill hits none by it")
    elif name in targets.virtual:
        targets.report.wrong(
            path, f"{name!r} has no provider of its own: name targets of its chain"
        )
    else:
        found = targets.find(name, path)
        if found is not None and name not in (found.entry, str(found), found.provider.name):
            targets.report.wrong(path, f"{name!r} stands for {found.entry!r}: name that")


def _may_fit(pattern: str, targets: Targets) -> bool:
    """Models may be asked for that nobody has listed, so that only the provider's part must be known."""
    whole, provider = Patterns.of([pattern]), Patterns.of([pattern.partition("/")[0]])
    names = {*targets.providers, *targets.own, *map(str, targets.own.values())}
    if pattern.startswith("*") or any(map(whole.matches, names)):
        return True
    return "/" in pattern and any(map(provider.matches, targets.providers))


def _headers(shape: FaultShape, path: Path, report: Report) -> Iterator[tuple[str, Patterns]]:
    for header, patterns in (shape.header or {}).items():
        name = header.lower()
        if name in CREDENTIALS:
            text = f"{name} is a credential: ask `principal`"
            report.wrong((*path, "header", header), text)
        yield name, Patterns.of(patterns)


def _patterns(patterns: list[str] | None) -> Patterns | None:
    return None if patterns is None else Patterns.of(patterns)
