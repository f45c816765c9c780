"""Providers, windows and models: what rules refer to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wattline.rules.actions import Scene
from wattline.rules.compiled.provider import Provider, Timeouts
from wattline.rules.compiled.window import Window
from wattline.rules.drawn import Drawn
from wattline.rules.elsewhere import Elsewhere
from wattline.rules.providers import NO_KEY, Source, compile_providers, compile_window
from wattline.rules.report import Report
from wattline.rules.sections import Sections
from wattline.rules.targets import compile_models, find_targets


def make_scene(
    sections: Sections,
    report: Report,
    own: tuple[str, int],
    drawn: Drawn,
    elsewhere: Elsewhere | None,
    timeouts: Timeouts,
) -> Scene:
    """Providers, windows and models, and all their names: what rules refer to. `timeouts` are the usual ones."""
    source = Source(report, drawn, own, sections.windows, sections.names["windows"], timeouts)
    providers = compile_providers(sections.providers, source)
    if elsewhere is not None:
        providers = _as_elsewhere(providers, elsewhere)
    windows = _windows(sections, providers, report)
    broken = {
        *(sections.names["models"] - set(sections.models)),
        *(sections.names["providers"] - set(sections.providers)),
    }
    targets = find_targets(sections.models, providers, frozenset(broken), report)
    return Scene(
        report=report,
        providers=providers,
        windows=windows,
        window_names=sections.names["windows"] | set(windows),
        provider_names=sections.names["providers"],
        targets=targets,
        models=compile_models(sections.models, targets),
        configured=any(p.unavailable is None and not p.demo for p in providers.values()),
    )


def _as_elsewhere(providers: Mapping[str, Provider], elsewhere: Elsewhere) -> dict[str, Provider]:
    found = {}
    for name, provider in providers.items():
        reason = elsewhere.unavailable(name, provider.unavailable)
        lacks = provider.needs_key or (reason or "").startswith(NO_KEY)
        found[name] = replace(provider, unavailable=reason, needs_key=lacks)
    return found


def _windows(
    sections: Sections, providers: Mapping[str, Provider], report: Report
) -> dict[str, Window]:
    """All windows by name, those of `rpm` under their provider's."""
    windows = {
        name: provider.windows[0]
        for name, provider in providers.items()
        if sections.providers[name].rpm is not None
    }
    used = {shape.window for shape in sections.providers.values()}
    for name, shape in sections.windows.items():
        if name in windows:
            text = (
                f"{name!r} is the window of provider {name} already (its `rpm`): use another name"
            )
            report.wrong(("windows", name), text, key=True)
        elif shape.scope == "provider" and name not in used:
            report.doubtful(("windows", name), f"no provider has `window: {name}`", key=True)
        windows.setdefault(name, compile_window(name, shape))
    return windows
