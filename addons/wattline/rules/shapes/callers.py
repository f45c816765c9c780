"""The shapes of `tiers`, `accounts`, `dialogs`, `audio`, `energy`."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from wattline.base.amounts import MICRO
from wattline.rules.compiled.callers import PER_CHARACTER, PER_SECOND
from wattline.rules.fields import Count, Energy, Portion, Rate, Shape, Share, ShortName


class TierShape(Shape):
    """What each caller of a tier may do in any second, minute, hour and day. Every bound counts."""

    rps: Count | None = Field(default=None, description="Calls in a second.")
    rpm: Count | None = Field(default=None, description="Calls in a minute.")
    rph: Count | None = Field(default=None, description="Calls in an hour.")
    rpd: Count | None = Field(default=None, description="Calls in a day.")
    tpm: Count | None = Field(default=None, description="Tokens in a minute.")
    min_score: Portion | None = Field(
        default=None,
        description="Providers with a lower score, 0 to 1, are not for this tier.",
    )


class AccountsShape(Shape):
    """Accounts of users: what a new one begins with."""

    start_balance: Energy | None = Field(
        default=10_000 * MICRO,
        description="Energy of a new user; `null` for no limit.",
        json_schema_extra={"default": 10_000},
    )
    bonus_user: ShortName | None = Field(
        default=None,
        description="The id of a user whose calls are free while its balance is above `bonus_above`.",
    )
    bonus_above: Energy = Field(
        default=100_000 * MICRO,
        description="Energy above which `bonus_user` pays nothing.",
        json_schema_extra={"default": 100_000},
    )
    registration: Literal["auto", "open", "closed"] = Field(
        alias="register",
        default="auto",
        description="Who may become a user at `/api/v1/auth/register`. `open`: everybody; `closed`: admins make "
        "users; `auto`: everybody on this machine in `jwt` mode, while the sidecar listens on a loopback address and "
        "has no `listen.trusted_proxies`, else admins.",
    )
    own_keys: Literal["free", "charged"] = Field(
        default="free",
        description="What calls cost that go out with a user's own key for the provider: nothing, or the same.",
    )
    referral_bonus: Energy = Field(
        default=5_000 * MICRO,
        description="Energy for a user that brought another, and for that one. Whoever has no limit gets none.",
        json_schema_extra={"default": 5_000},
    )


class DialogsShape(Shape):
    """How much of a user's conversation is kept and sent along with a message to `/completions`. What is
    older is forgotten with the next answer.
    """

    messages: Annotated[int, Field(ge=2, le=1_000)] = Field(
        default=100, description="Messages of a dialog, questions and answers."
    )
    tokens: Count = Field(
        default=16_000,
        description="Estimated tokens of a dialog with its system message and the new message.",
    )
    waiting: Annotated[int, Field(ge=0, le=1_000)] = Field(
        default=8,
        description="Completions of one dialog that may wait for the one before them; one more is answered "
        "429.",
    )


class AudioShape(Shape):
    """What sound costs: no tokens, no margin, rounded up to whole energy."""

    per_second: Share = Field(
        default=PER_SECOND,
        description="Energy for a second of a recording that is transcribed.",
        json_schema_extra={"default": 15},
    )
    per_character: Share = Field(
        default=PER_CHARACTER,
        description="Energy for a character of a text that is spoken.",
        json_schema_extra={"default": 0.5},
    )


class EnergyShape(Shape):
    """The currency: tokens / rate * (1 + margin)."""

    margin: Share = Field(
        default=Fraction(1, 2),
        description="What is added: 0.5 is 50 %.",
        json_schema_extra={"default": 0.5},
    )
    default_rate: Rate | None = Field(
        default=None,
        description="Tokens for one unit of energy, for models that have no rate. Without it their "
        "energy is unknown (`null`) and nothing is debited.",
    )
