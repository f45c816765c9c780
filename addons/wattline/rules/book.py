"""The compiled form of rules.yaml: immutable, fast to ask, swapped whole on reload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from wattline.rules.compiled.callers import AccountRules, AudioRates, CallerTier, DialogRules
from wattline.rules.compiled.entrance import Auth, Cors, Limits, Listen, Network, Tunnel
from wattline.rules.compiled.provider import Provider
from wattline.rules.compiled.rule import Rule
from wattline.rules.compiled.target import AS_ASKED, Target
from wattline.rules.compiled.upkeep import (
    AffinityRules,
    CacheRules,
    HealthRules,
    LedgerRules,
    LogRules,
    ProofRules,
)
from wattline.rules.compiled.window import Window
from wattline.rules.index import ModelIndex
from wattline.rules.names import Names


@dataclass(frozen=True, slots=True)
class Book:
    """Everything an operator decided. `version` is a short hash of the file, of which variables it found
    set, and of the providers' base URLs, so that two equal versions route equally. No key's value is in
    it: versions are shown, and a weak key could be guessed from a hash.
    """

    version: str
    listen: Listen
    intercept: tuple[str, ...]
    tunnel: Tunnel
    auth: Auth
    providers: Mapping[str, Provider]
    models: Mapping[str, tuple[Target, ...]]
    """Entry or alias to its chain, the entry's own target first unless its chain says otherwise."""
    rules: tuple[Rule, ...]
    windows: tuple[Window, ...]
    """Windows over the calls of callers: scope principal, address or global."""
    margin: Fraction
    limits: Limits
    ledger: LedgerRules
    log: LogRules = field(default_factory=LogRules)
    default_rate: Fraction | None = None
    audio: AudioRates = field(default_factory=AudioRates)
    cache: CacheRules = field(default_factory=CacheRules)
    tiers: Mapping[str, CallerTier] = field(default_factory=dict)
    """Tiers of callers by name."""
    accounts: AccountRules = field(default_factory=AccountRules)
    dialogs: DialogRules = field(default_factory=DialogRules)
    health: HealthRules = field(default_factory=HealthRules)
    affinity: AffinityRules = field(default_factory=AffinityRules)
    proof: ProofRules = field(default_factory=ProofRules)
    open_hosts: tuple[str, ...] = ()
    """Of `intercept`: calls go on untouched to these where our own code fails."""
    doors: tuple[Window, ...] = ()
    """Windows over requests: scope principal, address or global."""
    trusted_proxies: tuple[Network, ...] = ()
    """Peers whose `X-Forwarded-For` is believed."""
    cors: Cors | None = None
    """None: no page of another origin may call."""
    written: Listen = field(default_factory=Listen)
    """`listen` as the file has it; `listen` above is where we listen, whoever decided that."""
    warnings: tuple[str, ...] = ()
    """What is allowed and most likely a mistake, one line each, with file and position."""
    affine: bool = field(init=False, repr=False, compare=False)
    """Some rule asks which conversation a call is of."""
    _index: ModelIndex[Rule] = field(init=False, repr=False, compare=False)
    names: Names = field(init=False, repr=False, compare=False)
    """What the names that clients call stand for."""

    def __post_init__(self) -> None:
        affine = self.affinity.enabled or any(rule.affinity for rule in self.rules)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "_index", ModelIndex(self.rules))
        object.__setattr__(self, "names", names_of(self.models, self.providers))

    @property
    def configured(self) -> bool:
        """Some provider other than the demo can be used."""
        return any(p.unavailable is None and not p.demo for p in self.providers.values())

    def intercepts(self, host: str) -> bool:
        """`host` is one of ours: exact, or `*.suffix`."""
        return _among(self.intercept, host)

    def fails_open(self, host: str) -> bool:
        """`host` gets its calls as they came where our own code fails."""
        return bool(self.open_hosts) and _among(self.open_hosts, host)

    def windows_over(self, tier: str | None) -> tuple[Window, ...]:
        """The windows over a caller, those of its tier included."""
        found = self.tiers.get(tier) if tier is not None else None
        return self.windows if found is None else (*self.windows, *found.windows)

    def candidates(self, model: str) -> Sequence[tuple[int, Rule]]:
        """Rules whose model condition can hold for `model`, in order, with their positions."""
        return self._index.candidates(model)


def _among(names: Sequence[str], host: str) -> bool:
    host = host.lower().rstrip(".")
    return any(
        host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in names
    )


def names_of(models: Mapping[str, tuple[Target, ...]], providers: Mapping[str, Provider]) -> Names:
    """The names of these models, and those of all providers' models under `provider/model`."""
    return Names(
        models,
        {name: Target(found, AS_ASKED, name, found.rate) for name, found in providers.items()},
    )
