"""All sections of a rules file to a Book."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from types import MappingProxyType

from wattline.rules.actions import Scene, compile_rules
from wattline.rules.affinity import AffinityShape, compile_affinity
from wattline.rules.auth import check_open, compile_auth, compile_tiers
from wattline.rules.book import Book
from wattline.rules.compiled.callers import AccountRules, AudioRates, DialogRules
from wattline.rules.compiled.entrance import Auth, Limits, Listen
from wattline.rules.compiled.upkeep import CacheRules, HealthRules, LedgerRules, LogRules
from wattline.rules.compiled.window import Over, Scope, Window
from wattline.rules.door import (
    compile_cors,
    environment_limits,
    environment_timeouts,
    environment_windows,
)
from wattline.rules.drawn import Drawn, version_of
from wattline.rules.elsewhere import Elsewhere
from wattline.rules.environment import provider_environment
from wattline.rules.health import compile_health, environment_health
from wattline.rules.hosts import compile_intercept, compile_tunnel, open_hosts
from wattline.rules.proof import ProofShape, compile_proof
from wattline.rules.report import Report
from wattline.rules.scene import make_scene
from wattline.rules.sections import Sections
from wattline.rules.shapes.callers import AccountsShape, AudioShape, DialogsShape, EnergyShape
from wattline.rules.shapes.entrance import (
    AuthShape,
    CorsShape,
    InterceptShape,
    ListenShape,
    TunnelShape,
)
from wattline.rules.shapes.limits import LimitsShape
from wattline.rules.shapes.upkeep import CacheShape, HealthShape, LedgerShape, LogShape


@dataclass(frozen=True, slots=True)
class Compilation:
    """One file on its way to a Book. `own` and `elsewhere` are as in `load.load`. Mistakes go to the report."""

    sections: Sections
    report: Report
    env: Mapping[str, str]
    own: tuple[str, int] | None
    elsewhere: Elsewhere | None

    def book(self) -> Book:
        """The book, which is to be used only if the report has no problems."""
        sections, report = self.sections, self.report
        written = self._written()
        listen = written if self.own is None else Listen(*self.own)
        drawn = Drawn(provider_environment(self.env, (listen.host, listen.port)))
        scene = self._scene(drawn, listen)
        rules = compile_rules(sections.rules, scene)
        auth = self._auth(drawn, listen, written)
        over_callers = [w for w in scene.windows.values() if w.scope is not Scope.PROVIDER]
        front = sections.part("listen", ListenShape)
        energy = sections.part("energy", EnergyShape)
        intercept: list[str | InterceptShape] = sections.part("intercept", list)
        return Book(
            version=version_of(report.tree.text, drawn, scene.providers.values()),
            listen=listen,
            written=written,
            intercept=compile_intercept(intercept, report),
            tunnel=compile_tunnel(sections.part("tunnel", TunnelShape)),
            auth=auth,
            providers=MappingProxyType(scene.providers),
            models=MappingProxyType(scene.models),
            rules=rules,
            windows=tuple(w for w in over_callers if w.over is Over.CALLS),
            doors=self._doors(over_callers),
            trusted_proxies=tuple(map(ip_network, front.trusted_proxies)),
            cors=compile_cors(sections.part("cors", CorsShape), auth.mode, report),
            margin=energy.margin,
            audio=self._audio(),
            cache=CacheRules(**dict(sections.part("cache", CacheShape))),
            affinity=compile_affinity(sections.part("affinity", AffinityShape)),
            proof=compile_proof(sections.part("proof", ProofShape)),
            open_hosts=open_hosts(intercept),
            tiers=compile_tiers(sections.part("tiers", dict)),
            accounts=self._accounts(auth),
            dialogs=DialogRules(**dict(sections.part("dialogs", DialogsShape))),
            limits=self._limits(),
            health=self._health(),
            ledger=LedgerRules(**dict(sections.part("ledger", LedgerShape))),
            log=LogRules(**dict(sections.part("log", LogShape))),
            default_rate=energy.default_rate,
            warnings=tuple(str(warning) for warning in sorted(set(report.warnings))),
        )

    def _written(self) -> Listen:
        shape = self.sections.part("listen", ListenShape)
        return Listen(shape.host, shape.port)

    def _scene(self, drawn: Drawn, listen: Listen) -> Scene:
        own = listen.host, listen.port
        timeouts = environment_timeouts(self.env, self.report)
        return make_scene(self.sections, self.report, own, drawn, self.elsewhere, timeouts)

    def _auth(self, drawn: Drawn, listen: Listen, written: Listen) -> Auth:
        callers = self.elsewhere.callers if self.elsewhere is not None else frozenset()
        auth = compile_auth(self.sections.part("auth", AuthShape), drawn, self.report, callers)
        check_open(auth, listen, written, self.env, self.report)
        return auth

    def _doors(self, over_callers: Iterable[Window]) -> tuple[Window, ...]:
        own = (window for window in over_callers if window.over is not Over.CALLS)
        return *own, *environment_windows(self.env, self.report)

    def _audio(self) -> AudioRates:
        shape = self.sections.part("audio", AudioShape)
        return AudioRates(shape.per_second, shape.per_character)

    def _accounts(self, auth: Auth) -> AccountRules:
        shape = self.sections.part("accounts", AccountsShape)
        if shape.registration == "open" and auth.mode == "keys":
            text = "tokens let nobody in with `auth: {mode: keys}`, so nobody can register"
            self.report.doubtful(("accounts", "register"), text)
        return AccountRules(**dict(shape))

    def _limits(self) -> Limits:
        limits = Limits(**self.sections.part("limits", LimitsShape).model_dump())
        return environment_limits(limits, self.env, self.report)

    def _health(self) -> HealthRules:
        rules = compile_health(self.sections.part("health", HealthShape), self.report)
        return environment_health(rules, self.env, self.report)
