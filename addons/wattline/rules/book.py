"""The compiled form of rules.yaml: immutable, fast to ask, swapped whole on reload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from ipaddress import IPv4Network, IPv6Network
from typing import Any, NamedTuple, Protocol

from wattline.base.origin import AuthStyle, Credential, Origin
from wattline.rules.drill import Drill
from wattline.rules.globs import Patterns
from wattline.rules.index import ModelIndex
from wattline.rules.names import Names
from wattline.rules.shadow import Shadow
from wattline.wire.call import Call, Principal

TIERS = ("fast", "medium", "large", "reasoning")
"""From the lowest to the highest."""
PER_SECOND = Fraction(15)
"""Energy for a second of a recording, unless configured."""
PER_CHARACTER = Fraction(1, 2)
"""Energy for a character of a text to be spoken, unless configured."""
FROM_CACHE = "cache"
"""Stands for the provider of an answer that was kept; no provider may be called so."""
AS_ASKED = "*"
"""A target's model when the rule names only a provider: the model that the client asked for."""


type Network = IPv4Network | IPv6Network


class Scope(StrEnum):
    """Whose calls a window counts together, and so under which key: a provider's window under its own
    name, the others under the principal's id, the peer's address, or `all`.
    """

    PROVIDER = "provider"
    PRINCIPAL = "principal"
    ADDRESS = "address"
    GLOBAL = "global"


class Over(StrEnum):
    """What a window counts. All but calls are counted with a request's head, however it is answered."""

    CALLS = "calls"
    """Calls of models that can be made."""
    REQUESTS = "requests"
    """All requests to us, those that are refused too."""
    PAGES = "pages"
    SOCKETS = "sockets"
    """Upgrades to a WebSocket."""
    AUTH = "auth"
    """Requests to register, log in and renew a token."""
    INFERENCE = "inference"
    """Requests to the inference service's routes."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most `calls` calls and `tokens` tokens (None: no limit) in any `per` seconds; of another `over`, as
    many requests of that kind.
    """

    name: str
    per: float
    calls: int | None = None
    tokens: int | None = None
    scope: Scope = Scope.PROVIDER
    over: Over = Over.CALLS
    declared: str | None = field(default=None, compare=False)
    """Its name in the section `windows`; None for the one that a provider's `rpm` makes."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for each phase of one attempt: TCP and TLS, head, between pieces, all of it."""

    connect: float = 5.0
    first_byte: float = 120.0
    idle: float = 60.0
    total: float = 180.0


@dataclass(frozen=True, slots=True)
class ProviderModel:
    """A model that a provider lists."""

    id: str
    tier: str | None = None
    context: int | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """One upstream account. `unavailable` says why it can't be used, None when it can."""

    name: str
    dialect: str
    origin: Origin
    base_path: str
    """Path of the base URL without a trailing slash, for example `/v1` or an empty string."""
    auth: AuthStyle
    credential: Credential | None
    windows: tuple[Window, ...]
    timeouts: Timeouts
    models: tuple[ProviderModel, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """Fixed headers that this provider wants, for example `anthropic-version`."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Body fields added where the client set nothing."""
    unavailable: str | None = None
    demo: bool = False
    retries: int = 0
    """Further tries of this provider in one call before the next target."""
    rate: Fraction | None = None
    """Tokens for one unit of energy, for its models that have no entry of their own."""
    responses: bool = True
    """It has OpenAI's Responses API."""
    inline_images: bool = False
    """Pictures named by URL are fetched here."""
    adapt: frozenset[str] = frozenset()
    """Changes that each conversation with it needs: `whole`, `alternate`, `no_system`, `reasoner`."""
    needs_key: bool = False
    """A key is all that is missing: a caller that has its own can use it."""
    key: int = 0
    """Which of the keys that rules.yaml lists for it this one is, from 1 on; 0 where it lists one."""
    keys: tuple[Provider, ...] = ()
    """The same provider with each of its keys; empty unless several are set."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """All of its keys where it has several: it may repeat any of them."""
    spread: bool = True
    """Its keys take turns; else the first that can be used is used."""

    @property
    def each(self) -> tuple[Provider, ...]:
        """Itself, or itself with each of its keys."""
        return self.keys or (self,)

    @property
    def account(self) -> str:
        """The operator's account at it, or that of this key of several."""
        return self.account_of(None)

    def account_of(self, owner: str | None) -> str:
        """The account of this key, or that of a caller with a key of its own."""
        if owner is None and self.key > 1:
            return f"{self.name} key {self.key}"
        return account_name(self.name, owner)

    def owned_by(self, principal: Principal) -> bool:
        """The caller has a key of its own for it, and for this origin of it: calls take that key."""
        owned = principal.providers
        if not owned or self.auth is AuthStyle.NONE:
            return False
        ready = self.unavailable is None or self.needs_key
        return ready and (self.name, self.origin) in owned

    def open_to(self, principal: Principal) -> bool:
        """It can be used, with the operator's key or the caller's own."""
        return self.unavailable is None or self.owned_by(principal)

    def __repr__(self) -> str:
        state = "ready" if self.unavailable is None else f"unavailable: {self.unavailable}"
        return f"<Provider {self.name} {self.origin}{self.base_path} {state}>"


@dataclass(frozen=True, slots=True)
class AudioRates:
    """Energy for a second of a recording, and for a character that is spoken (A-117, A-118)."""

    per_second: Fraction = PER_SECOND
    per_character: Fraction = PER_CHARACTER


@dataclass(frozen=True, slots=True)
class Target:
    """A provider and the model name it knows (`*`: the one that was asked for). `entry` is its name
    in rules.yaml.
    """

    provider: Provider
    model: str
    entry: str
    rate: Fraction | None = None
    """Tokens for one unit of energy before the margin; None: unknown."""
    timeouts: Timeouts | None = None
    """Only when the model's own differ from the provider's."""
    adapt: frozenset[str] = frozenset()
    """Beside those of its provider."""
    per_second: Fraction | None = None
    per_character: Fraction | None = None
    """Energy for sound, only where the model's own differs from the book's."""
    owner: str | None = None
    """The caller whose own key its provider has here; None: the operator's, or none."""

    @property
    def account(self) -> str:
        """Whose limits at the provider count: it rests under this name."""
        return self.provider.account_of(self.owner)

    @property
    def place(self) -> tuple[str, str]:
        """What its health is known by: a provider that is down is so for all of its keys."""
        return account_name(self.provider.name, self.owner), self.model

    @property
    def label(self) -> str:
        """Its name, with the number of its key where there are several."""
        key = self.provider.key
        return f"{self} key {key}" if key and self.owner is None else str(self)

    def __str__(self) -> str:
        return f"{self.provider.name}/{self.model}"


def account_name(provider: str, owner: str | None) -> str:
    """A provider's account: the operator's goes by the provider's name, a caller's own by a name that no
    provider can have.
    """
    return provider if owner is None else f"{provider} of {owner}"


HEALTHY, RESTING, OUT = "healthy", "resting", "out"
"""States of a provider or target: it can be asked; it asked to wait, or refused its keys; it failed too often, or
was switched off.
"""


class Fares(NamedTuple):
    """How a provider or a target does. Times are milliseconds, None while unknown; `errors` is a share."""

    state: str
    calls: int = 0
    score: float = 1.0
    errors: float = 0.0
    first_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a condition on health is about: a provider, or one model of it."""

    provider: str
    accounts: tuple[str, ...]
    """One for each of its keys."""
    model: str = ""
    """Empty: the whole provider."""

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" if self.model else self.provider


class Facts(Protocol):
    """What conditions may ask beside the call itself."""

    def fill(self, window: Window, key: str, now: float) -> float:
        """How full a window is, 0.0 to 1.0."""
        ...

    def balance(self, principal: str) -> int | None:
        """Micro-units of energy left; None when the principal has no limit."""
        ...

    def fares(self, subject: Subject, now: float) -> Fares:
        """How a provider or a target does."""
        ...


class Condition(Protocol):
    """One line of a `when`. Compiled once, asked often."""

    @property
    def field(self) -> str:
        """Its key in `when`."""
        ...

    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        """Whether it holds. Total: never raises."""
        ...

    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        """`model is 'gpt-4o', wanted 'claude-*'`: for explain, after `test` said no."""
        ...


@dataclass(frozen=True, slots=True)
class Tiered:
    """`try: {tier: …}`: for each provider in order its best model of that tier (C-090..C-092)."""

    tier: str
    providers: tuple[Provider, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """`try: model`: the chain of the called model."""


@dataclass(frozen=True, slots=True)
class Listed:
    """`try: [a, b]` or `try: {chain: …}`: these targets in order."""

    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Weighted:
    """`try: {weighted: {a: 3, b: 1}}`: the first drawn by weight, the others after it by weight."""

    choices: tuple[tuple[Target, int], ...]


@dataclass(frozen=True, slots=True)
class Deny:
    """`deny:`: a message for the client and its status."""

    message: str
    status: int = 403


@dataclass(frozen=True, slots=True)
class Pass:
    """`pass: true`: to the host that the client named, with the client's own key, metered."""


Action = Tiered | Asked | Listed | Weighted | Deny | Pass


@dataclass(frozen=True, slots=True)
class Rule:
    """`when` (conditions, all must hold) and what to do then."""

    name: str
    conditions: tuple[Condition, ...]
    action: Action
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """`set: {defaults: …}`: body fields added where the client set nothing."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """`set: {override: …}`: body fields replaced."""
    on: frozenset[str] = frozenset()
    """Further outcomes that move on to the next target, for example `context_length`."""
    adapt: frozenset[str] = frozenset()
    """Changes that each of its targets needs, beside their own."""
    drop: bool = False
    """What a target can't express is left out; else that target is not tried."""
    cache: bool | None = None
    """Whether its answers are kept; None: as the section `cache` says."""
    order: str = "given"
    """Of its targets: `given`, `fastest`, `cheapest`, `least_energy` or `score`."""
    fault: Drill | None = None
    shadow: Shadow | None = None
    midstream: bool = False
    """A stream that breaks off after output is continued by the next target."""
    affinity: bool | None = None
    """Whether a conversation stays at its target; None: as the section `affinity` says."""
    line: int = 0
    """1-based line in rules.yaml."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds at the gate; bytes and seconds."""

    head_bytes: int = 65_536
    head_seconds: float = 10.0
    body_seconds: float = 300.0
    """Seconds for a call's body, from the end of its head. What is passed on has no such bound."""
    json_bytes: int = 32 * 1024 * 1024
    upload_bytes: int = 300 * 1024 * 1024
    pending_bytes: int = 512 * 1024 * 1024
    """Of all JSON bodies under way together."""
    json_depth: int = 128
    inflate_ratio: int = 100
    connections_per_address: int = 1_000
    answer_bytes: int = 8 * 1024 * 1024
    """A whole answer up to this size is held, so that it can still fail over."""
    deadline: float = 300.0
    """Seconds for the whole call, all attempts together."""
    retry_after_cap: float = 60.0
    grace: float = 10.0
    """Seconds that open streams get at shutdown."""
    concurrent: int | None = None
    """Calls under way at one time; None: no bound."""
    idempotency_bytes: int = 64 * 1024 * 1024
    """Of answers that are kept for requests with an Idempotency-Key."""
    idempotency_seconds: float = 86_400.0
    """How long such a key counts."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the sidecar listens."""

    host: str = "127.0.0.1"
    port: int = 8088


@dataclass(frozen=True, slots=True)
class Auth:
    """`open` (loopback only), `keys` or `jwt` (tokens and keys): SHA-256 of each key to the principal's name."""

    mode: str = "open"
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    tiers: Mapping[str, str] = field(default_factory=dict)
    """The principal's name to its tier, where it has one: what `when: {tier: …}` asks."""
    admins: frozenset[str] = frozenset()
    """Names of the principals that may manage."""
    wrong_per_minute: int = 20
    """Wrong credentials of one address in any minute, after which it can't try new ones; 0: no bound."""


@dataclass(frozen=True, slots=True)
class Cors:
    """Web pages of which origins may call, besides those of this machine, which read no answers."""

    origins: frozenset[str] = frozenset()
    anybody: bool = False
    """`*`: every page."""
    credentials: bool = False
    max_age: float = 600.0
    """Seconds that a browser may remember the answer to its preflight."""

    def allows(self, origin: str) -> bool:
        """Pages of this origin may call."""
        return self.anybody or origin in self.origins


@dataclass(frozen=True, slots=True)
class CallerTier:
    """What each caller of a tier may do."""

    windows: tuple[Window, ...] = ()
    """Of scope principal."""
    min_score: Fraction | None = None
    """Providers with a lower score are not for this tier."""


@dataclass(frozen=True, slots=True)
class AccountRules:
    """Accounts of users, in micro-units of energy."""

    start_balance: int | None = 10_000_000_000
    """Of a new user; None: no limit."""
    bonus_user: str | None = None
    """The user whose calls are free while its balance is above `bonus_above`."""
    bonus_above: int = 100_000_000_000
    referral_bonus: int = 5_000_000_000
    """Of a user that brought another, and of that one."""
    registration: str = "auto"
    """`open`: whoever can reach the sidecar may become a user; `closed`: admins make users; `auto`: open in
    `jwt` mode on a loopback address."""
    own_keys: str = "free"
    """What calls with users' own keys cost: `free` or `charged`."""


@dataclass(frozen=True, slots=True)
class DialogRules:
    """How much of a user's conversation is kept and sent along (`/completions`)."""

    messages: int = 100
    tokens: int = 16_000
    """Estimated, the new message and the system message included."""
    waiting: int = 8
    """Completions of one dialog that wait for the one before them."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """What the forward proxy may reach beside `intercept`: `public`, `listed` or `none`."""

    policy: str = "public"
    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = (80, 443)


@dataclass(frozen=True, slots=True)
class LogRules:
    """What is logged and how. `level` None: as the environment has it; `file` True: in the state folder, a
    text: in that folder, False: nowhere.
    """

    level: str | None = None
    format: str = "text"
    file: bool | str = True


@dataclass(frozen=True, slots=True)
class LedgerRules:
    """How the ledger is kept."""

    sync: str = "normal"
    """`normal` or `full`: see docs/operations.md for what each promises."""
    down: str = "refuse"
    """`refuse` or `allow`: what happens to calls while the ledger can't be written."""


@dataclass(frozen=True, slots=True)
class CacheRules:
    """How answers to deterministic calls are kept. `ttl` is seconds; `hit_energy` is what a hit costs as a
    share of the original's energy, 0 to 1.
    """

    enabled: bool = False
    ttl: float = 3_600.0
    max_entries: int = 10_000
    max_bytes: int = 64 * 1024 * 1024
    hit_energy: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class AffinityRules:
    """How conversations are told apart, and for how long each is remembered (seconds). See `affinity` in
    docs/rules.md.
    """

    enabled: bool = False
    headers: tuple[str, ...] = ("x-session-id",)
    """In lower case."""
    prefix: bool = True
    ttl: float = 600.0
    max_entries: int = 10_000
    diagnose: bool = False


@dataclass(frozen=True, slots=True)
class ProofRules:
    """Of what it is written down that it was left alone."""

    tunnels: bool = False
    passed: bool = False


@dataclass(frozen=True, slots=True)
class HealthRules:
    """When a target is left out for a while. Times are seconds."""

    breaker: bool = True
    failures: int = 5
    share: float = 0.5
    """Of the outcomes within `window` that must be failures too."""
    window: float = 60.0
    cooldown: float = 10.0
    """The first time; it doubles each time a probe fails."""
    longest: float = 300.0
    disable_after: int | None = 2
    """So many models of a provider out at one time are the provider out; None: never."""
    ignore: Patterns = field(default_factory=lambda: Patterns(frozenset(), ()))
    """Outcomes that do not count (B-083)."""

    def ignores(self, code: str) -> bool:
        """An outcome of this code does not count."""
        return self.ignore.matches(code)


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
    log: LogRules = LogRules()
    default_rate: Fraction | None = None
    audio: AudioRates = AudioRates()
    cache: CacheRules = CacheRules()
    tiers: Mapping[str, CallerTier] = field(default_factory=dict)
    """Tiers of callers by name."""
    accounts: AccountRules = AccountRules()
    dialogs: DialogRules = DialogRules()
    health: HealthRules = field(default_factory=HealthRules)
    affinity: AffinityRules = AffinityRules()
    proof: ProofRules = ProofRules()
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
