"""rules.yaml to a Book: read once, checked as a whole, told where each mistake is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from types import MappingProxyType

from wattline.rules.actions import compile_rules
from wattline.rules.affinity import AffinityShape, compile_affinity
from wattline.rules.auth import check_open, compile_auth, compile_tiers
from wattline.rules.book import Book
from wattline.rules.compiled.callers import AccountRules, AudioRates, DialogRules
from wattline.rules.compiled.entrance import Limits, Listen
from wattline.rules.compiled.upkeep import CacheRules, LedgerRules, LogRules
from wattline.rules.compiled.window import Over, Scope
from wattline.rules.door import compile_cors, environment_limits, environment_windows
from wattline.rules.drawn import Drawn, version_of
from wattline.rules.elsewhere import Elsewhere
from wattline.rules.environment import provider_environment
from wattline.rules.health import compile_health, environment_health
from wattline.rules.hosts import compile_intercept, compile_tunnel, open_hosts
from wattline.rules.problems import Problem, RulesError
from wattline.rules.proof import ProofShape, compile_proof
from wattline.rules.report import Report
from wattline.rules.scene import make_scene
from wattline.rules.sections import Sections, read_sections
from wattline.rules.shapes.callers import AccountsShape, AudioShape, DialogsShape, EnergyShape
from wattline.rules.shapes.entrance import AuthShape, CorsShape, ListenShape, TunnelShape
from wattline.rules.shapes.limits import LimitsShape
from wattline.rules.shapes.upkeep import CacheShape, HealthShape, LedgerShape, LogShape
from wattline.rules.tree import MAX_BYTES, parse

__all__ = ["MAX_BYTES", "Problem", "RulesError", "load"]


def load(
    text: str | bytes,
    *,
    env: Mapping[str, str],
    name: str = "rules.yaml",
    own: tuple[str, int] | None = None,
    elsewhere: Elsewhere | None = None,
) -> Book:
    """The compiled rules. `name` is shown in problems; `own` is the host and port that we really listen
    on, when that is not what the file says (command line, environment). With `elsewhere` the book is
    that process's as far as it can be known here: which providers and callers have their variables.

    Raises RulesError with every problem of the file; no problem's text holds a secret.
    """
    tree = parse(text, name)
    report = Report(tree)
    sections = read_sections(report)
    written = _written(sections.single.get("listen"))
    listen = written if own is None else Listen(*own)
    book = replace(_compile(sections, report, listen, env, elsewhere, written), written=written)
    if report.problems:
        raise RulesError(report.problems)
    return book


def _written(shape: ListenShape | None) -> Listen:
    return Listen(shape.host, shape.port) if shape is not None else Listen()


def _compile(
    sections: Sections,
    report: Report,
    listen: Listen,
    env: Mapping[str, str],
    elsewhere: Elsewhere | None,
    written: Listen,
) -> Book:
    own = (listen.host, listen.port)
    drawn = Drawn(provider_environment(env, own))
    scene = make_scene(sections, report, own, drawn, elsewhere)
    rules = compile_rules(sections.rules, scene)
    energy: EnergyShape = sections.single.get("energy", EnergyShape())
    audio: AudioShape = sections.single.get("audio", AudioShape())
    callers = elsewhere.callers if elsewhere is not None else frozenset()
    auth = compile_auth(sections.single.get("auth", AuthShape()), drawn, report, callers)
    check_open(auth, listen, written, env, report)
    accounts: AccountsShape = sections.single.get("accounts", AccountsShape())
    if accounts.registration == "open" and auth.mode == "keys":
        text = "tokens let nobody in with `auth: {mode: keys}`, so nobody can register"
        report.doubtful(("accounts", "register"), text)
    over_callers = [w for w in scene.windows.values() if w.scope is not Scope.PROVIDER]
    limits = Limits(**sections.single.get("limits", LimitsShape()).model_dump())
    front: ListenShape = sections.single.get("listen", ListenShape())
    return Book(
        version=version_of(report.tree.text, drawn, scene.providers.values()),
        listen=listen,
        intercept=compile_intercept(sections.single.get("intercept", []), report),
        tunnel=compile_tunnel(sections.single.get("tunnel", TunnelShape())),
        auth=auth,
        providers=MappingProxyType(scene.providers),
        models=MappingProxyType(scene.models),
        rules=rules,
        windows=tuple(w for w in over_callers if w.over is Over.CALLS),
        doors=(
            *(w for w in over_callers if w.over is not Over.CALLS),
            *environment_windows(env, report),
        ),
        trusted_proxies=tuple(ip_network(text) for text in front.trusted_proxies),
        cors=compile_cors(sections.single.get("cors", CorsShape()), auth.mode, report),
        margin=energy.margin,
        audio=AudioRates(audio.per_second, audio.per_character),
        cache=CacheRules(**dict(sections.single.get("cache", CacheShape()))),
        affinity=compile_affinity(sections.single.get("affinity", AffinityShape())),
        proof=compile_proof(sections.single.get("proof", ProofShape())),
        open_hosts=open_hosts(sections.single.get("intercept", [])),
        tiers=compile_tiers(sections.single.get("tiers", {})),
        accounts=AccountRules(**dict(accounts)),
        dialogs=DialogRules(**dict(sections.single.get("dialogs", DialogsShape()))),
        limits=environment_limits(limits, env, report),
        health=environment_health(
            compile_health(sections.single.get("health", HealthShape()), report), env, report
        ),
        ledger=_ledger(sections.single.get("ledger", LedgerShape())),
        log=LogRules(**dict(sections.single.get("log", LogShape()))),
        default_rate=energy.default_rate,
        warnings=tuple(str(warning) for warning in sorted(set(report.warnings))),
    )


def _ledger(shape: LedgerShape) -> LedgerRules:
    return LedgerRules(shape.sync, shape.down)
