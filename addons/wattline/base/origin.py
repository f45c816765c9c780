"""Origins, and the credentials that belong to exactly one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Origin(NamedTuple):
    """Where a connection goes: scheme, lower-case host, port."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = {"http": 80, "https": 443}.get(self.scheme)
        return f"{self.scheme}://{host}" + ("" if self.port == default else f":{self.port}")


class AuthStyle(StrEnum):
    """The header in which a provider expects its key."""

    BEARER = "bearer"
    X_API_KEY = "x-api-key"
    X_GOOG_API_KEY = "x-goog-api-key"
    NONE = "none"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Credential:
    """A provider's key, bound to the origin that may see it."""

    origin: Origin
    style: AuthStyle
    secret: str = field(repr=False)

    def header(self) -> tuple[str, str]:
        """The header that carries it."""
        if self.style is AuthStyle.BEARER:
            return "authorization", f"Bearer {self.secret}"
        return self.style.value, self.secret
