"""The shapes of a rule's `fault` and `shadow`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from wattline.rules.drill import BY_EVENT, SLOW_DRIP, STATUSES
from wattline.rules.fields import Duration, PatternList, Portion, Shape, Text


def read_moment(value: object) -> float:
    """Unix seconds of an ISO 8601 time; without an offset it is UTC. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("must be a time such as 2026-05-04T18:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


Moment = Annotated[
    float,
    PlainValidator(read_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An ISO 8601 time, UTC unless it has an offset."""


class FaultShape(Shape):
    """A drill: a fault made by the sidecar, to see what callers and rules do then. It ends by itself."""

    kind: Literal[429, 500, 503, 529, "refuse", "stall", "cut", "malformed", "slow_drip"] = Field(
        description="A status and `refuse`: nothing is sent to the provider. The others are done to a real "
        "answer: `stall` (nothing more comes), `cut` (it ends without its end), `malformed` (one event, or "
        "all of an answer that is no stream, is unreadable), `slow_drip` (each event comes late)."
    )
    share: Portion = Field(description="Which share of the calls that fit, 0 to 1.")
    until: Moment = Field(
        description="When the drill ends, at most 7 days ahead, for example `2026-05-04T18:00:00Z`."
    )
    header: Annotated[dict[Text, PatternList], Field(min_length=1)] | None = Field(
        default=None,
        description="Only calls with these headers. Credentials can't be asked.",
    )
    principal: PatternList | None = Field(default=None, description="Only these callers.")
    user: PatternList | None = Field(default=None, description="Only calls for these users.")
    targets: PatternList | None = Field(
        default=None,
        description="Only attempts at these: `provider/model`, entries or providers. Default: all but those "
        "that go on with a stream that broke off (`midstream`).",
    )
    after: Annotated[int, Field(ge=0, le=100_000)] | None = Field(
        default=None,
        description="With `stall`, `cut`, `malformed`: so many events of a stream come through first. "
        "Default 0.",
    )
    retry_after: Duration | None = Field(
        default=None, description="With a status: the answer's `Retry-After`."
    )
    pause: Duration | None = Field(
        default=None, description="With `slow_drip`: the wait before each event. Default 1 s."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        kind = str(self.kind)
        if self.after is not None and kind not in BY_EVENT:
            raise ValueError(f"`after` has no effect with `kind: {kind}`")
        if self.retry_after is not None and kind not in STATUSES:
            raise ValueError(f"`retry_after` has no effect with `kind: {kind}`")
        if self.pause is not None and kind != SLOW_DRIP:
            raise ValueError(f"`pause` has no effect with `kind: {kind}`")
        return self


class ShadowShape(Shape):
    """A copy of some calls goes to another target too. Nobody sees its answer."""

    target: Text = Field(
        description="An entry or `provider/model`. It gets the whole prompts of the calls that are copied."
    )
    share: Portion = Field(description="Which share of the calls, 0 to 1.")
