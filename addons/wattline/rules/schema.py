"""The shape of rules.yaml. docs/rules.md and docs/rules.schema.json are written from it."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from wattline.rules.addresses import read_host
from wattline.rules.book import PER_CHARACTER, PER_SECOND
from wattline.rules.fields import (
    MICRO,
    Duration,
    Energy,
    HostPattern,
    Name,
    Portion,
    Rate,
    Seconds,
    Secret,
    Shape,
    Share,
    ShortName,
    no_reference,
)
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

    mode: Literal["open", "keys"] = Field(
        default="open",
        description="`open`: everybody on this machine; `keys`: who has one of `keys`, or a key made with "
        "`wattline keys create`.",
    )
    keys: dict[
        ShortName,
        Annotated[CallerShape, BeforeValidator(_caller, json_schema_input_type=str | CallerShape)],
    ] = Field(
        default_factory=dict,
        description="Callers: a name for each, and its key as `${NAME}` (or `{key, tier}`).",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.mode == "open" and self.keys:
            raise ValueError("`keys` need `mode: keys`")
        return self


class TierShape(Shape):
    """What each caller of a tier may do in any second, minute and day. Every bound counts."""

    rps: Count | None = Field(default=None, description="Calls in a second.")
    rpm: Count | None = Field(default=None, description="Calls in a minute.")
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


class LedgerShape(Shape):
    """How the ledger is kept."""

    sync: Literal["normal", "full"] = Field(
        default="normal",
        description="`full` also survives a power cut, at the price of an fsync per commit.",
    )
    down: Literal["refuse", "allow"] = Field(
        default="refuse", description="What happens to calls while the ledger can't be written."
    )


class LogShape(Shape):
    """What is logged. Never a prompt, an answer or a secret."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe level that is shown."
    )


class RulesShape(Shape):
    """A whole rules.yaml."""

    version: Literal[1] = Field(default=1, description="The version of this format.")
    listen: ListenShape = Field(
        default_factory=ListenShape, description="Where the sidecar listens."
    )
    intercept: list[HostPattern] = Field(
        default_factory=list,
        description="Hosts (or `*.suffix`) whose traffic is ours when the sidecar is a forward proxy. "
        "All others are tunnelled undecrypted.",
    )
    tunnel: TunnelShape = Field(
        default_factory=TunnelShape, description="What else the forward proxy may reach."
    )
    auth: AuthShape = Field(default_factory=AuthShape, description="Who may call.")
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
    accounts: AccountsShape = Field(
        default_factory=AccountsShape, description="What a new user begins with."
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
