"""What may be offered, and how often: settings of the environment (B-137 to B-143)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from wattline.base.settings import SettingsError
from wattline.service.entrance.switches import is_on

OPEN = "ADMIN_KEYS_OPEN"


@dataclass(frozen=True, slots=True)
class OfferPolicy:
    """Bounds per address, of a body, and of the log. `providers` None: any."""

    open: bool = False
    """Anybody may offer; else admins only."""
    per_second: int = 5
    per_minute: int = 60
    per_day: int = 1_000
    body_bytes: int = 4_096
    providers: frozenset[str] | None = None
    log_entries: int = 1_000
    log_bytes: int = 5_242_880

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Raises SettingsError."""
        return cls(
            open=is_on(env, OPEN, default=False),
            per_second=_count(env, "ADMIN_KEYS_RATE_LIMIT_RPS", 5, 1_000_000),
            per_minute=_count(env, "ADMIN_KEYS_RATE_LIMIT_RPM", 60, 1_000_000),
            per_day=_count(env, "ADMIN_KEYS_RATE_LIMIT_RPD", 1_000, 1_000_000),
            body_bytes=_count(env, "ADMIN_KEYS_MAX_BODY_BYTES", 4_096, 65_536),
            providers=_names(env.get("ADMIN_KEYS_ALLOWED_PROVIDERS", "")),
            log_entries=_count(env, "ADMIN_KEYS_LOG_MAX_ENTRIES", 1_000, 100_000),
            log_bytes=_count(env, "ADMIN_KEYS_LOG_MAX_BYTES", 5_242_880, 1 << 30),
        )


def error_lines(env: Mapping[str, str]) -> int:
    """`ADMIN_METRICS_MAX_ERROR_LINES` (B-144). Raises SettingsError."""
    return _count(env, "ADMIN_METRICS_MAX_ERROR_LINES", 200_000, 10_000_000)


def _count(env: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:12]) <= most):
        raise SettingsError(f"{name} is {text[:40]!r}; it must be a whole number from 1 to {most}")
    return int(text[:12])


def _names(text: str) -> frozenset[str] | None:
    names = frozenset(name.strip().lower() for name in text.split(",") if name.strip())
    return names or None
