"""The shape of `limits`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from wattline.rules.fields import MIB, Count, Seconds, Shape


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
