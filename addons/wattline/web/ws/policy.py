"""How many connections there may be at `/ws`, and how they are kept alive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wattline.base.settings import SettingsError

_MOST: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SocketPolicy:
    """`connections` open at one time, `per_minute` new ones of each address (None: as rules.yaml says, else the
    usual), `heartbeat` in seconds.
    """

    connections: int = 1_000
    per_minute: int | None = None
    heartbeat: float = 30.0

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> SocketPolicy:
        """`WS_MAX_CONNECTIONS` (D-027), `WS_HEARTBEAT_INTERVAL` in milliseconds (D-028) and
        `WS_CONNECTIONS_PER_MINUTE` (D-080). Raises SettingsError.
        """
        usual = cls()
        return cls(
            connections=_number(env, "WS_MAX_CONNECTIONS", usual.connections, 1),
            per_minute=_number(env, "WS_CONNECTIONS_PER_MINUTE", 0, 1) or None,
            heartbeat=_number(env, "WS_HEARTBEAT_INTERVAL", round(usual.heartbeat * 1000), 50)
            / 1000,
        )


def _number(env: Mapping[str, str], name: str, usual: int, least: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return usual
    if text.isascii() and text.isdigit() and least <= int(text[:12]) <= _MOST:
        return int(text[:12])
    raise SettingsError(f"{name} is {text[:40]!r}; it must be a whole number of at least {least}")
