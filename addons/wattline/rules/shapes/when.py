"""The shape of a rule's `when`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from wattline.rules.fields import Duration, Energy, PatternList, Shape, ShortName, Text, listed


class TokensShape(Shape):
    """Bounds for the estimate of the prompt's tokens, both included."""

    min: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="At least so many tokens."
    )
    max: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="At most so many tokens."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("`min` or `max` is missing")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("`min` is greater than `max`: this can never hold")
        return self


class FillShape(Shape):
    """How full a window is."""

    name: ShortName = Field(
        description="A window of scope `provider`, `principal` or `global`; or a provider with `rpm`, whose "
        "window that makes. Where a provider has several keys, all of theirs must be so full."
    )
    over: Annotated[float, Field(ge=0, le=1)] = Field(
        description="Holds while the window is fuller than this share, 0 to 1."
    )


class BalanceShape(Shape):
    """The caller's balance. A caller without a limit is above every amount."""

    below: Energy | None = Field(default=None, description="Less than so much energy is left.")
    above: Energy | None = Field(default=None, description="More than so much energy is left.")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise ValueError("one of `below` and `above` is needed")
        return self


StateName = Literal["healthy", "resting", "out"]
StateList = Annotated[
    list[StateName],
    Field(min_length=1),
    BeforeValidator(listed, json_schema_input_type=StateName | list[StateName]),
]
_Portion = Annotated[float, Field(ge=0, le=1)]


class HealthIsShape(Shape):
    """How a provider or a model of it does. With fewer than 5 attempts: score 1, no failures, not slow."""

    state: StateList | None = Field(
        default=None, description="`healthy`, `resting` or `out`; a list: any of them."
    )
    score_below: _Portion | None = Field(
        default=None, description="Its score is below this number from 0 to 1."
    )
    score_above: _Portion | None = Field(default=None, description="Its score is above it.")
    errors_above: _Portion | None = Field(
        default=None, description="More than this share of its attempts failed lately, 0 to 1."
    )
    errors_below: _Portion | None = Field(default=None, description="Less than this share failed.")
    slower_than: Duration | None = Field(
        default=None,
        description="The average time to its first output is longer: seconds, or `0.5s`.",
    )
    faster_than: Duration | None = Field(default=None, description="It is shorter.")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("a state or a bound is missing")
        for low, high in _PAIRS:
            least, most = getattr(self, low), getattr(self, high)
            if least is not None and most is not None and least >= most:
                raise ValueError(f"`{low}` is not less than `{high}`: this can never hold")
        return self


_PAIRS = (
    ("score_above", "score_below"),
    ("errors_above", "errors_below"),
    ("slower_than", "faster_than"),
)


def _state(value: object) -> object:
    return {"state": value} if isinstance(value, str | list) else value


Faring = Annotated[
    HealthIsShape,
    BeforeValidator(_state, json_schema_input_type=StateName | list[StateName] | HealthIsShape),
]


def hour_range(value: object) -> tuple[int, int]:
    """`22-6` as (22, 6): from the first hour up to the second, which is not included; 9 as (9, 10)."""
    first, dash, last = str(value).partition("-")
    known = isinstance(value, int | str) and not isinstance(value, bool)
    if not known or not _is_hour(first, 23) or (dash and not _is_hour(last, 24)):
        raise ValueError("must be an hour from 0 to 23, or a range such as 9-17 or 22-6")
    start = int(first)
    end = int(last) if dash else start + 1
    if start == end:
        raise ValueError("this range is empty: write 0-24 for the whole day")
    return start, end


def _is_hour(text: str, highest: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len("24") and int(text) <= highest


HourRange = Annotated[Any, BeforeValidator(hour_range, json_schema_input_type=int | str)]
HourList = Annotated[
    list[HourRange],
    Field(min_length=1),
    BeforeValidator(listed, json_schema_input_type=int | str | list[int | str]),
]
Operation = Literal[
    "chat",
    "completion",
    "responses",
    "embeddings",
    "moderations",
    "images",
    "speech",
    "transcription",
    "realtime",
    "count_tokens",
    "videos",
    "interactions",
    "rerank",
]
OperationList = Annotated[
    list[Operation],
    Field(min_length=1),
    BeforeValidator(listed, json_schema_input_type=Operation | list[Operation]),
]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DayList = Annotated[
    list[Day], Field(min_length=1), BeforeValidator(listed, json_schema_input_type=Day | list[Day])
]


class WhenShape(Shape):
    """All lines must hold. Patterns know `*` and `?`; a list means any of them; case counts."""

    host: PatternList | None = Field(
        default=None, description="The host that the client addressed."
    )
    path: PatternList | None = Field(default=None, description="The path, without query.")
    method: PatternList | None = Field(default=None, description="The HTTP method.")
    operation: OperationList | None = Field(
        default=None, description="What is asked for, whatever the dialect."
    )
    dialect: PatternList | None = Field(default=None, description="The API that the client speaks.")
    model: PatternList | None = Field(
        default=None, description="The model that the client asked for."
    )
    header: Annotated[dict[Text, PatternList], Field(min_length=1)] | None = Field(
        default=None,
        description="Header names and patterns, all of which must fit. Credentials can't be asked.",
    )
    principal: PatternList | None = Field(
        default=None, description="The caller: a name under `auth.keys`."
    )
    user: PatternList | None = Field(
        default=None,
        description="The user that the caller's key names, else the one named in the call.",
    )
    tier: PatternList | None = Field(
        default=None, description="The caller's tier: `auth.keys.<name>.tier`."
    )
    tag: PatternList | None = Field(
        default=None, description="A tag of the call; one that fits is enough."
    )
    stream: bool | None = Field(default=None, description="The client wants a stream, or not.")
    tools: bool | None = Field(default=None, description="The call offers tools, or not.")
    images: bool | None = Field(default=None, description="The call holds images, or not.")
    tokens: TokensShape | None = Field(
        default=None, description="The estimate of the prompt's tokens."
    )
    hour: HourList | None = Field(
        default=None,
        description="Hours such as `9-17` or `22-6` (up to the second, not included), or a list.",
    )
    weekday: DayList | None = Field(default=None, description="The day, as the clock says now.")
    timezone: Text | None = Field(
        default=None,
        description="For `hour` and `weekday`, for example `Europe/Berlin`. Default UTC.",
    )
    window: FillShape | None = Field(default=None, description="How full a window is.")
    balance: BalanceShape | None = Field(
        default=None, description="The energy that the caller has left."
    )
    health: Annotated[dict[Text, Faring], Field(min_length=1)] | None = Field(
        default=None,
        description="Providers, or `provider/model`, and how they do: a state, or a mapping. `healthy`: it can "
        "be asked. `resting`: it asked to wait or refused its keys. `out`: it failed too often or is switched "
        "off. All that are named must do so.",
    )
    unconfigured: bool | None = Field(
        default=None, description="`true`: no provider but the demo can be used; `false`: one can."
    )
    forward: bool | None = Field(
        default=None,
        description="`true`: the client addressed a provider's host; `false`: the sidecar.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.timezone is not None and self.hour is None and self.weekday is None:
            raise ValueError("`timezone` has no effect without `hour` or `weekday`")
        return self
