"""What happens to a request before its body is read: answered here, taken as a call, or passed on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from urllib.parse import parse_qsl

from wattline.base.clock import SystemClock
from wattline.base.errors import ClientFault, Fault, Kind, OurFault, wrong_method
from wattline.dialects.base import Dialect, Route
from wattline.dialects.likely import likely_dialect
from wattline.dialects.sockets import find_socket
from wattline.dialects.table import find, known, normalise
from wattline.engine.windows import Windows
from wattline.rules.book import Book
from wattline.rules.compiled.entrance import Cors, Limits
from wattline.service.accounts.auth import (
    authenticate,
    credential,
    shown_secret,
    still_named,
    takes_tokens,
)
from wattline.service.accounts.directory import Current, Find, Read, nobody, unchanged
from wattline.service.accounts.master import QUERY, MasterToken
from wattline.service.entrance import cors as sharing
from wattline.service.entrance.addresses import FORWARDED, client_address
from wattline.service.entrance.browsers import (
    allowed_origin,
    asks_first,
    check_browser,
    is_foreign,
    preflight,
)
from wattline.service.entrance.counting import (
    OVER_AUTH,
    OVER_CALL,
    OVER_INFERENCE,
    OVER_PAGE,
    OVER_REFUSED,
    OVER_SOCKET,
    Counting,
)
from wattline.service.entrance.decision import Decision, RequestHead, Verdict
from wattline.service.entrance.guesses import Guesses, identity
from wattline.service.entrance.head_check import LOOP, check_head
from wattline.service.entrance.local_paths import LocalRoute, local_path
from wattline.service.entrance.misdirected import misdirected
from wattline.service.entrance.pages import Pages
from wattline.service.entrance.safety import safe
from wattline.service.entrance.styles import Styles
from wattline.service.metering.counts import Counts
from wattline.wire.call import LOCAL, Operation, Principal
from wattline.wire.http import Headers, Use, Whole
from wattline.wire.notice import Notice

log = logging.getLogger("wattline.requests")

MAGIC_HOST = "wattline.local"
"""A name that every proxy user can ask: it is the sidecar itself."""

FORBIDDEN = 403

_LOCAL_NAMES = frozenset({"localhost", MAGIC_HOST})


class Reception:
    """Looks at heads. Holds no state of its own: `book` gives the rules of the moment."""

    def __init__(
        self,
        book: Callable[[], Book],
        dialects: Mapping[str, Dialect],
        pages: Pages,
        switched_off: frozenset[str] = frozenset(),
        *,
        own: Callable[[str, int], bool],
        pseudonym: str,
        knows: Callable[[Route, Principal], bool] = lambda _route, _principal: False,
        counts: Counts | None = None,
        web: bool = False,
        keys: Find = nobody,
        counting: Counting | None = None,
        guesses: Guesses | None = None,
        master: MasterToken | None = None,
        tokens: Read = nobody,
        current: Current = unchanged,
    ) -> None:
        self.book = book
        self.dialects = dialects
        self.styles = Styles(dialects)
        self.keys = keys
        self.tokens = tokens
        self.current = current
        self.counting = counting or Counting(Windows(), SystemClock())
        self.guesses = guesses or Guesses(SystemClock())
        self.master = master
        self.counts = counts or Counts()
        self.web = web
        """There is a web face."""
        self.pages = pages
        self.switched_off = switched_off
        """Families of routes that the operator closed (B-118..B-123)."""
        self.own = own
        self.pseudonym = pseudonym
        self.knows = knows
        """Whether what a lookup asks about was made through us."""
        self.watching: Callable[[str], None] | None = None
        """Where nothing is to be changed: hears the host of each request that goes on although we can't read it."""

    @property
    def limits(self) -> Limits:
        """The bounds in force."""
        return self.book().limits

    def receive(self, head: RequestHead) -> Decision:
        """Decide on a request. Total: a fault becomes an answer in the dialect of the path."""
        try:
            decision = self._receive(head)
        except Fault as fault:
            if self.watching is not None and self._goes_on(head, fault):
                self.watching(head.host)
                return Decision(Verdict.PASS)
            self._note(head, fault)
            over = frozenset() if asks_first(head) else OVER_REFUSED
            decision = Decision(Verdict.ANSWER, self._refusal(head, fault), over=over)
        book = self.book()
        if book.doors and decision.over:
            decision = self._counted(head, decision, book)
        if book.cors is not None and decision.verdict is not Verdict.PASS:
            decision = self._shared(head, decision, book.cors)
        return decision

    def _goes_on(self, head: RequestHead, fault: Fault) -> bool:
        """It is to another host, and does not come back to us."""
        return not self._is_to_us(head) and fault.code != LOOP

    def address(self, peer: str, use: Use, headers: Headers) -> str:
        """The client's, given the other end of its connection. What comes through a tunnel was written by the
        client itself, whoever is in front.
        """
        trusted = self.book().trusted_proxies if use is Use.REVERSE else ()
        said = [value for name, value in headers if name == FORWARDED] if trusted else ()
        return client_address(peer, said, trusted)

    def page_refused(self, head: RequestHead, principal: Principal | None, status: int) -> None:
        """A page answered 401 or 403. If a credential was shown in the head, beside the key that says who calls,
        it was wrong; pages count passwords.
        """
        if status == FORBIDDEN and principal is LOCAL:
            said = self._masters(head)  # what clients of open mode send as a key is nobody's guess
        else:
            said = self._unproved(head, principal)
        if said:
            self.guesses.failed(self.book().auth, head.peer, said)

    def _counted(self, head: RequestHead, decision: Decision, book: Book) -> Decision:
        """Refused when a window over requests has no place for it."""
        caller = decision.principal or (LOCAL if book.auth.mode == "open" else None)
        fault, standing = self.counting.count(book.doors, decision.over, head.peer, caller)
        if standing is None:
            return decision
        notice = decision.notice or Notice()
        notice.stand(standing)
        if fault is None:
            return replace(decision, notice=notice)
        self._note(head, fault)
        return Decision(Verdict.ANSWER, self._refusal(head, fault), notice=notice)

    def _note(self, head: RequestHead, fault: Fault) -> None:
        target = f"{head.host}:{head.port}" if head.method == "CONNECT" else head.path
        self.refused(head.id, head.method, target, fault)

    def refused(self, request_id: str, method: str, path: str, fault: Fault) -> None:
        """Count and log a request that was not taken, be it for its head or its body."""
        self.counts.refused(fault)
        _log_refusal(request_id, method, path, fault)

    def _shared(self, head: RequestHead, decision: Decision, cors: Cors) -> Decision:
        """Its answer may be read by the page that asked."""
        origin = allowed_origin(head, cors)
        if origin is None or not self._is_to_us(head):
            return decision
        notice = decision.notice or Notice()
        notice.headers = sharing.granted(cors, origin)
        return replace(decision, notice=notice)

    def connect(self, head: RequestHead) -> Decision:
        """Decide on a CONNECT, but for the address, which must be resolved first."""
        try:
            check_head(head, self.pseudonym)
            principal = self._let_in(head, proxy=True)
        except Fault as fault:
            self._note(head, fault)
            return Decision(Verdict.ANSWER, self.render(fault, head.id))
        ours = head.host == MAGIC_HOST or self.book().intercepts(head.host)
        return Decision(Verdict.PASS, principal=principal, ours=ours)

    def render(self, fault: Fault, request_id: str) -> Whole:
        """A fault where no dialect is known yet: OpenAI's shape."""
        return self.dialects["openai"].error(fault, request_id)

    def internal_error(self) -> Whole:
        """The answer when our own code failed: nothing was sent upstream."""
        fault = OurFault("wattline failed on this request; nothing was sent to a provider.")
        return safe(self.render(fault, ""))

    def forbidden(self, head: RequestHead, reason: str) -> Whole:
        """The answer for a destination that the policy refuses."""
        fault = ClientFault(reason, status=403, code="forbidden_destination", kind=Kind.PERMISSION)
        self._note(head, fault)
        return self.render(fault, head.id)

    def _refusal(self, head: RequestHead, fault: Fault) -> Whole:
        local = self._local(head) if self._is_to_us(head) else None
        if local is not None and not find("POST", head.host, local[0], forward=False):
            return safe(self.styles.render(local[1].style, fault, head.id))
        return safe(self._dialect(head).error(fault, head.id))

    def _local(self, head: RequestHead) -> tuple[str, LocalRoute] | None:
        return local_path(head.path) if self.web else None

    def _is_to_us(self, head: RequestHead) -> bool:
        return head.use is Use.REVERSE or head.host == MAGIC_HOST or self.own(head.host, head.port)

    def _dialect(self, head: RequestHead) -> Dialect:
        """That of the path, as far as one can tell."""
        path = normalise(head.path)
        forward = head.use is Use.FORWARD and not self.own(head.host, head.port)
        route = None
        if path:
            route = find(head.method, head.host, path, forward=forward)
            route = route or find("POST", head.host, path, forward=forward)
        name = route.dialect if route is not None else likely_dialect(head.path)
        return self.dialects[name]

    def _receive(self, head: RequestHead) -> Decision:
        check_head(head, self.pseudonym)
        if self._is_to_us(head):
            return self._to_us(head)
        principal = head.principal or self._let_in(head, proxy=True)
        if not self.book().intercepts(head.host):
            return Decision(Verdict.PASS)
        path = normalise(head.path)
        if self._upgrades(head):
            socket = self._socket(head, path, forward=True)
            if socket is None or is_foreign(head):
                return Decision(Verdict.PASS)
            return self._call(socket, principal, Verdict.SOCKET)
        route = find(head.method, head.host, path, forward=True) if path else None
        if route is None or is_foreign(head):
            return Decision(Verdict.PASS)
        if route.operation is Operation.LOOKUP and not self.knows(route, principal):
            return Decision(
                Verdict.PASS
            )  # made without us: its host knows it, and its client's key
        return self._call(route, principal)

    def _socket(self, head: RequestHead, path: str | None, *, forward: bool) -> Route | None:
        if path is None or head.method != "GET" or not self._upgrades(head):
            return None
        return find_socket(head.host, path, forward=forward)

    def _to_us(self, head: RequestHead) -> Decision:
        if self.book().auth.mode == "open":
            self._check_host(head)
        page = self.pages.answer(head.method, head.path.partition("?")[0])
        if page is not None:
            return Decision(Verdict.ANSWER, page)
        cors = self.book().cors
        if cors is not None and (allowed := preflight(head, cors)) is not None:
            return Decision(Verdict.ANSWER, allowed)
        check_browser(head, cors)
        path = normalise(head.path)
        socket = self._socket(head, path, forward=False)
        route = socket or (find(head.method, head.host, path, forward=False) if path else None)
        if route is None and (wrong := misdirected(head.method, head.path)) is not None:
            raise wrong
        if route is None and (local := self._local(head)) is not None:
            return self._page(head, *local)
        if path is None:
            raise ClientFault(
                "The path has '..', '//', an encoded slash or another form that could be read in two "
                "ways. Send it plain, for example /v1/chat/completions.",
                code="ambiguous_path",
            )
        if route is None:
            raise self._no_route(head.method, path)
        if route.switch in self.switched_off:
            raise _switched_off(path)
        principal = head.principal or self._let_in(head, proxy=False)
        return self._call(route, principal, Verdict.CALL if socket is None else Verdict.SOCKET)

    def _page(self, head: RequestHead, path: str, route: LocalRoute) -> Decision:
        """To the web face, which asks for a credential where it needs one."""
        if not self.switched_off.isdisjoint(route.switches):
            raise _switched_off(path)
        if head.method not in route.methods:
            methods = " or ".join(sorted(route.methods - {"HEAD"}))
            raise wrong_method(f"{path[:200]} takes {methods}, not {head.method}.", route.methods)
        fault = ClientFault(
            f"The body is larger than {route.body_limit} bytes, which is all that {path[:200]} takes.",
            status=413,
            code="body_too_large",
            kind=Kind.TOO_LARGE,
        )
        principal = self._known(head)
        self._check_guess(head, principal, route)
        over = OVER_SOCKET if self._upgrades(head) else OVER_AUTH if route.auth else OVER_PAGE
        return Decision(
            Verdict.LOCAL,
            principal=principal,
            body_limit=route.body_limit,
            too_large=fault,
            style=route.style,
            over=over,
        )

    def _check_guess(
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
        if said and principal is None and self._upgrades(head):
            self.guesses.wrong(auth, head.peer, said)  # no answer will say so
        elif said or (route.auth and not known):
            self.guesses.refuse(auth, head.peer)

    def _unproved(self, head: RequestHead, principal: Principal | None) -> list[str]:
        """What it shows that is not the key which says who calls: a master token, or nothing that we know."""
        said, secret = self._masters(head), shown_secret(head)
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

    @staticmethod
    def _masters(head: RequestHead) -> list[str]:
        """What the query shows as the master token."""
        query = head.path.partition("?")[2]
        return [value for name, value in parse_qsl(query) if name == QUERY] if query else []

    def _let_in(self, head: RequestHead, *, proxy: bool) -> Principal:
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

    def _authenticate(self, head: RequestHead, *, proxy: bool) -> Principal:
        auth = self.book().auth
        return authenticate(auth, head, proxy=proxy, find=self.keys, read=self.tokens)

    def _known(self, head: RequestHead) -> Principal | None:
        if head.principal is not None:
            return self._still(head.principal)
        try:
            return self._authenticate(head, proxy=False)
        except ClientFault:
            return None

    def _still(self, principal: Principal) -> Principal | None:
        """Whom the connection belongs to, unless the key was taken back since, or the token has ended."""
        if principal.session is not None:
            return self.current(principal) if takes_tokens(self.book().auth) else None
        if principal.key is None:
            return still_named(self.book().auth, principal)
        if principal.hashed is None:
            return principal
        return self.keys(principal.hashed)

    def _check_host(self, head: RequestHead) -> None:
        """A page whose own name was made to point to this machine (DNS rebinding) still says that
        name. In open mode nothing but the name tells it from a client of ours.
        """
        host = head.host.removeprefix("[").removesuffix("]")
        ours = (
            host in _LOCAL_NAMES or host == self.book().listen.host or host.endswith(".localhost")
        )
        if not ours and not _is_address(host) and not self.book().intercepts(host):
            raise ClientFault(
                f"{host[:100]!r} is not a name of this sidecar. Use its address, localhost or "
                f"{MAGIC_HOST}, or set `auth: {{mode: keys}}` in rules.yaml.",
                status=421,
                code="unknown_host",
            )

    def _call(
        self, route: Route, principal: Principal, verdict: Verdict = Verdict.CALL
    ) -> Decision:
        limits = self.limits
        bound, field = (
            (limits.json_bytes, "json_bytes")
            if route.json
            else (limits.upload_bytes, "upload_bytes")
        )
        fault = ClientFault(
            f"The body is larger than {bound} bytes (rules.yaml: limits.{field}).",
            status=413,
            code="body_too_large",
            kind=Kind.TOO_LARGE,
        )
        if verdict is Verdict.SOCKET:
            over = OVER_SOCKET
        else:
            over = OVER_INFERENCE if route.dialect == "inference" else OVER_CALL
        return Decision(
            verdict,
            route=route,
            principal=principal,
            body_limit=bound,
            too_large=fault,
            spool=not route.json,
            over=over,
            notice=Notice() if self.book().windows_over(principal.tier) else None,
        )

    def _no_route(self, method: str, path: str) -> ClientFault:
        nearest = known(path)
        if nearest == path:
            return wrong_method(f"{path} takes POST, not {method}.", ("POST",))
        hint = f" Did you mean {nearest}?" if nearest else ""
        if path.startswith("/v1/v1/"):
            hint = " /v1 is in it twice: leave it out of the base URL."
        return ClientFault(
            f"There is no {path[:200]!r} here.{hint}",
            status=404,
            code="unknown_path",
            kind=Kind.NOT_FOUND,
        )

    @staticmethod
    def _upgrades(head: RequestHead) -> bool:
        return any("websocket" in value.lower() for value in head.all("upgrade"))


def _log_refusal(request_id: str, method: str, path: str, fault: Fault) -> None:
    log.info(
        "%(request_id)s refused: %(method)s %(path)s %(status)s %(code)s",
        {
            "request_id": request_id,
            "method": method,
            "path": path.partition("?")[0][:100],
            "status": fault.status,
            "code": fault.code,
        },
    )


def _switched_off(path: str) -> ClientFault:
    return ClientFault(
        f"There is no {path[:200]!r} here: its routes are switched off.",
        status=404,
        code="unknown_path",
        kind=Kind.NOT_FOUND,
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
