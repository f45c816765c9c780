"""Who a token is: what it says, compared with its user as that is now.

A token that was read is known by its full SHA-256 until it ends, so that its signature is checked once. Its
user is looked up at each use: one who was disabled, or took another password, is out at once.
"""

from __future__ import annotations

from typing import Final

from cachetools import LRUCache

from wattline.base.ids import hash_secret
from wattline.service.accounts.directory import Directory
from wattline.service.accounts.tokens import Claims, Tokens, looks_like_token
from wattline.wire.call import Principal

KEPT: Final = 4_096
"""Tokens that are known without reading them again: those used last."""


class Sessions:
    """Finds principals by their tokens."""

    def __init__(self, tokens: Tokens, directory: Directory, kept: int = KEPT) -> None:
        self._tokens, self._directory = tokens, directory
        self._known: LRUCache[str, Claims] = LRUCache(kept)

    def __len__(self) -> int:
        return len(self._known)

    def find(self, token: str) -> Principal | None:
        """Who sent this token; None when it is no valid one."""
        hashed = hash_secret(token)
        claims = self._known.get(hashed)
        if claims is None:
            claims = self._tokens.read(token)
            if claims is None:
                return None
            self._known[hashed] = claims
        elif not self._tokens.counts(claims):
            del self._known[hashed]
            return None
        return self._directory.session(
            claims.user, claims.session, expires=claims.expires * 1000, hashed=hashed
        )

    def issued(self, token: str) -> bool:
        """We made this token, be it that it has ended."""
        return looks_like_token(token) and self._tokens.said(token) is not None

    def claims(self, token: str) -> Claims | None:
        """What a valid token says; None when it is none, or its user may not use it any more."""
        return self._tokens.read(token) if self.find(token) is not None else None
