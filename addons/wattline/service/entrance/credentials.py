"""What requests show to say who calls: let in, known, or a wrong guess."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from wattline.base.errors import ClientFault
from wattline.rules.book import Book
from wattline.service.accounts.auth import (
    authenticate,
    credential,
    shown_secret,
    still_named,
    takes_tokens,
)
from wattline.service.accounts.directory import Current, Find, Read, nobody, unchanged
from wattline.service.accounts.master import QUERY, MasterToken
from wattline.service.entrance.decision import RequestHead
from wattline.service.entrance.guesses import Guesses, identity
from wattline.service.entrance.local_paths import LocalRoute
from wattline.wire.call import LOCAL, Principal

FORBIDDEN = 403


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """`keys` and `tokens` know what is not in rules.yaml; `current` is a principal as it is now."""

    book: Callable[[], Book]
    guesses: Guesses
    keys: Find = nobody
    tokens: Read = nobody
    current: Current = unchanged
    master: MasterToken | None = None

    def let_in(self, head: RequestHead, *, proxy: bool) -> Principal:
        """Who calls. Raises ClientFault 401, 407, or 429 after too many wrong credentials."""
        auth = self.book().auth
        try:
            found = self._authenticate(head, proxy=proxy)
        except ClientFault:
            if secret := credential(head, proxy=proxy):
                self.guesses.wrong(auth, head.peer, (secret,))
            raise
        if found is not LOCAL:
            self.guesses.admit(auth, head.peer, identity(found))
        return found

    def known(self, head: RequestHead) -> Principal | None:
        """Who asks for a page, which decides by itself whether it needs to know."""
        if head.principal is not None:
            return self._still(head.principal)
        try:
            return self._authenticate(head, proxy=False)
        except ClientFault:
            return None

    def check_guess(
        self, head: RequestHead, principal: Principal | None, route: LocalRoute
    ) -> None:
        """The page itself looks at credentials that we don't know. Raises ClientFault 429 where an address
        showed too many wrong ones.
        """
        auth, known = self.book().auth, principal is not None and principal is not LOCAL
        said = self._unproved(head, principal)
        if self.master is not None and any(map(self.master.matches, said)):
            self.guesses.admit(auth, head.peer, "the master token")
            return
        if principal is not None and known:
            self.guesses.admit(auth, head.peer, identity(principal))
        if said and principal is None and head.upgrades():
            self.guesses.wrong(auth, head.peer, said)  # no answer will say so
        elif said or (route.auth and not known):
            self.guesses.refuse(auth, head.peer)

    def page_refused(self, head: RequestHead, principal: Principal | None, status: int) -> None:
        """A page answered 401 or 403. If a credential was shown in the head, beside the key that says who calls,
        it was wrong; pages count passwords.
        """
        if status == FORBIDDEN and principal is LOCAL:
            said = _masters(head)  # what clients of open mode send as a key is nobody's guess
        else:
            said = self._unproved(head, principal)
        if said:
            self.guesses.failed(self.book().auth, head.peer, said)

    def _authenticate(self, head: RequestHead, *, proxy: bool) -> Principal:
        auth = self.book().auth
        return authenticate(auth, head, proxy=proxy, find=self.keys, read=self.tokens)

    def _still(self, principal: Principal) -> Principal | None:
        """Whom the connection belongs to, unless the key was taken back since, or the token has ended."""
        if principal.session is not None:
            return self.current(principal) if takes_tokens(self.book().auth) else None
        if principal.key is None:
            return still_named(self.book().auth, principal)
        if principal.hashed is None:
            return principal
        return self.keys(principal.hashed)

    def _unproved(self, head: RequestHead, principal: Principal | None) -> list[str]:
        """What it shows that is not the key which says who calls: a master token, or nothing that we know."""
        said, secret = _masters(head), shown_secret(head)
        known = principal is not None and principal is not LOCAL
        if secret and not (known and (head.principal is None or self._names(head))):
            said.append(secret)
        return said

    def _names(self, head: RequestHead) -> bool:
        """The request itself shows a valid key, whatever its connection has."""
        try:
            return self._authenticate(head, proxy=False) is not LOCAL
        except ClientFault:
            return False


def _masters(head: RequestHead) -> list[str]:
    """What the query shows as the master token."""
    query = head.path.partition("?")[2]
    return [value for name, value in parse_qsl(query) if name == QUERY] if query else []
