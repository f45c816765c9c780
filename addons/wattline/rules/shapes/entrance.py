"""The shapes of `listen`, `intercept`, `tunnel`, `auth`, `cors`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from wattline.rules.addresses import read_host
from wattline.rules.fields import Duration, HostPattern, Secret, Shape, ShortName, no_reference
from wattline.rules.origins import ANY_ORIGIN, ProxyNetwork, WebOrigin

Port = Annotated[int, Field(ge=1, le=65_535)]


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
