"""Users with a password: how one becomes a user, and what it gets a token for.

An unknown e-mail address and a wrong password have one answer and take one time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from wattline.base.errors import ClientFault, Kind, OurFault
from wattline.base.settings import SettingsError
from wattline.rules.book import Book
from wattline.service.accounts.accounts import Accounts
from wattline.service.accounts.auth import takes_tokens
from wattline.service.accounts.passwords import MOST, Passwords, normal, read_password
from wattline.service.accounts.sessions import Sessions
from wattline.service.accounts.tokens import Tokens
from wattline.store.base import BadRow, LedgerDown
from wattline.store.people import User

log = logging.getLogger("wattline.tokens")


@dataclass(slots=True)
class Logins:
    """`book` gives the rules of the moment, `on_loopback` tells whether only this machine reaches us."""

    accounts: Accounts
    passwords: Passwords
    tokens: Tokens
    sessions: Sessions
    book: Callable[[], Book]
    on_loopback: Callable[[], bool]

    def open_to(self, *, near: bool) -> bool:
        """Whoever comes may become a user; `near`: a program of this machine, as far as one can tell."""
        book = self.book()
        if book.accounts.registration == "auto":
            alone = self.on_loopback() and not book.trusted_proxies
            return book.auth.mode == "jwt" and alone and near
        return book.accounts.registration == "open"

    async def register(
        self,
        email: str,
        password: str,
        name: str,
        *,
        admin: bool,
        near: bool = False,
        tier: str | None = None,
    ) -> User:
        """A new user. `near`: the request came from this machine, and through no proxy. Raises ClientFault 400,
        403 (only an `admin` may), 409 (the address is taken); OurFault 503.
        """
        self.need_tokens()
        if not (admin or self.open_to(near=near)):
            raise ClientFault(
                "Registration is closed here: an admin makes users.",
                status=403,
                code="registration_closed",
                kind=Kind.PERMISSION,
            )
        self.accounts.check_tier(tier)
        password = read_password(password)
        if self._find(email) is not None:
            raise ClientFault(
                "There is a user with this e-mail address already.",
                status=409,
                code="email_exists",
                param="email",
            )
        hashed = await self.passwords.hash(password)
        return await self.accounts.create_user(name=name, email=email, password=hashed, tier=tier)

    async def login(self, email: str, password: str) -> str:
        """A token. Raises ClientFault 401 for a wrong address or password or a disabled user; OurFault 503."""
        self.need_tokens()
        user = await self._proven(self._find(email), password)
        if user is None:
            raise ClientFault(
                "The e-mail address or the password is wrong.",
                status=401,
                code="invalid_credentials",
                kind=Kind.AUTHENTICATION,
            )
        return self.issue(user)

    def refresh(self, token: str | None) -> str:
        """A new token for one that is still valid. Raises ClientFault 401."""
        self.need_tokens()
        claims = self.sessions.claims(token) if token else None
        user = self.accounts.store.user(claims.user) if claims is not None else None
        if claims is None or user is None:
            raise ClientFault(
                "A valid token is needed in Authorization: Bearer. Log in again.",
                status=401,
                code="invalid_token",
                kind=Kind.AUTHENTICATION,
            )
        return self.issue(user, claims.began)

    async def change_password(self, user: User, current: str, new: str) -> str:
        """Another password, which ends all tokens; a new one of them. Raises ClientFault, OurFault 503."""
        self.need_tokens()
        new = read_password(new, "newPassword")
        if await self._proven(user, current) is None:
            raise ClientFault(
                "The current password is wrong.",
                status=403,
                code="invalid_credentials",
                kind=Kind.PERMISSION,
                param="currentPassword",
            )
        return self.issue(await self._set(user, new))

    async def reset_password(self, email: str, new: str) -> User:
        """Another password for somebody, by an admin. Raises ClientFault, OurFault 503."""
        self.need_tokens()
        new = read_password(new, "newPassword")
        user = self._find(email)
        if user is None:
            raise ClientFault(
                "There is no user with this e-mail address.",
                status=404,
                code="user_not_found",
                kind=Kind.NOT_FOUND,
                param="email",
            )
        return await self._set(user, new)

    def issue(self, user: User, began: int | None = None) -> str:
        """A token for a user as it is. Raises OurFault."""
        try:
            return self.tokens.issue(user, began)
        except SettingsError as error:
            log.error("%s", error)  # noqa: TRY400  (the operator's, not a bug)
            raise OurFault("No token can be signed here. The log says why.", status=503) from error

    def need_tokens(self) -> None:
        """Raises ClientFault 403 where tokens let nobody in."""
        if not takes_tokens(self.book().auth):
            raise ClientFault(
                "Tokens are not taken here: `auth: {mode: keys}` in rules.yaml lets keys in alone.",
                status=403,
                code="tokens_not_taken",
                kind=Kind.PERMISSION,
            )

    async def _proven(self, user: User | None, password: str) -> User | None:
        """The user, if this is its password and nothing changed while that was found out."""
        kept = user.password if user is not None and user.disabled is None else None
        right = await self.passwords.verify(kept, normal(password[:MOST]))
        if user is None or kept is None or not right or len(password) > MOST:
            return None
        if self.passwords.outdated(kept):
            await self._rehash(user.id, kept, normal(password))
        now = self.accounts.store.user(user.id)
        return now if now is not None and now.session == user.session else None

    async def _rehash(self, user: str, before: str, password: str) -> None:
        try:
            after = await self.passwords.hash(password)
            await self.accounts.store.rehash(user, before, after)
        except (BadRow, LedgerDown, OurFault) as error:
            log.warning("the password of %s keeps its older hash: %s", user, error)

    async def _set(self, user: User, password: str) -> User:
        hashed = await self.passwords.hash(password)
        return await self.accounts.change_user(user.id, password=hashed)

    def _find(self, email: str) -> User | None:
        return self.accounts.store.user_by_email(email.strip())
