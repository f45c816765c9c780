"""Where the sidecar listens, who may come in, and what the forward proxy may reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

type Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds at the gate; bytes and seconds."""

    head_bytes: int = 65_536
    head_seconds: float = 10.0
    body_seconds: float = 300.0
    """Seconds for a call's body, from the end of its head. What is passed on has no such bound."""
    json_bytes: int = 32 * 1024 * 1024
    upload_bytes: int = 300 * 1024 * 1024
    pending_bytes: int = 512 * 1024 * 1024
    """Of all JSON bodies under way together."""
    json_depth: int = 128
    inflate_ratio: int = 100
    connections_per_address: int = 1_000
    answer_bytes: int = 8 * 1024 * 1024
    """A whole answer up to this size is held, so that it can still fail over."""
    deadline: float = 300.0
    """Seconds for the whole call, all attempts together."""
    retry_after_cap: float = 60.0
    grace: float = 10.0
    """Seconds that open streams get at shutdown."""
    concurrent: int | None = None
    """Calls under way at one time; None: no bound."""
    idempotency_bytes: int = 64 * 1024 * 1024
    """Of answers that are kept for requests with an Idempotency-Key."""
    idempotency_seconds: float = 86_400.0
    """How long such a key counts."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the sidecar listens."""

    host: str = "127.0.0.1"
    port: int = 8088


@dataclass(frozen=True, slots=True)
class Auth:
    """`open` (loopback only), `keys` or `jwt` (tokens and keys): SHA-256 of each key to the principal's name."""

    mode: str = "open"
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    tiers: Mapping[str, str] = field(default_factory=dict)
    """The principal's name to its tier, where it has one: what `when: {tier: …}` asks."""
    admins: frozenset[str] = frozenset()
    """Names of the principals that may manage."""
    wrong_per_minute: int = 20
    """Wrong credentials of one address in any minute, after which it can't try new ones; 0: no bound."""


@dataclass(frozen=True, slots=True)
class Cors:
    """Web pages of which origins may call, besides those of this machine, which read no answers."""

    origins: frozenset[str] = frozenset()
    anybody: bool = False
    """`*`: every page."""
    credentials: bool = False
    max_age: float = 600.0
    """Seconds that a browser may remember the answer to its preflight."""

    def allows(self, origin: str) -> bool:
        """Pages of this origin may call."""
        return self.anybody or origin in self.origins


@dataclass(frozen=True, slots=True)
class Tunnel:
    """What the forward proxy may reach beside `intercept`: `public`, `listed`, `none`, or `any`, which no file can
    say: every address and port but our own.
    """

    policy: str = "public"
    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = (80, 443)
