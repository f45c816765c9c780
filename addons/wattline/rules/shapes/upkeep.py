"""The shapes of `cache`, `health`, `ledger`, `log`."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from wattline.rules.fields import MIB, Duration, PatternList, Portion, Shape, no_reference


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
        "`inband_*`, `*_timeout`.",
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
