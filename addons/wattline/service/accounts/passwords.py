"""Passwords as Argon2id hashes (RFC 9106), a few at a time and never in the event loop."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from wattline.base.errors import ClientFault, Kind, OurFault

LEAST: Final = 8
MOST: Final = 1_024
"""Characters of a password."""
AT_ONCE: Final = 2
"""Hashes computed at one time: each takes some 20 MB of memory and a core."""
WAITING: Final = 32
"""Requests that may wait for their turn; more are told to come back."""


def current_hasher() -> PasswordHasher:
    """Argon2id with 19 MiB, two passes, one lane: the least that OWASP's cheat sheet on password storage
    names (https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html).
    """
    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class Passwords:
    """Hashes and verifies."""

    def __init__(
        self,
        hasher: PasswordHasher | None = None,
        *,
        at_once: int = AT_ONCE,
        waiting: int = WAITING,
    ) -> None:
        self._hasher = hasher or current_hasher()
        self._slots = asyncio.Semaphore(at_once)
        self._room = at_once + waiting
        self._dummy: str | None = None

    async def hash(self, password: str) -> str:
        """What is kept of a password. Raises OurFault 503 when too many wait."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, kept: str | None, password: str) -> bool:
        """Whether this is the password. With None, for a user that there is not, it takes as long.

        Raises OurFault 503 when too many wait.
        """
        return await self._run(lambda: self._verify(kept, password))

    def outdated(self, kept: str) -> bool:
        """It was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str | None, password: str) -> bool:
        if self._dummy is None:
            self._dummy = self._hasher.hash(secrets.token_hex(16))
        try:
            self._hasher.verify(kept or self._dummy, password)
        except (VerificationError, InvalidHashError):
            return False
        return kept is not None

    async def _run[T](self, work: Callable[[], T]) -> T:
        if self._room <= 0:
            raise OurFault(
                "Too many logins are under way.",
                status=503,
                code="too_many_logins",
                kind=Kind.UNAVAILABLE,
                retry_after=1,
            )
        self._room -= 1
        try:
            async with self._slots:
                return await asyncio.to_thread(work)
        finally:
            self._room += 1


def read_password(text: str, field: str = "password") -> str:
    """A new password in its normal form (RFC 8265). Raises ClientFault, which never holds it."""
    password = normal(text)
    if len(password) < LEAST:
        raise _bad(f"A password has at least {LEAST} characters.", field)
    if len(set(password)) < 4:
        raise _bad("This password follows a pattern that can be guessed.", field)
    return password


def normal(text: str) -> str:
    """One form for what keyboards write in several."""
    return unicodedata.normalize("NFC", text)


def _bad(message: str, field: str) -> ClientFault:
    return ClientFault(message, code="weak_password", param=field)
