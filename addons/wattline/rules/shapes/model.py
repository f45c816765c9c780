"""The shape of `models`, and what a provider says of its own."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wattline.rules.fields import Name, Rate, Seconds, Shape, Share, ShortName, Text

TierName = Literal["fast", "medium", "large", "reasoning"]
AdaptName = Literal["whole", "alternate", "no_system", "reasoner"]
Adapt = Annotated[list[AdaptName], Field(min_length=1)]
ADAPT = (
    "What must be changed in a conversation for it. `whole`: it is asked without streaming, and a client "
    "that wanted a stream gets one made from the whole answer. `alternate`: neighbours of one role become "
    "one message, and the user speaks first. `no_system`: instructions move into the first message of the "
    "user. `reasoner`: as `alternate`, and earlier turns lose their reasoning."
)


class TimeoutsShape(Shape):
    """Limits in time for one attempt."""

    connect: Seconds | None = Field(default=None, description="Seconds for TCP and TLS. Default 5.")
    first_byte: Seconds | None = Field(
        default=None,
        description="Seconds from the request to the answer's head. Default: `UPSTREAM_TIMEOUT_MS` of the environment, "
        "else 120.",
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
