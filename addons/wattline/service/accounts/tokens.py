"""Tokens that say who calls until they end: JSON Web Tokens (RFC 7519), HS256 and nothing else.

Rules of this file. The algorithm is ours, never the token's. What a token says of its user is looked up
again at each use, so it holds no rights: only who, which session, since when and until when.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import jwt

from wattline.base.clock import Clock
from wattline.base.settings import SettingsError
from wattline.service.accounts.token_secret import TokenSecret
from wattline.store.people import User

ALGORITHM: Final = "HS256"
ISSUER: Final = "wattline"
AUDIENCE: Final = "wattline-api"
JWT_EXPIRY: Final = "JWT_EXPIRY"
MAX_TOKEN: Final = 2_048
"""Characters. Ours have about 300."""
LONGEST: Final = 30 * 86_400
"""Seconds from a login to the end of the last token that can be had by `refresh`."""
AHEAD: Final = 60
"""Seconds that the clock of a token may be ahead of ours."""
_SPAN = re.compile(r"([0-9]{1,7})([smhd]?)")
_UNITS: Mapping[str, int] = MappingProxyType({"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400})
_CLAIMS = ("iss", "aud", "sub", "iat", "exp", "jti")
_NUMBERS = ("ses", "iat", "exp", "beg")
_UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a token counts: seconds, and as the operator wrote it."""

    seconds: int = 86_400
    text: str = "24h"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Lifetime:
        """`JWT_EXPIRY`: seconds, or a number with s, m, h or d. Raises SettingsError."""
        text = env.get(JWT_EXPIRY, "").strip()
        if not text:
            return cls()
        found = _SPAN.fullmatch(text)
        seconds = int(found[1]) * _UNITS[found[2]] if found else 0
        if not 60 <= seconds <= LONGEST:
            raise SettingsError(
                f"{JWT_EXPIRY} is {text[:40]!r}; it must be from 1m to 30d, for example 24h"
            )
        return cls(seconds, text)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says. Times are Unix seconds."""

    user: str
    session: int
    """The user's, as it was then."""
    issued: int
    expires: int
    began: int
    """When the user proved its password; a refreshed token keeps it."""


class Tokens:
    """Makes and reads them."""

    def __init__(self, secret: TokenSecret, clock: Clock, lifetime: Lifetime | None = None) -> None:
        self.lifetime = lifetime or Lifetime()
        self._secret = secret
        self._clock = clock

    def issue(self, user: User, began: int | None = None) -> str:
        """A token for a user, from now on. `began` is that of the token which it takes the place of.

        Raises SettingsError when a secret must be made and can't be.
        """
        now = int(self._clock.wall())
        since = now if began is None else began
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user.id,
            "iat": now,
            "exp": min(now + self.lifetime.seconds, since + LONGEST),
            "jti": secrets.token_hex(12),
            "ses": user.session,
            "beg": since,
        }
        return jwt.encode(claims, self._secret.need(), algorithm=ALGORITHM)

    def read(self, token: str) -> Claims | None:
        """What a token of ours says; None for any other text, and for one that has ended."""
        claims = self.said(token)
        return claims if claims is not None and self.counts(claims) else None

    def said(self, token: str) -> Claims | None:
        """As `read`, also for one that has ended."""
        secret = self._secret.known
        if secret is None or len(token) > MAX_TOKEN or not token.isascii():
            return None
        try:
            said = jwt.decode(
                token,
                secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # Times are ours to compare: with the sidecar's clock, not with the machine's.
                options={
                    "require": list(_CLAIMS),
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "strict_aud": True,
                },
            )
        except _UNREADABLE:
            return None
        return _claims(said)

    def counts(self, claims: Claims) -> bool:
        """It has begun and not ended."""
        now = self._clock.wall()
        return claims.issued - AHEAD <= now < claims.expires


def looks_like_token(secret: str) -> bool:
    """By its shape: three parts, the first a JSON object in base64. No key of ours has it."""
    return secret.startswith("eyJ") and secret.count(".") == 2


def _claims(said: Mapping[str, Any]) -> Claims | None:
    user = said.get("sub")
    numbers = [value for name in _NUMBERS if type(value := said.get(name)) is int]
    if not isinstance(user, str) or len(numbers) < len(_NUMBERS):
        return None
    return Claims(user, *numbers)
