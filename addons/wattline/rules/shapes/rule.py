"""The shape of `rules`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from wattline.rules.fields import BodyFields, Shape, ShortName, Text
from wattline.rules.shapes.drill import FaultShape, ShadowShape
from wattline.rules.shapes.model import Adapt, TierName
from wattline.rules.shapes.when import WhenShape


class TryShape(Shape):
    """One way to choose targets."""

    chain: Text | None = Field(
        default=None, description="The chain of this model, whatever was asked for."
    )
    tier: TierName | None = Field(
        default=None,
        description="Each provider's best model of this tier, in the order of the providers.",
    )
    providers: Annotated[list[ShortName], Field(min_length=1)] | None = Field(
        default=None,
        description="With `tier`: which providers. Default: all that list a model with a tier, in the "
        "order of the file, the demo left out.",
    )
    weighted: (
        Annotated[dict[Text, Annotated[int, Field(ge=1, le=1_000_000)]], Field(min_length=1)] | None
    ) = Field(
        default=None,
        description="Targets and their weights: the first is drawn, the others follow.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        ways = [name for name in ("chain", "tier", "weighted") if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError("exactly one of `chain`, `tier` and `weighted` is needed")
        if self.providers is not None and self.tier is None:
            raise ValueError("`providers` has no effect without `tier`")
        return self


def _form(value: object) -> str | None:
    forms: dict[type, str] = {str: "word", list: "list", dict: "mapping", TryShape: "mapping"}
    return forms.get(type(value))


Try = Annotated[
    Annotated[Literal["model"], Tag("word")]
    | Annotated[Annotated[list[Text], Field(min_length=1)], Tag("list")]
    | Annotated[TryShape, Tag("mapping")],
    Discriminator(
        _form,
        custom_error_type="try_form",
        custom_error_message="must be `model`, a list of targets, or a mapping",
    ),
]


class DenyShape(Shape):
    """A refusal."""

    message: Text = Field(description="What the client is told.")
    status: Annotated[int, Field(ge=400, le=599)] = Field(
        default=403, description="The HTTP status."
    )


def _deny(value: object) -> object:
    return {"message": value} if isinstance(value, str) else value


class SetShape(Shape):
    """Body fields. `model`, `messages`, `stream` and `stream_options` can't be set."""

    defaults: BodyFields | None = Field(
        default=None, description="Added where the client set none."
    )
    override: BodyFields | None = Field(
        default=None, description="Put in place of what the client set."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.defaults is None and self.override is None:
            raise ValueError("`defaults` or `override` is missing")
        return self


_TRIES = ("set", "on", "adapt", "cache", "order", "affinity", "fault", "shadow", "midstream")
"""Fields that say how targets are tried."""


class RuleShape(Shape):
    """The first rule whose conditions all hold decides."""

    name: ShortName = Field(description="Unique; shown by `explain`, in logs and in the ledger.")
    when: WhenShape = Field(
        default_factory=WhenShape.model_construct,
        description="Conditions, all of which must hold. Left out: always.",
    )
    try_: Try | None = Field(
        default=None,
        alias="try",
        description="`model`: the called model's chain; a client may also call `provider/model`: any "
        "model of a provider that lists none, else one that it lists or that an entry has there. A list: "
        "entries, `provider/model`, or a provider's name alone for the called model there. Or a mapping: "
        "`chain`, `tier`, `weighted`.",
    )
    deny: (
        Annotated[DenyShape, BeforeValidator(_deny, json_schema_input_type=str | DenyShape)] | None
    ) = Field(default=None, description="Refuse: a message, or a message and a status.")
    pass_: Literal[True] | None = Field(
        default=None,
        alias="pass",
        description="`true`: to the host that the client named, with the client's own key, metered.",
    )
    set: SetShape | None = Field(default=None, description="Body fields for the targets of `try`.")
    on: Annotated[list[Literal["context_length"]], Field(min_length=1)] | None = Field(
        default=None, description="Further refusals after which `try` goes on with the next target."
    )
    adapt: Adapt | None = Field(
        default=None, description="As a provider's `adapt`, for every target of this rule."
    )
    unsupported: Literal["error", "drop"] = Field(
        default="error",
        description="What happens to parts of a request that a target's API can't express. `error`: the "
        "target is not tried, and when none is left the client is told with 400. `drop`: they are left out, "
        "and the header `x-wattline-dropped` and the log name them.",
    )

    order: Literal["given", "fastest", "cheapest", "least_energy", "score"] = Field(
        default="given",
        description="In which order targets are tried. `fastest`: by the time to the first output (of streams) "
        "or the whole answer lately; `score`: by that and failures; what was never tried comes first. "
        "`least_energy`: by the rate; `cheapest`: by list prices; what has none comes last. Equal ones stay as "
        "given.",
    )
    cache: bool | None = Field(
        default=None,
        description="Whether answers are kept; without it the section `cache` decides. Only calls that "
        "must give the same answer again are ever kept.",
    )
    fault: FaultShape | None = Field(
        default=None,
        description="A drill: some calls meet a fault that the sidecar makes (docs/drills.md).",
    )
    shadow: ShadowShape | None = Field(
        default=None,
        description="A share of the calls is sent to another target too, prompts and all; its answers are "
        "only measured (docs/shadow.md).",
    )
    midstream: Literal["continue"] | None = Field(
        default=None,
        description="`continue`: a stream of plain text that breaks off is continued by the next target "
        "(docs/continuation.md). Without it the client gets an error.",
    )

    affinity: bool | None = Field(
        default=None,
        description="Whether calls of one conversation stay at the target that answered last, before `order` and "
        "weights; without it the section `affinity` decides.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        actions = [name for name in ("try_", "deny", "pass_") if getattr(self, name) is not None]
        if len(actions) != 1:
            raise ValueError("exactly one of `try`, `deny` and `pass` is needed")
        if self.try_ is None:
            for name in _TRIES:
                if name in self.model_fields_set and getattr(self, name) is not None:
                    raise ValueError(f"`{name}` has no effect without `try`")
        if self.order != "given" and isinstance(self.try_, TryShape) and self.try_.weighted:
            raise ValueError("`order` and `weighted` exclude each other")
        return self
