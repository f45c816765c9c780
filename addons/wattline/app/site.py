"""What our own pages are made of, and the face that serves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattline.app.parts import Parts
from wattline.proxy.local import LOOPBACK
from wattline.service.accounts.key_check import check_key
from wattline.service.accounts.logins import Logins
from wattline.service.accounts.passwords import Passwords
from wattline.service.accounts.referrals import Referrals
from wattline.service.accounts.user_tokens import UserTokens
from wattline.service.dialogs.completions import Completions
from wattline.service.dialogs.dialogs import Dialogs
from wattline.service.entrance.switches import switched_off
from wattline.service.line_log import LineLog
from wattline.service.metering.statistics import Statistics
from wattline.service.offers.offers import Offers, offers_log
from wattline.service.offers.policy import OfferPolicy, error_lines
from wattline.web.admin.parts import AdminParts
from wattline.web.assistant.parts import AssistantParts
from wattline.web.gateway.parts import GatewayParts
from wattline.web.metrics.gauges import Gauges, MetricsParts
from wattline.web.parts import Control
from wattline.web.parts import Parts as WebParts
from wattline.web.server import WebFace
from wattline.web.site import load_site
from wattline.web.ws.parts import ChatParts
from wattline.web.ws.policy import SocketPolicy


@dataclass(frozen=True, slots=True, repr=False)
class Site:
    """Makes the face of our pages out of all that they ask. `gauges` is how it is at this moment."""

    parts: Parts
    offers: Offers
    gauges: Callable[[], Gauges]

    async def open(self) -> WebFace:
        """Listen. Raises SettingsError, OSError."""
        ground, entrance = self.parts.ground, self.parts.entrance
        policy = SocketPolicy.from_env(ground.settings.env)
        made = self._made(policy)
        web = WebFace(
            lambda: load_site(made),
            entrance.refusals.styles,
            entrance.visits,
            policy.heartbeat,
            once=self.parts.calls.once,
            master=self.parts.callers.master,
            clock=ground.clock,
        )
        ground.exit.push_async_callback(web.stop)
        ground.secrets.add(lambda: (web.secret,))
        await web.start()
        ground.listeners.add(LOOPBACK, web.port)
        entrance.local.open(web.port, web.secret)
        return web

    def _made(self, policy: SocketPolicy) -> WebParts:
        return WebParts(
            self.parts.entrance.refusals.styles,
            self.parts.catalog,
            self._chats(policy),
            MetricsParts(self.parts.records.settlement.counts, self.gauges),
            self.control(),
            admin=self.admin(),
            assistant=self._assistant(),
            gateway=self._gateway(),
        )

    def _chats(self, policy: SocketPolicy) -> ChatParts:
        return ChatParts(
            self.parts.calls.answers,
            self.parts.ground.book,
            self.parts.callers.directory.find,
            self.parts.ground.clock,
            policy,
            tokens=self.parts.callers.sessions.find,
            guesses=self.parts.entrance.guesses,
            current=self.parts.callers.directory.current,
            admin="admin" not in switched_off(self.parts.ground.settings.env),
        )

    def control(self) -> Control:
        """For the pages of accounts and operators."""
        ground, callers = self.parts.ground, self.parts.callers
        return Control(
            callers.accounts, ground.book, ground.clock, callers.master, ground.settings.env
        )

    def admin(self) -> AdminParts:
        """For the pages of admins."""
        ground, memory = self.parts.ground, self.parts.memory
        return AdminParts(
            catalog=self.parts.catalog,
            view=memory.view,
            parking=memory.parking,
            statistics=Statistics(ground.ledger_file, ground.clock),
            errors=self.parts.records.errors,
            offers=self.offers,
            started=ground.clock.monotonic(),
            error_lines=error_lines(ground.settings.env),
            prompt_caches=memory.diagnosis.told,
        )

    def _assistant(self) -> AssistantParts:
        ground, accounts = self.parts.ground, self.parts.callers.accounts
        tokens, dialogs = UserTokens(accounts), Dialogs(ground.ledger.dialogs, ground.clock)
        return AssistantParts(
            accounts,
            tokens,
            Referrals(ground.ledger.referrals, accounts, tokens, ground.book),
            dialogs,
            Completions(self.parts.calls.answers, dialogs, ground.book),
            self.parts.callers.master,
        )

    def _gateway(self) -> GatewayParts:
        """Logins, users' own keys, health and the audit trail."""
        ground, guesses = self.parts.ground, self.parts.entrance.guesses
        return GatewayParts(
            self._logins(),
            self.parts.callers.own_keys,
            lambda provider, key: check_key(provider, key, ground.upstream, ground.pseudonym),
            ground.ledger_file,
            lambda: ground.ledger.down,
            lambda peer: guesses.failed(ground.book().auth, peer),
        )

    def _logins(self) -> Logins:
        ground, callers = self.parts.ground, self.parts.callers
        return Logins(
            callers.accounts,
            Passwords(),
            callers.tokens,
            callers.sessions,
            ground.book,
            ground.address.is_local,
        )


def make_site(parts: Parts, gauges: Callable[[], Gauges]) -> Site:
    """Raises SettingsError."""
    return Site(parts, _offers(parts), gauges)


def _offers(parts: Parts) -> Offers:
    ground = parts.ground
    policy = OfferPolicy.from_env(ground.settings.env)
    lines = LineLog(offers_log(ground.settings.state, policy), ground.secrets)
    ground.exit.push_async_callback(lines.written)
    return Offers(
        policy, ground.ledger.offers, ground.ledger_file, parts.callers.sealing, lines, ground.clock
    )
