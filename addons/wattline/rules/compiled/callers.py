"""What callers may do, begin with and pay."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from wattline.rules.compiled.window import Window


@dataclass(frozen=True, slots=True)
class CallerTier:
    """What each caller of a tier may do."""

    windows: tuple[Window, ...] = ()
    """Of scope principal."""
    min_score: Fraction | None = None
    """Providers with a lower score are not for this tier."""


@dataclass(frozen=True, slots=True)
class AccountRules:
    """Accounts of users, in micro-units of energy."""

    start_balance: int | None = 10_000_000_000
    """Of a new user; None: no limit."""
    bonus_user: str | None = None
    """The user whose calls are free while its balance is above `bonus_above`."""
    bonus_above: int = 100_000_000_000
    referral_bonus: int = 5_000_000_000
    """Of a user that brought another, and of that one."""
    registration: str = "auto"
    """`open`: whoever can reach the sidecar may become a user; `closed`: admins make users; `auto`: open in
    `jwt` mode on a loopback address."""
    own_keys: str = "free"
    """What calls with users' own keys cost: `free` or `charged`."""


@dataclass(frozen=True, slots=True)
class DialogRules:
    """How much of a user's conversation is kept and sent along (`/completions`)."""

    messages: int = 100
    tokens: int = 16_000
    """Estimated, the new message and the system message included."""
    waiting: int = 8
    """Completions of one dialog that wait for the one before them."""


PER_SECOND = Fraction(15)
"""Energy for a second of a recording, unless configured."""
PER_CHARACTER = Fraction(1, 2)
"""Energy for a character of a text to be spoken, unless configured."""


@dataclass(frozen=True, slots=True)
class AudioRates:
    """Energy for a second of a recording, and for a character that is spoken (A-117, A-118)."""

    per_second: Fraction = PER_SECOND
    per_character: Fraction = PER_CHARACTER
