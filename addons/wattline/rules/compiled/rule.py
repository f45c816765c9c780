"""Rules: conditions, and what to do when they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wattline.rules.compiled.facts import Condition
from wattline.rules.compiled.provider import Provider
from wattline.rules.compiled.target import Target
from wattline.rules.drill import Drill
from wattline.rules.shadow import Shadow


@dataclass(frozen=True, slots=True)
class Tiered:
    """`try: {tier: …}`: for each provider in order its best model of that tier (C-090..C-092)."""

    tier: str
    providers: tuple[Provider, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """`try: model`: the chain of the called model."""


@dataclass(frozen=True, slots=True)
class Listed:
    """`try: [a, b]` or `try: {chain: …}`: these targets in order."""

    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Weighted:
    """`try: {weighted: {a: 3, b: 1}}`: the first drawn by weight, the others after it by weight."""

    choices: tuple[tuple[Target, int], ...]


@dataclass(frozen=True, slots=True)
class Deny:
    """`deny:`: a message for the client and its status."""

    message: str
    status: int = 403


@dataclass(frozen=True, slots=True)
class Pass:
    """`pass: true`: to the host that the client named, with the client's own key, metered."""


Action = Tiered | Asked | Listed | Weighted | Deny | Pass


@dataclass(frozen=True, slots=True)
class Rule:
    """`when` (conditions, all must hold) and what to do then."""

    name: str
    conditions: tuple[Condition, ...]
    action: Action
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """`set: {defaults: …}`: body fields added where the client set nothing."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """`set: {override: …}`: body fields replaced."""
    on: frozenset[str] = frozenset()
    """Further outcomes that move on to the next target, for example `context_length`."""
    adapt: frozenset[str] = frozenset()
    """Changes that each of its targets needs, beside their own."""
    drop: bool = False
    """What a target can't express is left out; else that target is not tried."""
    cache: bool | None = None
    """Whether its answers are kept; None: as the section `cache` says."""
    order: str = "given"
    """Of its targets: `given`, `fastest`, `cheapest`, `least_energy` or `score`."""
    fault: Drill | None = None
    shadow: Shadow | None = None
    midstream: bool = False
    """A stream that breaks off after output is continued by the next target."""
    affinity: bool | None = None
    """Whether a conversation stays at its target; None: as the section `affinity` says."""
    line: int = 0
    """1-based line in rules.yaml."""
