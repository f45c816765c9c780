"""How the log, the ledger, kept answers, conversations and health are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from wattline.rules.globs import Patterns


@dataclass(frozen=True, slots=True)
class LogRules:
    """What is logged and how. `level` None: as the environment has it; `file` True: in the state folder, a
    text: in that folder, False: nowhere.
    """

    level: str | None = None
    format: str = "text"
    file: bool | str = True


@dataclass(frozen=True, slots=True)
class LedgerRules:
    """How the ledger is kept."""

    sync: str = "normal"
    """`normal` or `full`: see docs/operations.md for what each promises."""
    down: str = "refuse"
    """`refuse` or `allow`: what happens to calls while the ledger can't be written."""


@dataclass(frozen=True, slots=True)
class CacheRules:
    """How answers to deterministic calls are kept. `ttl` is seconds; `hit_energy` is what a hit costs as a
    share of the original's energy, 0 to 1.
    """

    enabled: bool = False
    ttl: float = 3_600.0
    max_entries: int = 10_000
    max_bytes: int = 64 * 1024 * 1024
    hit_energy: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class AffinityRules:
    """How conversations are told apart, and for how long each is remembered (seconds). See `affinity` in
    docs/rules.md.
    """

    enabled: bool = False
    headers: tuple[str, ...] = ("x-session-id",)
    """In lower case."""
    prefix: bool = True
    ttl: float = 600.0
    max_entries: int = 10_000
    diagnose: bool = False


@dataclass(frozen=True, slots=True)
class ProofRules:
    """Of what it is written down that it was left alone."""

    tunnels: bool = False
    passed: bool = False


@dataclass(frozen=True, slots=True)
class HealthRules:
    """When a target is left out for a while. Times are seconds."""

    breaker: bool = True
    failures: int = 5
    share: float = 0.5
    """Of the outcomes within `window` that must be failures too."""
    window: float = 60.0
    cooldown: float = 10.0
    """The first time; it doubles each time a probe fails."""
    longest: float = 300.0
    disable_after: int | None = 2
    """So many models of a provider out at one time are the provider out; None: never."""
    ignore: Patterns = field(default_factory=lambda: Patterns(frozenset(), ()))
    """Outcomes that do not count (B-083)."""

    def ignores(self, code: str) -> bool:
        """An outcome of this code does not count."""
        return self.ignore.matches(code)
