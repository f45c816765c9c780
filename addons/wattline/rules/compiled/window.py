"""Bounds on calls and requests in a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

GLOBAL_KEY = "all"
"""What a window of scope `global` counts under."""


class Scope(StrEnum):
    """Whose calls a window counts together, and so under which key: a provider's window under its own
    name, the others under the principal's id, the peer's address, or `all`.
    """

    PROVIDER = "provider"
    PRINCIPAL = "principal"
    ADDRESS = "address"
    GLOBAL = "global"


class Over(StrEnum):
    """What a window counts. All but calls are counted with a request's head, however it is answered."""

    CALLS = "calls"
    """Calls of models that can be made."""
    REQUESTS = "requests"
    """All requests to us, those that are refused too."""
    PAGES = "pages"
    SOCKETS = "sockets"
    """Upgrades to a WebSocket."""
    AUTH = "auth"
    """Requests to register, log in and renew a token."""
    INFERENCE = "inference"
    """Requests to the inference service's routes."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most `calls` calls and `tokens` tokens (None: no limit) in any `per` seconds; of another `over`, as
    many requests of that kind.
    """

    name: str
    per: float
    calls: int | None = None
    tokens: int | None = None
    scope: Scope = Scope.PROVIDER
    over: Over = Over.CALLS
    declared: str | None = field(default=None, compare=False)
    """Its name in the section `windows`; None for the one that a provider's `rpm` makes."""
