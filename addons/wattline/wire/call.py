"""The neutral types of a call: what every dialect reads a request into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from wattline.base.origin import Origin


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
    REALTIME = "realtime"
    """A conversation over a WebSocket; each response in it is a call."""
    COUNT_TOKENS = "count_tokens"
    """How many tokens a prompt has; nothing is written."""
    VIDEOS = "videos"
    """A video to be made: the answer is a job with an id."""
    INTERACTIONS = "interactions"
    """A turn of a conversation that the provider keeps (Google's Interactions API)."""
    RERANK = "rerank"
    """Texts put in the order in which they answer a query."""
    LOOKUP = "lookup"
    """A question about what an earlier call made, by the id that its provider gave."""


class Role(StrEnum):
    """What a credential may do."""

    ADMIN = "admin"
    """Also manage users, keys and providers."""
    USER = "user"


@dataclass(frozen=True, slots=True)
class Budgets:
    """The most that may be spent in any hour, day and 30 days, in micro-units of energy; None: no bound."""

    hour: int | None = None
    day: int | None = None
    month: int | None = None

    @property
    def none(self) -> bool:
        """Nothing is bounded."""
        return self.hour is None and self.day is None and self.month is None


NO_BUDGETS = Budgets()


class Names(Protocol):
    """Some models, by name or pattern."""

    def matches(self, text: str) -> bool:
        """The name is one of them."""
        ...


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. `id` is stable and safe to log, and the name of the account in the ledger; `tier` and
    `user` may be unknown. The rest is of the key that was sent, where it has bounds of its own.
    """

    id: str
    tier: str | None = None
    user: str | None = None
    role: Role = Role.USER
    key: str | None = None
    """The key's id (never the key); None for callers of rules.yaml."""
    hashed: str | None = field(default=None, repr=False)
    """The hash of the secret that was sent: after a rotation it is another's."""
    expires: int | None = None
    """Milliseconds since 1970 UTC; of a token its end."""
    models: Names | None = None
    """The models that may be called; None: all."""
    budgets: Budgets | None = None
    session: int | None = None
    """The user's session that its token is of; None where no token was sent."""
    providers: frozenset[tuple[str, Origin]] = frozenset()
    """Providers that the user has keys of its own for, each with the origin that they are for."""


LOCAL = Principal("local")
"""The caller in open mode."""
SHADOW = Principal("@shadow")
"""Who pays for shadow calls. No key or user can have this name."""


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
    provider: str | None = None
    """The provider that the client asked for by its name; `model` is `provider/model` then."""
    conversation: str | None = None
    """What tells its conversation from others (a hash), where a rule asks for that."""
    counted: bool = False
    """A tokenizer counted `tokens`; else they are guessed from the length of the texts."""
