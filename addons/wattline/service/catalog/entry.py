"""A model as clients are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Entry:
    """`id` is the name to call it by, `provider` who would answer it now (or could, when `ready` is
    False: it rests, or its window is full). `context` and `max_output` are tokens, `created` Unix
    seconds; prices are US dollars for one token as decimal text; `rate` is tokens for a unit of energy.
    """

    id: str
    name: str
    provider: str
    upstream: str
    description: str = ""
    ready: bool = True
    created: int | None = None
    context: int | None = None
    max_output: int | None = None
    prompt_price: str | None = None
    completion_price: str | None = None
    parameters: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    moderated: bool = False
    rate: Fraction | None = None
    tier: str | None = None
    providers: tuple[str, ...] = ()
    """All that its chain may reach now, in order."""
    operation: str = "chat"


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """A provider: `status` is `active`, `resting`, `limited`, `parked` (an operator switched it off) or
    `unavailable`, `reason` says why.
    """

    id: str
    name: str
    status: str
    reason: str | None
    models: tuple[str, ...]
    capabilities: tuple[str, ...]
