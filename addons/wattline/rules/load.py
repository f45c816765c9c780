"""rules.yaml to a Book: read once, checked as a whole, told where each mistake is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_network
from types import MappingProxyType

from wattline.base.ids import hash_secret
from wattline.rules.actions import Scene, compile_rules
from wattline.rules.addresses import is_loopback
from wattline.rules.affinity import AffinityShape, compile_affinity
from wattline.rules.book import (
    AccountRules,
    AudioRates,
    Auth,
    Book,
    CacheRules,
    CallerTier,
    DialogRules,
    LedgerRules,
    Limits,
    Listen,
    LogRules,
    Over,
    Provider,
    Scope,
    Tunnel,
    Window,
)
from wattline.rules.door import compile_cors, environment_limits, environment_windows
from wattline.rules.elsewhere import Elsewhere
from wattline.rules.environment import DEMO_URL, provider_environment
from wattline.rules.health import compile_health, environment_health
from wattline.rules.problems import Problem, RulesError
from wattline.rules.proof import ProofShape, compile_proof
from wattline.rules.providers import NO_KEY, Source, compile_providers, compile_window
from wattline.rules.report import Report
from wattline.rules.schema import (
    AccountsShape,
    AudioShape,
    AuthShape,
    CacheShape,
    CorsShape,
    DialogsShape,
    EnergyShape,
    HealthShape,
    InterceptShape,
    LedgerShape,
    LimitsShape,
    ListenShape,
    LogShape,
    TierShape,
    TunnelShape,
)
from wattline.rules.sections import Sections, read_sections
from wattline.rules.targets import compile_models, find_targets
from wattline.rules.tree import MAX_BYTES, parse

__all__ = ["MAX_BYTES", "Problem", "RulesError", "load"]

MIN_KEY = 16
"""Characters of a caller's key, below which it can be guessed."""
GUESSED = frozenset(
    {"changeme", "secret", "password", "admin", "test", "token", "sk-1234", "sk-test"}
)


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
    book = replace(_compile(sections, report, listen, env, elsewhere), written=written)
    if report.problems:
        raise RulesError(report.problems)
    return book


def _written(shape: ListenShape | None) -> Listen:
    return Listen(shape.host, shape.port) if shape is not None else Listen()


def _scene(
    sections: Sections,
    report: Report,
    own: tuple[str, int],
    drawn: _Drawn,
    elsewhere: Elsewhere | None,
) -> Scene:
    """Providers, windows and models, and all their names: what rules refer to."""
    source = Source(report, drawn, own, sections.windows, sections.names["windows"])
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


def _compile(
    sections: Sections,
    report: Report,
    listen: Listen,
    env: Mapping[str, str],
    elsewhere: Elsewhere | None,
) -> Book:
    own = (listen.host, listen.port)
    drawn = _Drawn(provider_environment(env, own))
    scene = _scene(sections, report, own, drawn, elsewhere)
    rules = compile_rules(sections.rules, scene)
    energy: EnergyShape = sections.single.get("energy", EnergyShape())
    audio: AudioShape = sections.single.get("audio", AudioShape())
    callers = elsewhere.callers if elsewhere is not None else frozenset()
    auth = _auth(sections.single.get("auth", AuthShape()), drawn, report, callers)
    _check_open(auth, listen, report)
    accounts: AccountsShape = sections.single.get("accounts", AccountsShape())
    if accounts.registration == "open" and auth.mode == "keys":
        text = "tokens let nobody in with `auth: {mode: keys}`, so nobody can register"
        report.doubtful(("accounts", "register"), text)
    over_callers = [w for w in scene.windows.values() if w.scope is not Scope.PROVIDER]
    limits = Limits(**sections.single.get("limits", LimitsShape()).model_dump())
    front: ListenShape = sections.single.get("listen", ListenShape())
    return Book(
        version=_version(report.tree.text, drawn, scene.providers.values()),
        listen=listen,
        intercept=_intercept(sections.single.get("intercept", []), report),
        tunnel=_tunnel(sections.single.get("tunnel", TunnelShape())),
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
        open_hosts=_open_hosts(sections.single.get("intercept", [])),
        tiers=_tiers(sections.single.get("tiers", {})),
        accounts=AccountRules(**dict(accounts)),
        dialogs=DialogRules(**dict(sections.single.get("dialogs", DialogsShape()))),
        limits=environment_limits(limits, env, report),
        health=environment_health(
            compile_health(sections.single.get("health", HealthShape())), env, report
        ),
        ledger=_ledger(sections.single.get("ledger", LedgerShape())),
        log=LogRules(**dict(sections.single.get("log", LogShape()))),
        default_rate=energy.default_rate,
        warnings=tuple(str(warning) for warning in sorted(set(report.warnings))),
    )


class _Drawn(dict[str, str]):
    """The environment, which notes what was drawn from it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__(env)
        self.seen: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        """The value of a variable."""
        self.seen.add(name)
        return super().get(name, default)


def _version(text: str, drawn: _Drawn, providers: Iterable[Provider]) -> str:
    """Equal for the same file, the same variables set and the same base URLs. Whether a variable is set
    is all that is taken of it: it may be a key. The demo's port is ours and changes with each start.
    """
    names = sorted(drawn.seen - {DEMO_URL})
    demo = drawn.get(DEMO_URL).strip().rstrip("/")
    parts = [text, *(f"{name}={bool(drawn.get(name).strip())}" for name in names)]
    for provider in providers:
        place = f"{provider.origin}{provider.base_path}"
        parts.append(f"{provider.name} {'' if place == demo else place} {provider.unavailable}")
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]


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


def _auth(
    shape: AuthShape, env: Mapping[str, str], report: Report, callers: frozenset[str]
) -> Auth:
    """Callers by their keys' hashes. `callers` have theirs in another process: their names stand in."""
    keys: dict[str, str] = {}
    tiers: dict[str, str] = {}
    for name, caller in shape.keys.items():
        path = ("auth", "keys", name)
        variable = " or ".join(caller.key.names)
        secret = caller.key.read(env)
        if secret is None and name in callers:
            secret = f"the key of {name} is known elsewhere"
        if secret is None:
            report.doubtful(path, f"{name} can't call: {variable} is not set")
            continue
        if secret.lower() in GUESSED:
            report.wrong(path, f"{variable} holds a well-known value: take a random key")
        elif len(secret) < MIN_KEY:
            report.doubtful(path, f"{variable} is shorter than {MIN_KEY} characters")
        if (other := keys.get(hash_secret(secret))) is not None:
            report.wrong(path, f"{name} and {other} have the same key: it must tell who calls")
        keys[hash_secret(secret)] = name
        if caller.tier is not None:
            tiers[name] = caller.tier
    if shape.keys and not keys:
        text = (
            "none of these keys is set: set one, or leave `keys` out and use `wattline keys create`"
        )
        report.wrong(("auth", "keys"), text)
    admins = frozenset(name for name, caller in shape.keys.items() if caller.role == "admin")
    return Auth(
        shape.mode, MappingProxyType(keys), MappingProxyType(tiers), admins, shape.wrong_per_minute
    )


def _tiers(shapes: Mapping[str, TierShape]) -> Mapping[str, CallerTier]:
    return MappingProxyType(
        {name: CallerTier(tuple(_tier_windows(name, s)), s.min_score) for name, s in shapes.items()}
    )


def _tier_windows(name: str, shape: TierShape) -> Iterator[Window]:
    """Their names have a space, which no window of the file can have."""
    spans = (("second", 1.0, shape.rps, None), ("minute", 60.0, shape.rpm, shape.tpm),
             ("hour", 3_600.0, shape.rph, None), ("day", 86_400.0, shape.rpd, None))  # fmt: skip
    for span, per, calls, tokens in spans:
        if calls is not None or tokens is not None:
            yield Window(f"{name} per {span}", per, calls, tokens, Scope.PRINCIPAL)


def _check_open(auth: Auth, listen: Listen, report: Report) -> None:
    if auth.mode == "open" and not is_loopback(listen.host):
        report.wrong(
            ("listen", "host"),
            f"{listen.host} can be reached by others, and `auth: {{mode: open}}` lets everybody call: "
            "listen on 127.0.0.1 or use `auth: {mode: keys}`",
        )


def _open_hosts(items: list[str | InterceptShape]) -> tuple[str, ...]:
    chosen = (item for item in items if isinstance(item, InterceptShape))
    return tuple(dict.fromkeys(item.host for item in chosen if item.on_error == "pass"))


def _intercept(items: list[str | InterceptShape], report: Report) -> tuple[str, ...]:
    hosts = [item if isinstance(item, str) else item.host for item in items]
    for index, host in enumerate(hosts):
        if host in hosts[:index]:
            report.doubtful(("intercept", index), f"{host} is in this list already")
    return tuple(dict.fromkeys(hosts))


def _tunnel(shape: TunnelShape) -> Tunnel:
    return Tunnel(shape.policy, tuple(shape.hosts), tuple(shape.ports))


def _ledger(shape: LedgerShape) -> LedgerRules:
    return LedgerRules(shape.sync, shape.down)
