"""The shape of `providers`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from wattline.rules.fields import (
    BodyFields,
    Rate,
    Secret,
    Shape,
    ShortName,
    TemplateText,
    Text,
    Variable,
    listed,
)
from wattline.rules.shapes.header import HeaderName
from wattline.rules.shapes.model import ADAPT, Adapt, ListedModel, TimeoutsShape

AuthName = Literal["bearer", "x-api-key", "x-goog-api-key", "none"]
DialectName = Literal["openai", "anthropic", "gemini", "ollama", "generate"]
MOST_KEYS = 32
"""Of one provider: each costs a look per call."""
Keys = Annotated[
    list[Secret],
    Field(min_length=1, max_length=MOST_KEYS),
    BeforeValidator(listed, json_schema_input_type=Secret | list[Secret]),
]


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


def _check_auth(has_key: bool, auth: str | None) -> None:  # noqa: FBT001  (called with names beside it)
    if auth is not None and (auth != "none") != has_key:
        raise ValueError(
            "`auth: none` and a `key` exclude each other"
            if has_key
            else f"`auth: {auth}` needs `key`"
        )
