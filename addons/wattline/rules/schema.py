"""The shape of rules.yaml. docs/rules.md and docs/rules.schema.json are written from it."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from wattline.rules.addresses import read_host
from wattline.rules.affinity import AffinityShape
from wattline.rules.book import PER_CHARACTER, PER_SECOND
from wattline.rules.fields import (
    MICRO,
    Duration,
    Energy,
    HostPattern,
    Name,
    PatternList,
    Portion,
    Rate,
    Seconds,
    Secret,
    Shape,
    Share,
    ShortName,
    no_reference,
)
from wattline.rules.origins import ANY_ORIGIN, ProxyNetwork, WebOrigin
from wattline.rules.proof import ProofShape
from wattline.rules.provider_schema import ModelShape, ProviderShape, WindowShape
from wattline.rules.rule_schema import RuleShape

MIB = 1024 * 1024
Port = Annotated[int, Field(ge=1, le=65_535)]
Count = Annotated[int, Field(ge=1)]


class ListenShape(Shape):
    """Where the sidecar listens. Both kinds of use are served on this one port."""

    host: Annotated[str, AfterValidator(no_reference), AfterValidator(read_host)] = Field(
        default="127.0.0.1",
        description="Address. One that is not loopback needs `auth: {mode: keys}`.",
    )
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=8088, description="TCP port; 0 takes a free one."
    )
    trusted_proxies: list[ProxyNetwork] = Field(
        default_factory=list,
        description="Addresses or networks (`10.0.0.0/8`) of proxies in front. Of a request that comes from one "
        "of them, `X-Forwarded-For` says whose it is: the last address there that is none of them.",
    )


class InterceptShape(Shape):
    """A host whose traffic is ours, and what happens where our own code fails."""

    host: HostPattern = Field(description="The host, or `*.suffix`.")
    on_error: Literal["refuse", "pass"] = Field(
        default="refuse",
        description="Where the sidecar's own code fails before anything was sent. `refuse`: the client gets a "
        "500. `pass`: its request goes to its host as it came, with the client's own key, by no rule, through no "
        "window and into no ledger.",
    )


def _intercept_form(value: object) -> str | None:
    if isinstance(value, str):
        return "host"
    return "mapping" if isinstance(value, dict | InterceptShape) else None


Intercept = Annotated[
    Annotated[HostPattern, Tag("host")] | Annotated[InterceptShape, Tag("mapping")],
    Discriminator(
        _intercept_form,
        custom_error_type="intercept_form",
        custom_error_message="must be a host, or a mapping with `host`",
    ),
]


class TunnelShape(Shape):
    """What the forward proxy may reach beside `intercept`; such traffic is not decrypted."""

    policy: Literal["public", "listed", "none"] = Field(
        default="public",
        description="`public`: every public address; `listed`: `hosts` only; `none`: nothing.",
    )
    hosts: list[HostPattern] = Field(
        default_factory=list,
        description="Hosts, addresses or `*.suffix`. For `listed`: all that may be reached. For "
        "`public`: addresses that may be reached although they are not public.",
    )
    ports: Annotated[list[Port], Field(min_length=1)] = Field(
        default=[80, 443], description="TCP ports that may be reached."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.policy == "listed" and not self.hosts:
            raise ValueError("`policy: listed` needs `hosts`")
        if self.policy == "none" and self.hosts:
            raise ValueError("`hosts` has no effect with `policy: none`")
        return self


class CallerShape(Shape):
    """One caller."""

    key: Secret = Field(description="The caller's key: `${NAME}`, never the key itself.")
    tier: ShortName | None = Field(
        default=None, description="What `when: {tier: …}` asks; its windows are under `tiers`."
    )
    role: Literal["admin", "user"] = Field(
        default="user", description="`admin`: may also manage users, keys and providers."
    )


def _caller(value: object) -> object:
    return {"key": value} if isinstance(value, str) else value


class AuthShape(Shape):
    """Who may call."""

    mode: Literal["open", "keys", "jwt"] = Field(
        default="open",
        description="`open`: everybody on this machine; `keys`: who has one of `keys`, or a key made with "
        "`wattline keys create`; `jwt`: these, and who has a token from `/api/v1/auth/login`.",
    )
    keys: dict[
        ShortName,
        Annotated[CallerShape, BeforeValidator(_caller, json_schema_input_type=str | CallerShape)],
    ] = Field(
        default_factory=dict,
        description="Callers: a name for each, and its key as `${NAME}` (or `{key, tier}`).",
    )

    wrong_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=20,
        description="Wrong keys, tokens and passwords that one address may send in any minute. After that it is "
        "answered 429 and no new one of it is looked at; those that were right before still work. 0: no bound.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.mode == "open" and self.keys:
            raise ValueError("`keys` need `mode: keys` or `mode: jwt`")
        return self


class CorsShape(Shape):
    """Web pages that may call from browsers."""

    origins: list[WebOrigin] = Field(
        default_factory=list,
        description="Origins such as `https://app.example`, or `*` for every page, which needs "
        "`auth: {mode: keys}`.",
    )
    credentials: bool = Field(
        default=False,
        description="Browsers may send cookies along. Nothing here reads one; some pages ask for it all the "
        "same. Never with `*`.",
    )
    max_age: Duration = Field(
        default=600.0,
        description="How long a browser may remember what it was told: seconds, or a number with s, m, h or d.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.credentials and not self.origins:
            raise ValueError("`credentials` has no effect without `origins`")
        if self.credentials and ANY_ORIGIN in self.origins:
            raise ValueError("`*` and `credentials` exclude each other: list the pages' origins")
        return self


class TierShape(Shape):
    """What each caller of a tier may do in any second, minute, hour and day. Every bound counts."""

    rps: Count | None = Field(default=None, description="Calls in a second.")
    rpm: Count | None = Field(default=None, description="Calls in a minute.")
    rph: Count | None = Field(default=None, description="Calls in an hour.")
    rpd: Count | None = Field(default=None, description="Calls in a day.")
    tpm: Count | None = Field(default=None, description="Tokens in a minute.")
    min_score: Portion | None = Field(
        default=None,
        description="Providers with a lower score, 0 to 1, are not for this tier.",
    )


class AccountsShape(Shape):
    """Accounts of users: what a new one begins with."""

    start_balance: Energy | None = Field(
        default=10_000 * MICRO,
        description="Energy of a new user; `null` for no limit.",
        json_schema_extra={"default": 10_000},
    )
    bonus_user: ShortName | None = Field(
        default=None,
        description="The id of a user whose calls are free while its balance is above `bonus_above`.",
    )
    bonus_above: Energy = Field(
        default=100_000 * MICRO,
        description="Energy above which `bonus_user` pays nothing.",
        json_schema_extra={"default": 100_000},
    )
    registration: Literal["auto", "open", "closed"] = Field(
        alias="register",
        default="auto",
        description="Who may become a user at `/api/v1/auth/register`. `open`: everybody; `closed`: admins make "
        "users; `auto`: everybody on this machine in `jwt` mode, while the sidecar listens on a loopback address and "
        "has no `listen.trusted_proxies`, else admins.",
    )
    own_keys: Literal["free", "charged"] = Field(
        default="free",
        description="What calls cost that go out with a user's own key for the provider: nothing, or the same.",
    )
    referral_bonus: Energy = Field(
        default=5_000 * MICRO,
        description="Energy for a user that brought another, and for that one. Whoever has no limit gets none.",
        json_schema_extra={"default": 5_000},
    )


class DialogsShape(Shape):
    """How much of a user's conversation is kept and sent along with a message to `/completions`. What is
    older is forgotten with the next answer.
    """

    messages: Annotated[int, Field(ge=2, le=1_000)] = Field(
        default=100, description="Messages of a dialog, questions and answers."
    )
    tokens: Count = Field(
        default=16_000,
        description="Estimated tokens of a dialog with its system message and the new message.",
    )
    waiting: Annotated[int, Field(ge=0, le=1_000)] = Field(
        default=8,
        description="Completions of one dialog that may wait for the one before them; one more is answered "
        "429.",
    )


class AudioShape(Shape):
    """What sound costs: no tokens, no margin, rounded up to whole energy."""

    per_second: Share = Field(
        default=PER_SECOND,
        description="Energy for a second of a recording that is transcribed.",
        json_schema_extra={"default": 15},
    )
    per_character: Share = Field(
        default=PER_CHARACTER,
        description="Energy for a character of a text that is spoken.",
        json_schema_extra={"default": 0.5},
    )


class EnergyShape(Shape):
    """The currency: tokens / rate * (1 + margin)."""

    margin: Share = Field(
        default=Fraction(1, 2),
        description="What is added: 0.5 is 50 %.",
        json_schema_extra={"default": 0.5},
    )
    default_rate: Rate | None = Field(
        default=None,
        description="Tokens for one unit of energy, for models that have no rate. Without it their "
        "energy is unknown (`null`) and nothing is debited.",
    )


class LimitsShape(Shape):
    """Bounds at the gate."""

    head_bytes: Annotated[int, Field(ge=1_024, le=MIB)] = Field(
        default=65_536, description="Bytes of a request's line and headers."
    )
    head_seconds: Seconds = Field(
        default=10.0, description="Seconds for a request's head to arrive."
    )
    body_seconds: Seconds = Field(
        default=300.0, description="Seconds for a call's body to arrive, after its head."
    )
    json_bytes: Annotated[int, Field(ge=1_024, le=1024 * MIB)] = Field(
        default=32 * MIB, description="Bytes of a JSON body, unpacked."
    )
    upload_bytes: Annotated[int, Field(ge=1_024, le=16 * 1024 * MIB)] = Field(
        default=300 * MIB, description="Bytes of an upload, for example audio."
    )
    pending_bytes: Annotated[int, Field(ge=MIB, le=64 * 1024 * MIB)] = Field(
        default=512 * MIB, description="Bytes of all JSON bodies under way together."
    )
    json_depth: Annotated[int, Field(ge=8, le=256)] = Field(
        default=128, description="Levels of a JSON body."
    )
    inflate_ratio: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=100, description="How many times its packed size a body may be unpacked."
    )
    connections_per_address: Count = Field(
        default=1_000, description="Open connections of one address."
    )
    answer_bytes: Annotated[int, Field(ge=1_024, le=1024 * MIB)] = Field(
        default=8 * MIB,
        description="Bytes of a whole answer that is held, so that it can still fail over.",
    )
    deadline: Seconds = Field(
        default=300.0, description="Seconds for a call, all attempts together."
    )
    retry_after_cap: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=60.0, description="Seconds that a provider's Retry-After counts at most."
    )
    grace: Annotated[float, Field(ge=0, le=3_600)] = Field(
        default=10.0, description="Seconds that open streams get at shutdown."
    )
    concurrent: Count | None = Field(
        default=None,
        description="Calls under way at one time; one more is answered 503 with Retry-After.",
    )
    idempotency_bytes: Annotated[int, Field(ge=64 * 1_024, le=16 * 1024 * MIB)] = Field(
        default=64 * MIB,
        description="Bytes of memory for answers to requests with an `Idempotency-Key`. One that takes more "
        "than an eighth is not kept.",
    )
    idempotency_seconds: Annotated[float, Field(ge=1, le=30 * 86_400)] = Field(
        default=86_400.0, description="Seconds that an `Idempotency-Key` counts."
    )


class CacheShape(Shape):
    """Answers that are kept in memory and given again. Only calls that must give the same answer again:
    `temperature` 0 or embeddings, one alternative, no tools, and no field that could bring in something
    new. Each caller has a cache of its own; a changed rules.yaml empties it.
    """

    enabled: bool = Field(
        default=False, description="For every rule that does not say `cache` itself."
    )
    ttl: Duration = Field(
        default=3_600.0,
        description="How long an answer is kept: seconds, or a number with s, m, h or d.",
    )
    max_entries: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=10_000, description="Answers that are kept."
    )
    max_bytes: Annotated[int, Field(ge=64 * 1_024, le=16 * 1024 * MIB)] = Field(
        default=64 * MIB,
        description="Bytes of memory for them. The one that was not asked for longest goes first; one that "
        "takes more than an eighth is not kept.",
    )
    hit_energy: Portion = Field(
        default=Fraction(0),
        description="What a kept answer costs, as a share of the original's energy: 0 is free, 1 the same.",
        json_schema_extra={"default": 0},
    )


class HealthShape(Shape):
    """When a target that keeps failing is left out for a while: after `failures` within `window`, if they are
    at least `share` of all outcomes there. One call then tries it after `cooldown`; when that fails too, the
    next one does after twice as long. A plan that would be empty for this reason alone tries them all the same.
    """

    breaker: bool = Field(
        default=True,
        description="`false`: never. `DISABLE_PROVIDER_AUTO_DISABLE=true` in the environment says the same.",
    )
    failures: Annotated[int, Field(ge=1, le=1_000)] = Field(
        default=5,
        description="Failures of one target. Rate limits and refused keys are none: these rest.",
    )
    share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.5, description="Of the outcomes, 0 to 1, that must be failures."
    )
    window: Duration = Field(default=60.0, description="How long an outcome counts.")
    cooldown: Duration = Field(default=10.0, description="The first time that it is left out.")
    longest: Duration = Field(default=300.0, description="The longest time that it is left out.")
    disable_after: Annotated[int, Field(ge=1, le=1_000)] | None = Field(
        default=2,
        description="So many models of a provider left out at one time, and all of it is. `null`: never. "
        "`DISABLE_PROVIDER_AFTER_MODELS` goes before it.",
    )
    ignore: PatternList | None = Field(
        default=None,
        description="Outcomes that do not count, as the ledger and the log name them: `http_503`, "
        "`inband_*`, `timeout`.",
    )


class LedgerShape(Shape):
    """How the ledger is kept."""

    sync: Literal["normal", "full"] = Field(
        default="normal",
        description="`full` also survives a power cut, at the price of an fsync per commit.",
    )
    down: Literal["refuse", "allow"] = Field(
        default="refuse", description="What happens to calls while the ledger can't be written."
    )


LogFolder = Annotated[
    str,
    Field(min_length=1, max_length=1_024, pattern=r"^[^\x00-\x1f]+$"),
    AfterValidator(no_reference),
]


class LogShape(Shape):
    """What is logged, and how. Never a prompt, an answer or a secret. Of these, only `level` can be changed
    without a restart.
    """

    level: Literal["debug", "info", "warning", "error"] | None = Field(
        default=None,
        description="The least severe level that is shown: `info`, or `debug` where `NODE_ENV` is "
        "`development`. `--log-level` and `LOG_LEVEL` go before it.",
    )
    format: Literal["text", "json"] = Field(
        default="text", description="Of lines on stderr. `LOG_FORMAT` goes before it."
    )
    file: bool | LogFolder = Field(
        default=True,
        description="JSON lines in files too: `true` for `logs` in the state folder, a folder's path, or "
        "`false`. A new file each day and after each 20 MB; kept for 7 days.",
    )


class RulesShape(Shape):
    """A whole rules.yaml."""

    version: Literal[1] = Field(default=1, description="The version of this format.")
    listen: ListenShape = Field(
        default_factory=ListenShape, description="Where the sidecar listens."
    )
    intercept: list[Intercept] = Field(
        default_factory=list,
        description="Hosts (or `*.suffix`) whose traffic is ours when the sidecar is a forward proxy. "
        "All others are tunnelled undecrypted. Or `{host, on_error}`.",
    )
    tunnel: TunnelShape = Field(
        default_factory=TunnelShape, description="What else the forward proxy may reach."
    )
    auth: AuthShape = Field(default_factory=AuthShape, description="Who may call.")
    cors: CorsShape = Field(
        default_factory=CorsShape,
        description="Web pages that may call from browsers. None by default.",
    )
    limits: LimitsShape = Field(default_factory=LimitsShape, description="Bounds at the gate.")
    ledger: LedgerShape = Field(default_factory=LedgerShape, description="How the ledger is kept.")
    log: LogShape = Field(default_factory=LogShape, description="What is logged.")
    energy: EnergyShape = Field(default_factory=EnergyShape, description="What tokens cost.")
    audio: AudioShape = Field(default_factory=AudioShape, description="What sound costs.")
    cache: CacheShape = Field(
        default_factory=CacheShape,
        description="Answers that are kept and given again. Off unless `enabled`, or a rule's `cache`, says "
        "otherwise.",
    )
    affinity: AffinityShape = Field(
        default_factory=AffinityShape,
        description="Conversations that stay at one target, for the sake of its prompt cache.",
    )
    proof: ProofShape = Field(
        default_factory=ProofShape, description="Digests of what is passed on. None by default."
    )
    health: HealthShape = Field(
        default_factory=HealthShape, description="When targets that fail are left out."
    )
    accounts: AccountsShape = Field(
        default_factory=AccountsShape, description="What a new user begins with."
    )
    dialogs: DialogsShape = Field(
        default_factory=DialogsShape, description="What is kept of conversations."
    )
    tiers: dict[ShortName, TierShape] = Field(
        default_factory=dict,
        description="Tiers of callers by name: the windows of each caller in them.",
    )
    windows: dict[ShortName, WindowShape] = Field(
        default_factory=dict, description="Rate windows by name."
    )
    providers: dict[ShortName, ProviderShape] = Field(
        default_factory=dict,
        description="Upstream accounts by name. Their order counts for `tier` and for models without "
        "an entry.",
    )
    models: dict[Name, ModelShape] = Field(
        default_factory=dict, description="Callable models by name."
    )
    rules: Annotated[list[RuleShape], Field(min_length=1)] = Field(
        description="What happens to a call: the first rule that matches decides."
    )
