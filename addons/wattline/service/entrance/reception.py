"""What happens to a request before its body is read: answered here, taken as a call, or passed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from wattline.base.errors import Fault
from wattline.rules.book import Book
from wattline.rules.compiled.entrance import Cors
from wattline.service.entrance import cors as sharing
from wattline.service.entrance.addresses import FORWARDED, client_address
from wattline.service.entrance.browsers import allowed_origin, asks_first
from wattline.service.entrance.counting import OVER_REFUSED, Counting
from wattline.service.entrance.credentials import Credentials
from wattline.service.entrance.decision import Decision, RequestHead, Verdict
from wattline.service.entrance.head_check import LOOP, check_head
from wattline.service.entrance.head_refusals import HeadRefusals
from wattline.service.entrance.own_names import MAGIC_HOST, Own, is_to_us
from wattline.service.entrance.own_requests import OwnRequests
from wattline.service.entrance.passing_requests import PassingRequests
from wattline.wire.call import LOCAL
from wattline.wire.http import Headers, Use
from wattline.wire.notice import Notice


class Reception:
    """Looks at heads. Holds no state of its own: `book` gives the rules of the moment, `own` says where we listen,
    `pseudonym` is our name in `Via`.
    """

    def __init__(
        self,
        book: Callable[[], Book],
        credentials: Credentials,
        ours: OwnRequests,
        passing: PassingRequests,
        refusals: HeadRefusals,
        counting: Counting,
        *,
        own: Own,
        pseudonym: str,
    ) -> None:
        self.book = book
        self.credentials = credentials
        self.ours = ours
        self.passing = passing
        self.refusals = refusals
        self.counting = counting
        self.own = own
        self.pseudonym = pseudonym
        self.watching: Callable[[str], None] | None = None
        """Where nothing is to be changed: hears the host of each request that goes on although we can't read it."""

    def receive(self, head: RequestHead) -> Decision:
        """Decide on a request. Total: a fault becomes an answer in the dialect of the path."""
        try:
            decision = self._decide(head)
        except Fault as fault:
            if self.watching is not None and self._goes_on(head, fault):
                self.watching(head.host)
                return Decision(Verdict.PASS)
            over = frozenset() if asks_first(head) else OVER_REFUSED
            decision = Decision(Verdict.ANSWER, self.refusals.refuse(head, fault), over=over)
        book = self.book()
        if book.doors and decision.over:
            decision = self._counted(head, decision, book)
        if book.cors is not None and decision.verdict is not Verdict.PASS:
            decision = self._shared(head, decision, book.cors)
        return decision

    def connect(self, head: RequestHead) -> Decision:
        """Decide on a CONNECT, but for the address, which must be resolved first."""
        try:
            check_head(head, self.pseudonym)
            principal = self.credentials.let_in(head, proxy=True)
        except Fault as fault:
            return Decision(Verdict.ANSWER, self.refusals.refuse_connect(head, fault))
        ours = head.host == MAGIC_HOST or self.book().intercepts(head.host)
        return Decision(Verdict.PASS, principal=principal, ours=ours)

    def address(self, peer: str, use: Use, headers: Headers) -> str:
        """The client's, given the other end of its connection. What comes through a tunnel was written by the
        client itself, whoever is in front.
        """
        trusted = self.book().trusted_proxies if use is Use.REVERSE else ()
        said = [value for name, value in headers if name == FORWARDED] if trusted else ()
        return client_address(peer, said, trusted)

    def _decide(self, head: RequestHead) -> Decision:
        check_head(head, self.pseudonym)
        if is_to_us(head, self.own):
            return self.ours.decide(head)
        return self.passing.decide(head)

    def _goes_on(self, head: RequestHead, fault: Fault) -> bool:
        """It is to another host, and does not come back to us."""
        return not is_to_us(head, self.own) and fault.code != LOOP

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
        return Decision(Verdict.ANSWER, self.refusals.refuse(head, fault), notice=notice)

    def _shared(self, head: RequestHead, decision: Decision, cors: Cors) -> Decision:
        """Its answer may be read by the page that asked."""
        origin = allowed_origin(head, cors)
        if origin is None or not is_to_us(head, self.own):
            return decision
        notice = decision.notice or Notice()
        notice.headers = sharing.granted(cors, origin)
        return replace(decision, notice=notice)
