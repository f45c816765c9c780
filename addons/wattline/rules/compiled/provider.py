"""Upstream accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from wattline.base.origin import AuthStyle, Credential, Origin
from wattline.rules.compiled.window import Window
from wattline.wire.call import Principal

TIERS = ("fast", "medium", "large", "reasoning")
"""From the lowest to the highest."""
FROM_CACHE = "cache"
"""Stands for the provider of an answer that was kept; no provider may be called so."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for each phase of one attempt: TCP and TLS, head, between pieces, all of it."""

    connect: float = 5.0
    first_byte: float = 120.0
    idle: float = 60.0
    total: float = 180.0


@dataclass(frozen=True, slots=True)
class ProviderModel:
    """A model that a provider lists."""

    id: str
    tier: str | None = None
    context: int | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """One upstream account. `unavailable` says why it can't be used, None when it can."""

    name: str
    dialect: str
    origin: Origin
    base_path: str
    """Path of the base URL without a trailing slash, for example `/v1` or an empty string."""
    auth: AuthStyle
    credential: Credential | None
    windows: tuple[Window, ...]
    timeouts: Timeouts
    models: tuple[ProviderModel, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """Fixed headers that this provider wants, for example `anthropic-version`."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Body fields added where the client set nothing."""
    unavailable: str | None = None
    demo: bool = False
    retries: int = 0
    """Further tries of this provider in one call before the next target."""
    rate: Fraction | None = None
    """Tokens for one unit of energy, for its models that have no entry of their own."""
    responses: bool = True
    """It has OpenAI's Responses API."""
    inline_images: bool = False
    """Pictures named by URL are fetched here."""
    adapt: frozenset[str] = frozenset()
    """Changes that each conversation with it needs: `whole`, `alternate`, `no_system`, `reasoner`."""
    needs_key: bool = False
    """A key is all that is missing: a caller that has its own can use it."""
    key: int = 0
    """Which of the keys that rules.yaml lists for it this one is, from 1 on; 0 where it lists one."""
    keys: tuple[Provider, ...] = ()
    """The same provider with each of its keys; empty unless several are set."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """All of its keys where it has several: it may repeat any of them."""
    spread: bool = True
    """Its keys take turns; else the first that can be used is used."""

    @property
    def each(self) -> tuple[Provider, ...]:
        """Itself, or itself with each of its keys."""
        return self.keys or (self,)

    @property
    def account(self) -> str:
        """The operator's account at it, or that of this key of several."""
        return self.account_of(None)

    def account_of(self, owner: str | None) -> str:
        """The account of this key, or that of a caller with a key of its own."""
        if owner is None and self.key > 1:
            return f"{self.name} key {self.key}"
        return account_name(self.name, owner)

    def owned_by(self, principal: Principal) -> bool:
        """The caller has a key of its own for it, and for this origin of it: calls take that key."""
        owned = principal.providers
        if not owned or self.auth is AuthStyle.NONE:
            return False
        ready = self.unavailable is None or self.needs_key
        return ready and (self.name, self.origin) in owned

    def open_to(self, principal: Principal) -> bool:
        """It can be used, with the operator's key or the caller's own."""
        return self.unavailable is None or self.owned_by(principal)

    def __repr__(self) -> str:
        state = "ready" if self.unavailable is None else f"unavailable: {self.unavailable}"
        return f"<Provider {self.name} {self.origin}{self.base_path} {state}>"


def account_name(provider: str, owner: str | None) -> str:
    """A provider's account: the operator's goes by the provider's name, a caller's own by a name that no
    provider can have.
    """
    return provider if owner is None else f"{provider} of {owner}"
