"""The section `affinity`: its shape, and its compiled form."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from wattline.rules.compiled.upkeep import AffinityRules
from wattline.rules.fields import Duration, Shape, Text
from wattline.rules.shapes.header import CREDENTIALS


class AffinityShape(Shape):
    """Calls of one conversation go to the target that answered the last one: it has the start of the prompt
    in its cache. A target that can't be tried is left all the same.
    """

    enabled: bool = Field(
        default=False, description="For every rule that does not say `affinity` itself."
    )
    headers: Annotated[list[Text], Field(max_length=8)] = Field(
        default=["x-session-id"],
        description="Headers that name the conversation; the first that is sent counts. After them: "
        "`prompt_cache_key` and `metadata.user_id` in the body.",
    )
    prefix: bool = Field(
        default=True,
        description="Where nothing names it: tell conversations by a hash of tools, system and messages up to "
        "the user's first.",
    )
    ttl: Duration = Field(
        default=600.0,
        description="How long after its last answer a conversation is remembered: seconds, or a number with "
        "s, m, h or d.",
    )
    max_entries: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=10_000, description="Conversations that are remembered."
    )
    diagnose: bool = Field(
        default=False,
        description="Find out what broke providers' prompt caches: hashes of each part of the last prompt of a "
        "conversation are kept in memory (`wattline cache`, `GET /api/admin/cache`).",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        secret = next((name for name in self.headers if name.lower() in CREDENTIALS), None)
        if secret is not None:
            raise ValueError(f"{secret.lower()} is a credential: it names no conversation")
        return self


def compile_affinity(shape: AffinityShape) -> AffinityRules:
    """What the file says."""
    return AffinityRules(
        enabled=shape.enabled,
        headers=tuple(dict.fromkeys(name.lower() for name in shape.headers)),
        prefix=shape.prefix,
        ttl=shape.ttl,
        max_entries=shape.max_entries,
        diagnose=shape.diagnose,
    )
