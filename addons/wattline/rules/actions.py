"""Rules from their shapes: conditions and actions, with every name in them resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from wattline.base.secret_look import names_secret
from wattline.rules.book import names_of
from wattline.rules.compiled.facts import Condition, Subject
from wattline.rules.compiled.provider import Provider
from wattline.rules.compiled.rule import Action, Asked, Deny, Listed, Pass, Rule, Tiered, Weighted
from wattline.rules.compiled.target import Target
from wattline.rules.compiled.window import Scope, Window
from wattline.rules.conditions.allowance import BalanceIs, FilledOver
from wattline.rules.conditions.call import (
    FLAGS,
    READERS,
    FlagIs,
    HeaderIs,
    Tagged,
    TextIs,
    TokensWithin,
)
from wattline.rules.conditions.configuration import Fixed, ModelKnown
from wattline.rules.conditions.health import Bound, HealthIs
from wattline.rules.conditions.moment import DAYS, HourWithin, WeekdayIs
from wattline.rules.doubts import doubt_rules
from wattline.rules.globs import Patterns
from wattline.rules.problems import unknown
from wattline.rules.report import Report
from wattline.rules.shapes.header import CREDENTIALS
from wattline.rules.shapes.rule import RuleShape, TryShape
from wattline.rules.shapes.when import FillShape, HealthIsShape, WhenShape
from wattline.rules.targets import Targets
from wattline.rules.tree import Path
from wattline.rules.trials import compile_drill, compile_shadow


@dataclass(frozen=True, slots=True)
class Scene:
    """What rules refer to."""

    report: Report
    providers: dict[str, Provider]
    windows: dict[str, Window]
    window_names: frozenset[str]
    """All names, those of windows with a mistake too."""
    provider_names: frozenset[str]
    targets: Targets
    models: dict[str, tuple[Target, ...]]
    configured: bool


def compile_rules(shapes: Mapping[int, RuleShape], scene: Scene) -> tuple[Rule, ...]:
    """The rules in order. Mistakes go to the report."""
    _check_names(shapes, scene.report)
    rules = {index: _rule(shape, ("rules", index), scene) for index, shape in shapes.items()}
    doubt_rules(rules, scene.models, scene.report)
    return tuple(rules.values())


def _check_names(shapes: Mapping[int, RuleShape], report: Report) -> None:
    places: dict[str, int] = {}
    for index, shape in shapes.items():
        if shape.name in places:
            line = report.tree.line(("rules", places[shape.name], "name"))
            text = f"rule {shape.name!r} is on line {line} already: names are unique"
            report.wrong(("rules", index, "name"), text)
        places.setdefault(shape.name, index)


def _rule(shape: RuleShape, path: Path, scene: Scene) -> Rule:
    action = _action(shape, path, scene)
    conditions = _conditions(shape.when, (*path, "when"), scene)
    if isinstance(action, Asked):
        conditions.append(ModelKnown(names_of(scene.models, scene.providers)))
    changes = shape.set
    return Rule(
        name=shape.name,
        conditions=tuple(conditions),
        action=action,
        defaults=dict(changes.defaults or {}) if changes is not None else {},
        overrides=dict(changes.override or {}) if changes is not None else {},
        on=frozenset(shape.on or ()),
        adapt=frozenset(shape.adapt or ()),
        drop=shape.unsupported == "drop",
        cache=shape.cache,
        order=shape.order,
        affinity=shape.affinity,
        fault=compile_drill(shape.fault, (*path, "fault"), scene.targets, scene.report),
        shadow=compile_shadow(shape.shadow, (*path, "shadow"), scene.targets, scene.report),
        midstream=shape.midstream == "continue",
        line=scene.report.tree.line(path),
    )


def _action(shape: RuleShape, path: Path, scene: Scene) -> Action:
    if shape.deny is not None:
        return Deny(shape.deny.message, shape.deny.status)
    if shape.pass_ is not None:
        return Pass()
    here = (*path, "try")
    if isinstance(shape.try_, list):
        return Listed(_targets(shape.try_, here, scene))
    if isinstance(shape.try_, TryShape):
        return _chosen(shape.try_, here, scene)
    return Asked()


def _targets(names: list[str], path: Path, scene: Scene) -> tuple[Target, ...]:
    found = (scene.targets.find(name, (*path, index)) for index, name in enumerate(names))
    return tuple({str(target): target for target in found if target is not None}.values())


def _chosen(shape: TryShape, path: Path, scene: Scene) -> Action:
    if shape.tier is not None:
        return Tiered(shape.tier, _tier_providers(shape, path, scene))
    if shape.weighted is not None:
        pairs = [
            (scene.targets.find(name, (*path, "weighted", name)), weight)
            for name, weight in shape.weighted.items()
        ]
        return Weighted(tuple((target, weight) for target, weight in pairs if target is not None))
    name = shape.chain or ""
    if name not in scene.models and name not in scene.targets.broken:
        scene.report.wrong((*path, "chain"), unknown("model", name, scene.models))
    return Listed(scene.models.get(name, ()))


def _tier_providers(shape: TryShape, path: Path, scene: Scene) -> tuple[Provider, ...]:
    if shape.providers is None:
        return tuple(
            provider
            for provider in scene.providers.values()
            if not provider.demo and any(model.tier is not None for model in provider.models)
        )
    found: list[Provider] = []
    for index, name in enumerate(shape.providers):
        here: Path = (*path, "providers", index)
        if name not in scene.provider_names:
            scene.report.wrong(here, unknown("provider", name, scene.provider_names))
        elif (provider := scene.providers.get(name)) is not None:
            if not provider.models:
                scene.report.wrong(here, f"provider {name!r} lists no models to choose from")
            found.append(provider)
    return tuple({provider.name: provider for provider in found}.values())


def _conditions(when: WhenShape, path: Path, scene: Scene) -> list[Condition]:
    """Cheap ones first: what the call itself says before what has to be looked up."""
    found: list[Condition] = []
    if when.unconfigured is not None:
        lacking = frozenset((p.name, p.origin) for p in scene.providers.values() if p.needs_key)
        found.append(Fixed("unconfigured", when.unconfigured, not scene.configured, lacking))
    for name, flag in FLAGS.items():
        if (wanted := getattr(when, name)) is not None:
            found.append(FlagIs(name, wanted, flag))
    for name, read in READERS.items():
        if (names := getattr(when, name)) is not None:
            found.append(TextIs(name, _patterns(name, names), read))
    if when.tokens is not None:
        found.append(TokensWithin(when.tokens.min, when.tokens.max))
    if when.tag is not None:
        found.append(Tagged(Patterns.of(when.tag)))
    return [
        *found,
        *_headers(when, path, scene),
        *_times(when, path, scene),
        *_facts(when, path, scene),
    ]


def _patterns(name: str, patterns: list[str]) -> Patterns:
    if name == "host":
        return Patterns.of(pattern.lower() for pattern in patterns)
    return Patterns.of(patterns)


def _headers(when: WhenShape, path: Path, scene: Scene) -> list[Condition]:
    found: list[Condition] = []
    for header, patterns in (when.header or {}).items():
        name = header.lower()
        if name in CREDENTIALS:
            scene.report.wrong(
                (*path, "header", header), f"{name} is a credential: ask `principal`"
            )
        elif names_secret(name):
            text = (
                f"{name} looks like a credential, so its value is not written down: backtest and "
                "`explain --call` take this condition not to hold"
            )
            scene.report.doubtful((*path, "header", header), text, key=True)
        found.append(HeaderIs(name, Patterns.of(patterns)))
    return found


def _times(when: WhenShape, path: Path, scene: Scene) -> list[Condition]:
    zone = _zone(when.timezone, (*path, "timezone"), scene.report)
    found: list[Condition] = []
    if when.weekday is not None:
        found.append(WeekdayIs(frozenset(DAYS.index(day) for day in when.weekday), zone))
    if when.hour is not None:
        found.append(HourWithin(tuple(when.hour), zone))
    return found


def _zone(name: str | None, path: Path, report: Report) -> tzinfo:
    if name is None or name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        report.wrong(path, unknown("timezone", name, available_timezones()))
        return UTC


def _facts(when: WhenShape, path: Path, scene: Scene) -> list[Condition]:
    found: list[Condition] = []
    if when.balance is not None:
        found.append(BalanceIs(when.balance.below, when.balance.above))
    for name, shape in (when.health or {}).items():
        subject = _subject(name, (*path, "health", name), scene)
        if subject is not None:
            found.append(_health(subject, shape))
    if when.window is not None:
        found += _filled(when.window, (*path, "window", "name"), scene)
    return found


def _subject(name: str, path: Path, scene: Scene) -> Subject | None:
    provider, _, model = name.partition("/")
    if provider not in scene.provider_names:
        scene.report.wrong(path, unknown("provider", provider, scene.provider_names), key=True)
    known = scene.providers.get(provider)
    if known is None:
        return None
    if model:
        scene.targets.doubt(known, model, path)
    return Subject(provider, tuple(one.account for one in known.each), model)


def _health(subject: Subject, shape: HealthIsShape) -> HealthIs:
    asked = (
        ("score", shape.score_below, False),
        ("score", shape.score_above, True),
        ("errors", shape.errors_below, False),
        ("errors", shape.errors_above, True),
        ("first_ms", _milliseconds(shape.faster_than), False),
        ("first_ms", _milliseconds(shape.slower_than), True),
    )
    bounds = (Bound(figure, than, above) for figure, than, above in asked if than is not None)
    return HealthIs(subject, frozenset[str](shape.state or ()), tuple(bounds))


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _filled(shape: FillShape, path: Path, scene: Scene) -> list[Condition]:
    name = shape.name
    window = scene.windows.get(name)
    if window is not None and window.scope is Scope.ADDRESS:
        text = f"window {name!r} counts by address: a rule can't ask how full it is"
        scene.report.wrong(path, text)
    elif window is not None and window.scope is not Scope.PROVIDER:
        return [FilledOver(window, shape.over)]
    elif window is not None:
        first, *others = _of_keys(window, name, scene)
        return [FilledOver(first, shape.over, tuple(others))]
    elif name in scene.providers:
        scene.report.wrong(path, f"provider {name!r} has no `rpm`, and so no window of its own")
    elif name not in scene.window_names:
        scene.report.wrong(path, unknown("window", name, scene.window_names))
    return []


def _of_keys(window: Window, name: str, scene: Scene) -> list[Window]:
    """A window of providers, as each of their keys has it: the one that a provider's `rpm` makes, or one that
    providers share.
    """
    provider = scene.providers.get(name)
    providers = scene.providers.values() if provider is None else (provider,)
    declared = name if provider is None else None
    every = (w for one in providers for key in one.each for w in key.windows)
    return list({w.name: w for w in every if w.declared == declared}.values()) or [window]
