"""The shape of `providers`, `models` and `windows` in rules.yaml."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from wattline.rules.fields import (
    BodyFields,
    Duration,
    Name,
    Rate,
    Seconds,
    Secret,
    Shape,
    Share,
    ShortName,
    TemplateText,
    Text,
    Variable,
    listed,
)

AuthName = Literal["bearer", "x-api-key", "x-goog-api-key", "none"]
TierName = Literal["fast", "medium", "large", "reasoning"]
DialectName = Literal["openai", "anthropic", "gemini", "ollama", "generate"]
AdaptName = Literal["whole", "alternate", "no_system", "reasoner"]
Adapt = Annotated[list[AdaptName], Field(min_length=1)]
ADAPT = (
    "What must be changed in a conversation for it. `whole`: it is asked without streaming, and a client "
    "that wanted a stream gets one made from the whole answer. `alternate`: neighbours of one role become "
    "one message, and the user speaks first. `no_system`: instructions move into the first message of the "
    "user. `reasoner`: as `alternate`, and earlier turns lose their reasoning."
)
MOST_KEYS = 32
"""Of one provider: each costs a look per call."""
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
CREDENTIALS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-auth-token",
        "cookie",
    }
)
_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    }
)


def _header_name(text: str) -> str:
    name = text.lower()
    if not _HEADER.fullmatch(name):
        raise ValueError("not a header name")
    if name in CREDENTIALS:
        raise ValueError(f"{name} carries a credential: use `key` and `auth`")
    if name in _OURS:
        raise ValueError(f"{name} is set by wattline itself")
    return name


Keys = Annotated[
    list[Secret],
    Field(min_length=1, max_length=MOST_KEYS),
    BeforeValidator(listed, json_schema_input_type=Secret | list[Secret]),
]
HeaderName = Annotated[str, AfterValidator(_header_name)]


class TimeoutsShape(Shape):
    """Limits in time for one attempt."""

    connect: Seconds | None = Field(default=None, description="Seconds for TCP and TLS. Default 5.")
    first_byte: Seconds | None = Field(
        default=None, description="Seconds from the request to the answer's head. Default 120."
    )
    idle: Seconds | None = Field(
        default=None, description="Seconds between two pieces of an answer. Default 60."
    )
    total: Seconds | None = Field(
        default=None, description="Seconds for the whole attempt. Default 180."
    )


class ListedModel(Shape):
    """A model that a provider offers."""

    id: Name = Field(description="The name that the provider knows it by.")
    tier: TierName | None = Field(default=None, description="Its tier, for `try: {tier: …}`.")
    context: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Tokens that fit into its context window: a call whose estimate is larger skips "
        "it when a tier is asked for.",
    )


class Access(Shape):
    """Where a provider is and how it knows us. Used when all its variables are set."""

    url: TemplateText = Field(description="Base URL, for example `${BRIDGE_URL}/v1`.")
    key: Keys | None = Field(
        default=None,
        description="The key: one `${NAME}`, never the key itself. Or a list of keys, as at a provider.",
    )
    auth: AuthName | None = Field(
        default=None,
        description="The header for the key. Default `bearer`, or `none` without a key.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        _check_auth(self.key is not None, self.auth)
        return self


class ProviderShape(Shape):
    """One upstream account."""

    url: TemplateText | None = Field(
        default=None,
        description="Base URL: http or https, no user, query or fragment. May hold references.",
    )
    key: Keys | None = Field(
        default=None,
        description="The key: `${NAME}`, or `${NAME|OTHER}` for the first that is set. Never the key "
        "itself. While it is not set, the provider is skipped. A list of keys: those that are set are used as "
        "`choose` says. Each is an account of its own, with its own `rpm` and window; one that is refused or "
        "limited rests alone, and the call goes on with the next.",
    )
    choose: Literal["spread", "first"] = Field(
        default="spread",
        description="Of several keys. `spread`: they take turns, and calls of one conversation keep theirs. "
        "`first`: the first in the list that can be used.",
    )
    auth: AuthName | None = Field(
        default=None,
        description="The header for the key. Default: what its dialect uses (`bearer`; `x-api-key` for "
        "anthropic, `x-goog-api-key` for gemini), or `none` without a key.",
    )
    either: Annotated[list[Access], Field(min_length=1)] | None = Field(
        default=None,
        description="In place of `url`, `key` and `auth`: the first of these whose variables are all "
        "set.",
    )
    dialect: DialectName = Field(
        default="openai",
        description="The API that it speaks. A call in another one is translated on its way there, and the "
        "answer on its way back.",
    )
    responses: bool = Field(
        default=True,
        description="It has OpenAI's Responses API. `false`: a call of that becomes a chat completion.",
    )
    adapt: Adapt | None = Field(default=None, description=ADAPT)
    inline_images: bool = Field(
        default=False,
        description="It can't fetch pictures itself: those that a call names by http or https URL are fetched "
        "here, within the bounds that IMAGE_FETCH_… set, and sent as base64.",
    )
    rpm: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Calls in any 60 seconds. Providers with the same URL and key count together.",
    )
    window: ShortName | None = Field(
        default=None,
        description="A window of scope `provider`, shared by all providers that name it.",
    )
    timeouts: TimeoutsShape | None = Field(
        default=None, description="Seconds for each phase of an attempt."
    )
    headers: dict[HeaderName, TemplateText] | None = Field(
        default=None,
        description="Fixed headers, no credentials. One whose text comes out empty is left out.",
    )
    defaults: BodyFields | None = Field(
        default=None, description="Body fields added where the client set none."
    )
    models: list[ListedModel] = Field(
        default_factory=list,
        description="What it offers. A model without an entry under `models` is called by its id, at "
        "every provider that lists it, in the order of this file.",
    )
    rate: Rate | None = Field(
        default=None,
        description="Tokens for one unit of energy, for its models without an entry of their own.",
    )
    enabled: bool = Field(default=True, description="`false` skips it.")
    require: dict[Variable, Text] | None = Field(
        default=None,
        description="Variables and the value that each must have, else the provider is skipped.",
    )
    demo: bool = Field(
        default=False,
        description="It is the built-in demo: it does not count as a configured provider.",
    )
    retries: Annotated[int, Field(ge=0, le=5)] = Field(
        default=0, description="Further tries of it in one call before the next target."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.either is None:
            if self.url is None:
                raise ValueError("`url` is missing (or `either`, a list of them)")
        elif self.url is not None or self.key is not None or self.auth is not None:
            raise ValueError(
                "`either` takes the place of `url`, `key` and `auth`: use one of the two"
            )
        else:
            return self
        _check_auth(self.key is not None, self.auth)
        return self


class ModelShape(Shape):
    """One callable model."""

    provider: ShortName | None = Field(
        default=None,
        description="The provider of its own target. May be left out when there is a `chain`.",
    )
    name: Name | None = Field(
        default=None, description="The model's name at the provider. Default: the entry's name."
    )
    rate: Rate | None = Field(
        default=None, description="Tokens for one unit of energy, before the margin."
    )
    chain: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None,
        description="What to try when it is called, in order: entries (each stands for its own target "
        "only) or `provider/model`. Default: its own target.",
    )
    aliases: list[Name] = Field(default_factory=list, description="Further names for it.")
    timeouts: TimeoutsShape | None = Field(
        default=None, description="Seconds, where they differ from the provider's."
    )
    adapt: Adapt | None = Field(
        default=None, description="As the provider's `adapt`, for this model of it; both count."
    )
    per_second: Share | None = Field(
        default=None,
        description="Energy for a second of a recording, where `audio` says otherwise.",
    )
    per_character: Share | None = Field(
        default=None, description="Energy for a spoken character, where `audio` says otherwise."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.provider is not None:
            return self
        if self.chain is None:
            raise ValueError("`provider` is missing (or a `chain` of other targets)")
        for name in ("name", "rate", "timeouts", "adapt", "per_second", "per_character"):
            if getattr(self, name) is not None:
                raise ValueError(f"`{name}` has no effect without `provider`")
        return self


class WindowShape(Shape):
    """A limit in any sliding period."""

    calls: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Calls.")
    tokens: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Tokens.")
    per: Duration = Field(description="The period: seconds, or `60s`, `15m`, `1h`, `1d`.")
    scope: Literal["provider", "principal", "address", "global"] = Field(
        default="provider",
        description="Whose calls count together: those to the providers that name the window, or those "
        "of one caller, of one address (a /64 of IPv6), of all callers.",
    )
    over: Literal["calls", "requests", "pages", "sockets", "auth", "inference"] = Field(
        default="calls",
        description="What counts as one of `calls`. `calls`: a call of a model that can be made. The others "
        "count requests as they come, however they are answered: `requests` all of them, `pages` those of "
        "our own pages, `sockets` upgrades to a WebSocket, `auth` those to register and log in, `inference` "
        "those below /api/v1/inference. They need a `scope` other than `provider`.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.calls is None and self.tokens is None:
            raise ValueError("a window needs `calls` or `tokens`")
        if self.over == "calls":
            return self
        if self.tokens is not None or self.calls is None:
            raise ValueError(f"a window over {self.over} counts `calls`, it has no `tokens`")
        if self.scope == "provider":
            raise ValueError(
                f"a window over {self.over} needs `scope: address`, `principal` or `global`"
            )
        return self


def _check_auth(has_key: bool, auth: str | None) -> None:  # noqa: FBT001  (called with names beside it)
    if auth is not None and (auth != "none") != has_key:
        raise ValueError(
            "`auth: none` and a `key` exclude each other"
            if has_key
            else f"`auth: {auth}` needs `key`"
        )
