"""The neutral types of a call: what every dialect reads a request into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Operation(StrEnum):
    """What the client asks for, whatever the dialect."""

    CHAT = "chat"
    COMPLETION = "completion"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"
    MODERATIONS = "moderations"
    IMAGES = "images"
    SPEECH = "speech"
    TRANSCRIPTION = "transcription"
    COUNT_TOKENS = "count_tokens"
    """How many tokens a prompt has; nothing is written."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. `id` is stable and safe to log; `tier` and `user` may be unknown."""

    id: str
    tier: str | None = None
    user: str | None = None


LOCAL = Principal("local")
"""The caller in open mode."""


@dataclass(frozen=True, slots=True)
class Call:
    """One LLM request as the client made it; what rules can ask about.

    `host`, `path` are what the client addressed (path without query, normalised). `headers` holds
    the first value of each header by lower-case name, credentials left out. `tokens` is the
    estimate of the prompt's tokens, `max_output` the client's own limit if it set one.
    """

    id: str
    dialect: str
    operation: Operation
    method: str
    host: str
    path: str
    model: str
    stream: bool
    principal: Principal
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    tokens: int = 0
    max_output: int | None = None
    tools: bool = False
    images: bool = False
    user: str | None = None
    tags: frozenset[str] = frozenset()
    wants_usage: bool = False
    """The client itself asked for a usage event in its stream."""
    forward: bool = False
    """The client addressed a provider's host, not the sidecar."""
