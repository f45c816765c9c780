"""Ids of keys as lines of the log have them, where `API_KEY_HASH_SECRET` is set (B-135).

An id is no secret, but who reads a log and the ledger could tell whose line is whose. Under a keyed hash the
lines of one key still belong together, and only who knows the secret can tell which key it is.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Final, Self

VARIABLE: Final = "API_KEY_HASH_SECRET"
_ID: Final = re.compile(r"\bkey_[0-9A-Za-z]{8,64}\b")


class KeyHash:
    """`hide` replaces ids in a text."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode("utf-8", "surrogateescape")

    def __repr__(self) -> str:
        return "<KeyHash>"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self | None:
        """That of the environment; None when it has none."""
        secret = env.get(VARIABLE, "")
        return cls(secret) if secret else None

    def hide(self, text: str) -> str:
        """`text` with `keyhash_…` in place of each id of a key."""
        return _ID.sub(self._hashed, text) if "key_" in text else text

    def _hashed(self, found: re.Match[str]) -> str:
        digest = hmac.digest(self._secret, found[0].encode(), "sha256")
        return f"keyhash_{digest.hex()[:12]}"
