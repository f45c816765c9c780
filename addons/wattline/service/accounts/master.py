"""The master token: what lets an operator manage tokens before there is any admin's key (A-130)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Self

from wattline.base.ids import hash_secret
from wattline.base.settings import SettingsError
from wattline.base.strength import why_weak
from wattline.service.accounts.sealing import SECRET_KEY, key_texts
from wattline.service.accounts.token_secret import JWT_SECRET

ADMIN_FIRST = "ADMIN_FIRST"
DEFAULT_ADMIN_KEY = "DEFAULT_ADMIN_API_KEY"
QUERY = "masterToken"
"""Where clients of the first gateway send the master token (A-130)."""


class MasterToken:
    """Known by its hash alone. It is no caller's key: no model can be called with it."""

    def __init__(self, secret: str) -> None:
        self._hashed = hash_secret(secret)

    def __repr__(self) -> str:
        return "<MasterToken>"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self | None:
        """That of `ADMIN_FIRST`; None when it is not set. Raises SettingsError for one that is empty or
        could be guessed.
        """
        secret = env.get(ADMIN_FIRST)
        if secret is None:
            return None
        refuse_weak(ADMIN_FIRST, secret)
        return cls(secret)

    def matches(self, secret: str | None) -> bool:
        """`secret` is the token."""
        # The hashes are of one length and nobody chooses them, but this costs nothing and is plain to see.
        return secret is not None and hmac.compare_digest(hash_secret(secret), self._hashed)


def operator_secrets(env: Mapping[str, str]) -> list[str]:
    """What the environment lets an operator in with, signs and seals with, and no log line may show."""
    names = (ADMIN_FIRST, DEFAULT_ADMIN_KEY, JWT_SECRET, SECRET_KEY)
    # A variable may hold several keys, each of them a secret by itself.
    return [*(env[name] for name in names if env.get(name)), *key_texts(env.get(SECRET_KEY, ""))]


def refuse_weak(variable: str, secret: str) -> None:
    """Raises SettingsError, which never holds the secret."""
    reason = why_weak(secret)
    if reason is not None:
        raise SettingsError(
            f"{variable} can't be used: {reason}. Take a random one, for example from "
            "`openssl rand -hex 16`, or leave the variable out"
        )
