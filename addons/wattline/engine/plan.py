"""What a decision is: the ordered targets for a call, and why each other one is not among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from wattline.rules.compiled.rule import Deny
from wattline.rules.compiled.target import Target
from wattline.rules.drill import Drill
from wattline.rules.shadow import Shadow

UNKNOWN_THERE = "unknown_model"
"""The code of a provider that the client named, and that has no such model."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A target that the rule named and that can't be tried now."""

    target: str
    code: str
    """`unavailable`, `parked`, `breaker`, `window_full`, `resting`, `dialect`, …"""
    reason: str
    retry_after: float | None = None
    """Seconds until it may be tried again, when that is known."""
    limited: bool = False
    """It waits for a rate limit: a full window, or a provider that asked to wait."""
    guessed: bool = False
    """Nobody said for how long: it is tried all the same where nothing else can be."""


class KeyOut(NamedTuple):
    """One of a provider's keys that can't be used now, and why."""

    target: Target
    """With that key."""
    skip: Skip


@dataclass(frozen=True, slots=True)
class Plan:
    """Pure data: what `decide` says and `explain` prints.

    Exactly one of these holds: `targets` is not empty; `deny` is set; `passed` is True; or nothing can
    be tried, and `skipped` says why (it is empty when the model is unknown).
    """

    rule: str | None
    position: int | None
    """0-based place of the rule in the book."""
    targets: tuple[Target, ...]
    skipped: tuple[Skip, ...] = ()
    deny: Deny | None = None
    passed: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    on: frozenset[str] = frozenset()
    adapt: frozenset[str] = frozenset()
    drop: bool = False
    panic: bool = False
    """Every target's breaker is open: they are tried all the same."""
    draw: float | None = None
    """The number that was drawn, where the rule's targets have weights or a provider's keys take turns."""
    keys_out: tuple[KeyOut, ...] = ()
    """Keys that can't be used, of providers with several; the provider is among the targets if it has others."""
    kept: bool | None = None
    """Whether the first target is the one that answered this conversation last; None: nobody asked."""
    reasons: tuple[str, ...] = ()
    """What else a reader should know: `tier large for fast`, `demo: no provider key is set`, …"""
    version: str = ""
    """The book's."""
    unknown: bool = False
    """The called model is not in the book. Then `near` has the names that were most likely meant, if
    nothing can be tried."""
    near: tuple[str, ...] = ()
    fault: Drill | None = None
    """The drill that this call was drawn for."""
    shadow: Shadow | None = None
    """Where this call is asked too."""
    midstream: bool = False
    """A stream that breaks off after output is continued by the next target."""
    tiered: bool = False
    """Providers were asked for by a tier (C-106)."""
