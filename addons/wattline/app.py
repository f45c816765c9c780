"""The only place where things are put together: settings to stores to services to addons."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib.resources
import json
import logging
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from wattline import __version__
from wattline.base.clock import Clock, SystemClock
from wattline.base.ids import new_id
from wattline.base.logs import set_level
from wattline.base.settings import Settings, SettingsError, read_settings
from wattline.base.tasks import spawn
from wattline.demo.knobs import Knobs
from wattline.demo.provider import DemoProvider
from wattline.dialects.base import Route
from wattline.dialects.follow_up import kind_of
from wattline.dialects.spoken import spoken_dialects
from wattline.engine.affinity import Affinity
from wattline.engine.health import Health
from wattline.engine.parking import Parking
from wattline.engine.prompt_cache import PromptCaches
from wattline.engine.rest import Resting
from wattline.engine.spending import Spending
from wattline.engine.view import View
from wattline.engine.windows import Windows
from wattline.proxy.ca import ensure_ca
from wattline.proxy.gate import Gate
from wattline.proxy.head import HeadLimits
from wattline.proxy.layers import Layers
from wattline.proxy.local import LOOPBACK as LOCAL_HOST
from wattline.proxy.local import LocalFace
from wattline.proxy.master import (
    EdgeMaster,
    host_patterns,
    make_options,
    settle_options,
    skip_type_checks,
    trust,
)
from wattline.proxy.parting import LAST_BYTES
from wattline.proxy.pending import Pending
from wattline.proxy.script import ScriptDoor
from wattline.proxy.stream import Edge
from wattline.proxy.tunnel import Tunnels
from wattline.proxy.tunnelled import TunnelWatch
from wattline.rules.book import Book, Subject
from wattline.rules.elsewhere import Elsewhere
from wattline.rules.listening import ListenWatch
from wattline.rules.log_choice import log_choice
from wattline.service.accounts.accounts import Accounts
from wattline.service.accounts.control import Control
from wattline.service.accounts.control_door import ControlDoor
from wattline.service.accounts.default_admin import ensure_admin
from wattline.service.accounts.directory import Directory
from wattline.service.accounts.key_check import check_key
from wattline.service.accounts.known_secrets import KnownSecrets
from wattline.service.accounts.logins import Logins
from wattline.service.accounts.master import MasterToken
from wattline.service.accounts.own_keys import OwnKeys
from wattline.service.accounts.passwords import Passwords
from wattline.service.accounts.referrals import Referrals
from wattline.service.accounts.sealing import Sealing
from wattline.service.accounts.sessions import Sessions
from wattline.service.accounts.token_secret import TokenSecret
from wattline.service.accounts.tokens import Lifetime, Tokens
from wattline.service.accounts.user_tokens import UserTokens
from wattline.service.answers import Answers
from wattline.service.attempts import Attempts
from wattline.service.caching.cache import Cache
from wattline.service.caching.caching import Caching
from wattline.service.catalog.catalog import Catalog
from wattline.service.catalog.costs import Costs
from wattline.service.catalog.inquiry import ask
from wattline.service.catalog.prices import Prices
from wattline.service.catalog.reports import Reports, refresh_seconds
from wattline.service.dialogs.completions import Completions
from wattline.service.dialogs.dialogs import Dialogs
from wattline.service.earlier import Earlier
from wattline.service.entrance.counting import Counting
from wattline.service.entrance.guesses import Guesses
from wattline.service.entrance.pages import Pages
from wattline.service.entrance.reception import Reception
from wattline.service.entrance.switches import switched_off
from wattline.service.entrance.visitor import Visits
from wattline.service.idempotency.calls import CallsOnce
from wattline.service.idempotency.once import Once
from wattline.service.importing.imports import Imports
from wattline.service.line_log import LineLog
from wattline.service.metering.error_log import MAX_BYTES, OLDER, ErrorLog, error_log_path
from wattline.service.metering.exclusions import NAME as EXCLUSIONS
from wattline.service.metering.exclusions import ExclusionsFile
from wattline.service.metering.past import heal, recall, recount, remember
from wattline.service.metering.payloads import Payloads
from wattline.service.metering.prompt_caches import Diagnosis
from wattline.service.metering.settlement import Settlement
from wattline.service.metering.statistics import Statistics
from wattline.service.offers.offers import Offers, offers_log
from wattline.service.offers.policy import OfferPolicy, error_lines
from wattline.service.opening import Opening
from wattline.service.outgoing.bypass import Bypass
from wattline.service.outgoing.inlining import Inlining
from wattline.service.parking import ParkingDesk
from wattline.service.reload import Books, read_book
from wattline.service.remembered import Remembered, remembered_seconds
from wattline.service.shadowing import Shadows
from wattline.service.sockets.bound import Services
from wattline.service.sockets.line import MAX_MESSAGE
from wattline.service.sockets.sockets import Sockets
from wattline.service.sockets.turns import OwedAttempts, TurnAttempts
from wattline.service.sockets.upgrades import Upgrades
from wattline.service.unsent import Unsent
from wattline.service.watching.carried import Carried
from wattline.service.watching.census import Census
from wattline.service.watching.passing import Proving
from wattline.service.watching.proofs import Proofs, proof_file
from wattline.store.books import BookRow
from wattline.store.json_lines import JsonLines
from wattline.store.made import was_made
from wattline.store.parking import read_parked
from wattline.store.sqlite import SqliteLedger
from wattline.store.writer import no_crash
from wattline.testing.crash import Crash, CrashingUpstream
from wattline.upstream.base import Upstream
from wattline.upstream.guard import Guard, Listeners
from wattline.upstream.image_policy import ImagePolicy
from wattline.upstream.images import Images
from wattline.upstream.pool import AiohttpUpstream
from wattline.upstream.sockets import SocketConnector
from wattline.web import parts as web
from wattline.web.admin.parts import AdminParts
from wattline.web.assistant.parts import AssistantParts
from wattline.web.gateway.parts import GatewayParts
from wattline.web.metrics.gauges import Gauges, MetricsParts
from wattline.web.parts import Parts
from wattline.web.server import WebFace
from wattline.web.site import load_site
from wattline.web.ws.parts import ChatParts
from wattline.web.ws.policy import SocketPolicy
from wattline.wire.call import Principal
from wattline.wire.http import Ending

if TYPE_CHECKING:
    from mitmproxy.master import Master

log = logging.getLogger(__name__)

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Sidecar:
    """A running sidecar. `async with Sidecar(settings) as sidecar:` starts and stops it.

    One to a process: mitmproxy keeps its master in a global of its own.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        demo: DemoProvider | None = None,
        mark_attempts: bool = False,
        crash: Crash | None = None,
        census: Census | None = None,
    ) -> None:
        self.settings = settings
        self.census = census
        self.clock = clock or SystemClock()
        self.demo = demo
        self.mark_attempts = mark_attempts
        self.crash = crash
        self.secrets = KnownSecrets(settings.env)
        self.master: Master
        self.address: tuple[str, int] = ("", 0)
        self._exit = contextlib.AsyncExitStack()
        self._stopped = False
        self._hurried = False
        self._mark: Path | None = None
        self.listen_watch: ListenWatch | None = None
        self.log_missing: Callable[[], int] = lambda: 0
        """Lines that did not come into the log's file."""

    async def start(self) -> None:
        """Open the ledger, load the rules, start the demo provider, listen. Ready on return.

        Raises RulesError, SettingsError, LedgerDown, OSError (port taken).
        """
        try:
            await self._start()
        except BaseException:
            await self._exit.aclose()
            raise

    async def stop(self, grace: float | None = None) -> None:
        """Stop listening, let open calls end for `grace` seconds, end the rest with an error, settle
        all, close the ledger. Idempotent.
        """
        if self._stopped:
            return
        self._stopped = True
        if (
            getattr(self, "master", None) is None
        ):  # it never started; what was opened is closed already
            return
        if isinstance(self.master, EdgeMaster):
            await self.master.deaf()
        grace = self.books.current.limits.grace if grace is None else grace
        self.local.stopping = True
        grace = 0 if self._hurried else grace
        await self._see_off(grace)
        if isinstance(self.master, EdgeMaster) and (hung_up := self.master.hang_up()):
            await asyncio.wait(hung_up, timeout=1)
        await self._exit.aclose()

    async def _see_off(self, grace: float) -> None:
        """Calls and pages end, or are ended after `grace` seconds; then their last bytes are written."""
        clock = asyncio.get_running_loop().time
        end = clock() + grace
        await asyncio.gather(self.layers.drain(grace), self.web.drain(grace))
        left = 0.0 if self._hurried else max(end - clock(), 0.0)
        # What a page has said to its end is on its way for a few milliseconds more, whatever the grace.
        left = left if self.web.busy else max(left, LAST_BYTES)
        await self.layers.parting.see_off(left, hurried=lambda: self._hurried and self.web.busy)

    def hurry(self) -> None:
        """End the calls that `stop` waits for at once, each with an error and settled."""
        self._hurried = True
        web: WebFace | None = getattr(self, "web", None)  # none yet while we start
        if web is not None:
            web.hurry()
        layers: Layers | None = getattr(self, "layers", None)
        for delivery in list(layers.deliveries) if layers is not None else ():
            delivery.end(Ending.SHUTDOWN)

    @property
    def open_calls(self) -> int:
        """Calls that have not ended yet."""
        return len(self.layers.deliveries)

    async def attach(self, running: Master) -> None:
        """Work inside a mitmproxy that was started by somebody else. Raises what `start` raises."""
        try:
            await self._open()
            self.master = running
            book = self.books.current
            options = running.options
            settle_options(options)
            options.update(
                allow_hosts=host_patterns(book.intercept, options.mode), ssl_insecure=False
            )
            trust(options, self.ca)
            self._add_addons(running, run_inline=lambda _: False)
            self._learn_addresses()
            self._check_loopback(running)
            self._watch_listen(fixed=True)
        except BaseException:
            await self._exit.aclose()
            raise

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _start(self) -> None:
        await self._open()
        book = self.books.current
        await self._listen(book.listen.host, book.listen.port)
        self._watch_listen(fixed=False)
        self._announce()

    async def _open(self) -> None:
        """All but the face to clients."""
        self._use_eager_tasks()
        self.settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.demo is None:
            await self._start_demo()
        self.books = self._load_rules()
        self.secrets.follow(lambda: self.books.current)
        book = self.books.current
        self.ledger = await SqliteLedger.open_at(
            self.settings.state / "ledger.sqlite",
            self.clock,
            sync="full" if book.ledger.sync == "full" else "normal",
            crash_at=self.crash or no_crash,
        )
        self._exit.push_async_callback(self.ledger.close)
        self.master_token = MasterToken.from_env(self.settings.env)
        self._put_together()
        await ensure_admin(self.accounts, self.settings.env)
        await self.own_keys.renew()
        await self._open_control()
        await self._start_web()
        await self.offers.renew()
        self._remember_windows()
        self._learn_costs()
        self.ca = ensure_ca(self.settings.state / "ca", self.settings.env)
        watch = spawn(self.books.watch(), name="watch rules.yaml")
        self._exit.callback(watch.cancel)

    async def _open_control(self) -> None:
        """Where the command line asks, since no other process may write the ledger."""
        control = Control(self.accounts, self._imports(), self.diagnosis.told)
        door = ControlDoor(control, self.settings.state)
        await door.open()
        self._exit.push_async_callback(door.close)

    def _imports(self) -> Imports:
        ledger, books = self.ledger, self.books
        return Imports(self.accounts, ledger.dialogs, ledger.referrals, lambda: books.current)

    def _use_eager_tasks(self) -> None:
        """mitmproxy runs its own loop this way; a call's first steps then need no turn of the loop."""
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        loop.set_task_factory(asyncio.eager_task_factory)
        self._exit.callback(loop.set_task_factory, before)

    async def _start_demo(self) -> None:
        self.demo = DemoProvider(Knobs.demo(self.settings.env))
        await self.demo.start()
        self._exit.push_async_callback(self.demo.stop)

    def _load_rules(self) -> Books:
        settings = self.settings
        path = settings.rules or packaged_rules()
        env = dict(settings.env)
        if self.demo is not None:
            env["WATTLINE_DEMO_URL"] = f"{self.demo.url}/v1"
        own: tuple[str, int] | None = None
        if settings.host is not None or settings.port is not None:
            first = read_book(path, env, None).listen
            port = settings.port if settings.port is not None else first.port
            own = settings.host or first.host, port
        return Books(path, env, own, read_book(path, env, own))

    def _put_together(self) -> None:
        books, clock = self.books, self.clock
        windows, resting = Windows(), Resting()
        books.changed = self._rules_changed
        self.windows, self.resting = windows, resting
        listeners = Listeners()
        self.listeners = listeners
        upstream: Upstream = AiohttpUpstream(listeners=listeners)
        if self.crash is not None:
            upstream = CrashingUpstream(upstream, self.crash)
            books.changed = self.crash.around(books.changed)
        self._exit.push_async_callback(upstream.close)
        dialects = spoken_dialects()
        self.parking = ParkingDesk(
            self.ledger.parking,
            Parking(),
            lambda: books.current,
            clock,
        )
        self.parking.load(read_parked(self._ledger_path))
        self._put_memory_together()
        view = View(
            windows,
            resting,
            self.ledger.balance,
            self.parking.parking,
            self.health,
            self.costs.of,
            self.affinity,
        )
        self.view = view
        self.spending = Spending()
        self._put_logins_together()
        self.accounts = Accounts(
            self.ledger.accounts, self.ledger, clock, lambda: books.current, self.spending
        )
        settlement = Settlement(
            self.ledger,
            windows,
            resting,
            clock,
            health=self.health,
            affinity=self.affinity,
            diagnosis=self.diagnosis,
        )
        self.settlement = settlement
        self._put_records_together()
        pseudonym = new_id("wattline")
        self.remembered = Remembered(clock.monotonic, remembered_seconds(self.settings.env))
        draw = random.Random()  # noqa: S311
        opening = Opening(
            books,
            dialects,
            windows,
            view,
            clock,
            draw,
            self.remembered,
            current=self.directory.current,
            own_keys=self.own_keys,
            earlier=Earlier(
                self.remembered,
                lambda caller, made: asyncio.to_thread(was_made, self._ledger_path, caller, made),
            ),
            unsent=Unsent(self.ledger.decisions, clock),
            met=self._note_book,
        )
        attempts = Attempts(
            upstream,
            self.ledger,
            windows,
            settlement,
            clock,
            pseudonym,
            Inlining(Images(listeners=listeners), ImagePolicy.from_env(self.settings.env)),
            spending=self.spending,
            mark=self.mark_attempts,
        )
        caching = Caching(Cache(clock), attempts, settlement)
        payloads = Payloads.from_env(self.settings.env)
        if payloads is not None:
            warning = spawn(payloads.warn(), name="warn of payloads in the log")
            self._exit.callback(warning.cancel)
        self.answers = Answers(opening, attempts, settlement, clock, caching, payloads)
        self._watch_answers(upstream, pseudonym)
        self.shadows = Shadows(view, clock, settlement.counts, self.answers.exchanged)
        self.answers.shadows = self.shadows
        self._exit.push_async_callback(self.shadows.close)
        self.once = Once(self.ledger.repeats, clock, lambda: books.current)
        self.calls = CallsOnce(
            self.answers,
            self.once,
            books,
            dialects,
            self.directory.current,
            settlement.counts,
            permit=opening.permit,
        )
        common = (upstream, self.ledger, windows, settlement, clock, pseudonym)
        connector = SocketConnector(listeners, max_bytes=MAX_MESSAGE)
        self.sockets = Sockets(
            Services(
                opening,
                TurnAttempts(*common, spending=self.spending),
                OwedAttempts(*common, spending=self.spending),
                settlement,
                Upgrades(connector, settlement, pseudonym),
            )
        )
        pages = Pages(
            clock,
            __version__,
            environment=self.settings.env.get("NODE_ENV", "production"),
            not_ready=self._not_ready,
            closed=lambda: self.catalog.closed(),  # noqa: PLW0108  (it is made later)
            summary=self._summary,
        )
        self.reception = Reception(
            lambda: books.current,
            dialects,
            pages,
            switched_off(self.settings.env),
            own=self._is_own,
            pseudonym=pseudonym,
            knows=self._knows,
            counts=settlement.counts,
            web=True,
            keys=self.directory.find,
            counting=Counting(windows, clock),
            guesses=Guesses(clock, self._is_ours),
            master=self.master_token,
            tokens=self.sessions.find,
            current=self.directory.current,
        )
        self.visits = Visits()
        self.local = LocalFace(self.reception.styles.render, self.visits)
        self.catalog = self._catalog(upstream, view, pseudonym)
        self.check_key = lambda provider, key: check_key(provider, key, upstream, pseudonym)
        self.guard = Guard(lambda: books.current.tunnel, listeners)

    def _put_memory_together(self) -> None:
        """What decisions look at, but for windows."""
        self.health = Health(self.books.current.health)
        self.affinity = Affinity()
        self._bound_affinity()
        self.prices = Prices()
        self.costs = Costs(self.prices)
        self.diagnosis = Diagnosis(PromptCaches(), self.costs)

    def _put_records_together(self) -> None:
        """What is written down, or counted, of calls that have ended and of what was passed on."""
        counts = self.settlement.counts
        self.errors = self._error_log()
        self.proofs = Proofs(proof_file(self.settings.state), self.clock, counts)
        self._exit.push_async_callback(self.proofs.written)
        counts.note = self.errors.note if self.census is None else self.census.note

    def _put_logins_together(self) -> None:
        """Raises SettingsError for a secret that could be guessed."""
        env, state, clock = self.settings.env, self.settings.state, self.clock
        self.sealing = Sealing.from_env(env, state)  # one: each may draw the key of the file
        self.own_keys = OwnKeys(self.ledger.provider_keys, self.sealing, clock)
        self.directory = Directory(self.ledger.accounts, clock, self.own_keys.providers)
        self.ledger.provider_keys.changed = self.directory.refresh
        self.token_secret = TokenSecret(env, state)
        for source in (self.own_keys.secrets, self.sealing.shown, self.token_secret.shown):
            self.secrets.add(source)
        if self.books.current.auth.mode == "jwt":
            self.token_secret.need()
        self.tokens = Tokens(self.token_secret, clock, Lifetime.from_env(env))
        self.sessions = Sessions(self.tokens, self.directory)

    def _is_ours(self, secret: str) -> bool:
        """A secret that nobody guessed."""
        master = self.master_token
        return (master is not None and master.matches(secret)) or self.sessions.issued(secret)

    def _catalog(self, upstream: Upstream, view: View, pseudonym: str) -> Catalog:
        books, clock = self.books, self.clock
        reports = Reports(
            lambda: books.current.providers.values(),  # noqa: PLW0108  (other rules may come)
            lambda provider: ask(provider, upstream, pseudonym),
            clock.monotonic,
            refresh_seconds(self.settings.env),
        )
        self._exit.push_async_callback(reports.close)
        return Catalog(lambda: books.current, view, clock, reports, self.prices)

    async def _start_web(self) -> None:
        """Our own pages, before anybody can ask for one."""
        styles = self.reception.styles
        policy = SocketPolicy.from_env(self.settings.env)
        chats = ChatParts(
            self.answers,
            lambda: self.books.current,
            self.directory.find,
            self.clock,
            policy,
            tokens=self.sessions.find,
            guesses=self.reception.guesses,
        )
        metrics = MetricsParts(self.settlement.counts, self._gauges)
        parts = Parts(
            styles,
            self.catalog,
            chats,
            metrics,
            self._control(),
            admin=self._admin(),
            assistant=self._assistant(),
            gateway=self._gateway(),
        )
        self.web = WebFace(
            lambda: load_site(parts),
            styles,
            self.visits,
            policy.heartbeat,
            once=self.once,
            master=self.master_token,
            clock=self.clock,
        )
        self._exit.push_async_callback(self.web.stop)
        self.secrets.add(lambda: (self.web.secret,))
        await self.web.start()
        self.listeners.add(LOCAL_HOST, self.web.port)
        self.local.open(self.web.port, self.web.secret)

    def _gauges(self) -> Gauges:
        """How it is at this moment, for metrics."""
        book, now = self.books.current, self.clock.monotonic()
        return Gauges(
            now=now,
            uptime=now - self.reception.pages.started,
            version=__version__,
            rules_version=book.version,
            open_calls=self.open_calls,
            ledger=self.ledger.gauges,
            providers={
                name: provider.unavailable is None
                and self.view.rests(provider, now) is None
                and self.view.parked(name) is None
                for name, provider in book.providers.items()
            },
            health={
                name: (
                    self.view.worst(name, now),
                    self.view.fares(Subject(name, (provider.account,)), now).score,
                )
                for name, provider in book.providers.items()
            },
            log_missing=self.log_missing(),
        )

    def _assistant(self) -> AssistantParts:
        tokens, dialogs = UserTokens(self.accounts), Dialogs(self.ledger.dialogs, self.clock)
        rules = lambda: self.books.current  # noqa: E731  (other rules may come)
        return AssistantParts(
            self.accounts,
            tokens,
            Referrals(self.ledger.referrals, self.accounts, tokens, rules),
            dialogs,
            Completions(self.answers, dialogs, rules),
            self.master_token,
        )

    def _gateway(self) -> GatewayParts:
        """Logins, users' own keys, health and the audit trail."""
        logins = Logins(
            self.accounts,
            Passwords(),
            self.tokens,
            self.sessions,
            lambda: self.books.current,
            lambda: self.address[0] in LOOPBACK,
        )
        ledger = self.settings.state / "ledger.sqlite"
        return GatewayParts(
            logins,
            self.own_keys,
            self.check_key,
            ledger,
            lambda: self.ledger.down,
            lambda peer: self.reception.guesses.failed(self.books.current.auth, peer),
        )

    @property
    def _ledger_path(self) -> Path:
        return self.settings.state / "ledger.sqlite"

    def _error_log(self) -> ErrorLog:
        """A line for each call that failed, without any key that we know."""
        state = self.settings.state
        lines = LineLog(
            JsonLines(error_log_path(state), MAX_BYTES, OLDER),
            self.secrets,
        )
        self._exit.push_async_callback(lines.written)
        return ErrorLog(
            lines,
            ExclusionsFile(state / EXCLUSIONS),
            self.clock,
            lambda code: self.books.current.health.ignores(code),  # noqa: PLW0108  (other rules may come)
        )

    def _admin(self) -> AdminParts:
        env, state, clock = self.settings.env, self.settings.state, self.clock
        policy = OfferPolicy.from_env(env)
        offered = LineLog(offers_log(state, policy), self.secrets)
        self._exit.push_async_callback(offered.written)
        self.offers = Offers(
            policy, self.ledger.offers, self._ledger_path, self.sealing, offered, clock
        )
        return AdminParts(
            catalog=self.catalog,
            view=self.view,
            parking=self.parking,
            statistics=Statistics(self._ledger_path, clock),
            errors=self.errors,
            offers=self.offers,
            started=clock.monotonic(),
            error_lines=error_lines(env),
            prompt_caches=self.diagnosis.told,
        )

    def _control(self) -> web.Control:
        return web.Control(
            self.accounts,
            lambda: self.books.current,
            self.clock,
            self.master_token,
            self.settings.env,
        )

    async def _listen(self, host: str, port: int) -> None:
        skip_type_checks()
        book = self.books.current
        opts = make_options(
            host=host,
            port=port,
            modes=self.settings.modes,
            ca=self.ca,
            intercept=book.intercept,
        )
        self.master = edge_master = EdgeMaster(opts)
        settle_options(opts)
        self._add_addons(edge_master, run_inline=edge_master.flat.run_inline)
        self.address = await edge_master.listen()
        self._learn_addresses()

    def _add_addons(self, running: Master, *, run_inline: Callable[[Any], bool]) -> None:
        proxyserver: Any = running.addons.get("proxyserver")
        next_layer: Any = running.addons.get("nextlayer")
        counted = TunnelWatch(self._watched, self._carried)
        self._exit.callback(counted.close)
        tunnels = Tunnels(self.reception, self.guard, self.local, counted)
        self.layers = Layers(
            lambda layers: Edge(
                answer=self.calls.answer,
                converse=self.sockets.converse,
                begin=layers.begin,
                internal_error=self.reception.internal_error,
                render=self.reception.render,
                refused=self.reception.refused,
                head_limits=self._head_limits,
                pending=Pending(lambda: self.books.current.limits),
                run_inline=run_inline,
                local=self.local,
                prove=self._prove,
                proved=self._carried,
            ),
            stock=lambda: next_layer,
            handlers=lambda: proxyserver.connections,
            tunnels=counted,
        )
        running.addons.add(Gate(self.reception, tunnels), tunnels, self.layers)
        watch = spawn(self.layers.watch(), name="late bodies")
        self._exit.callback(watch.cancel)

    def _watched(self) -> tuple[bool, bool]:
        """Whether a new tunnel is counted, and whether proved."""
        proving = self.books.current.proof.tunnels
        return proving or self.census is not None, proving

    def _watch_answers(self, upstream: Upstream, pseudonym: str) -> None:
        self.answers.proving = Proving(self._carried)
        self.answers.bypass = Bypass(upstream, pseudonym, self.settlement.counts)

    def _prove(self, id: str, host: str, port: int) -> Carried | None:  # noqa: A002  (its name)
        """The record of a request that is passed on, where that is wanted."""
        if not self.books.current.proof.passed:
            return None
        return Carried.begun("request", id, host, port, proving=True)

    def _carried(self, carried: Carried) -> None:
        """What was passed on is over."""
        if carried.proving:
            self.proofs.add(carried)
        if self.census is not None and carried.kind == "tunnel":
            self.census.carried(carried)

    def _learn_addresses(self) -> None:
        """Where we really listen: what no upstream and no tunnel may lead to."""
        proxyserver: Any = self.master.addons.get("proxyserver")
        for address, number, *_ in proxyserver.listen_addrs():
            self.address = address, number
            self.listeners.add(address, number)
        self.books.own = self.address

    def _check_loopback(self, running: Master) -> None:
        """A mitmproxy of somebody else's may listen anywhere. Raises SettingsError."""
        proxyserver: Any = running.addons.get("proxyserver")
        hosts = {address for address, *_ in proxyserver.listen_addrs()}
        if self.books.current.auth.mode == "open" and not hosts <= LOOPBACK:
            raise SettingsError(
                f"mitmproxy listens on {', '.join(sorted(hosts - LOOPBACK))} and rules.yaml lets "
                "everybody call: start it with --listen-host 127.0.0.1, or set `auth: {mode: keys}`"
            )

    def _note_book(self, book: Book) -> None:
        """Past calls are explained by the rules that decided them. With the first of them, so that a start writes
        nothing.
        """
        at = int(self.clock.wall() * 1000)
        with contextlib.suppress(OSError):
            text = self.books.path.read_text("utf-8", "replace")
            self.ledger.books.note(BookRow(book.version, at, text, Elsewhere.of(book).providers))

    def _learn_costs(self) -> None:
        """In a task of its own: until it is done no cost is known, and targets stay as they were given."""
        task = spawn(self.costs.learn(self.books.current), name="learn prices")
        self._exit.callback(task.cancel)

    def _rules_changed(self) -> None:
        """Other rules are in force: a refused key may be another one now, hosts may be ours or not."""
        self.resting.clear()
        book = self.books.current
        self.health.rules = book.health
        self._bound_affinity()
        self._learn_costs()
        settings = self.settings
        set_level(log_choice(book.log, settings.log_level, settings.env, settings.state).level)
        if self.listen_watch is not None and (told := self.listen_watch.changed(book.written)):
            log.warning("%s", told)
        self._write_mark()
        options = self.master.options
        options.update(allow_hosts=host_patterns(book.intercept, options.mode))

    def _bound_affinity(self) -> None:
        rules = self.books.current.affinity
        self.affinity.ttl, self.affinity.most = rules.ttl, rules.max_entries

    def _remember_windows(self) -> None:
        """A restart must not give every window away anew, nor forget who made what."""
        ledger = self.settings.state / "ledger.sqlite"
        now, wall = self.clock.monotonic(), self.clock.wall()
        remember(self.windows, self.books.current, ledger, now, wall, self.directory.tiers)
        recount(self.spending, ledger, now, wall)
        recall(self.remembered, ledger, wall)
        heal(self.health, ledger, now, wall)

    def _watch_listen(self, *, fixed: bool) -> None:
        """From now on changes of `listen` are told."""
        settings, written = self.settings, self.books.current.written
        self.listen_watch = ListenWatch(written, settings.host, settings.port, fixed)

    def _announce(self) -> None:
        """Tell other commands where this sidecar is, and what it has."""
        self._mark = self.settings.state / "sidecar.json"
        self._write_mark()
        self._exit.callback(self._take_mark_away)

    def _take_mark_away(self) -> None:
        path, self._mark = self._mark, None
        if path is not None:
            path.unlink(missing_ok=True)

    def _write_mark(self) -> None:
        """Names and reasons only: no key, no value of a variable. Not before it is announced."""
        if self._mark is None:
            return
        host, port = self.address
        book = self.books.current
        had = Elsewhere.of(book)
        mark = {
            "pid": os.getpid(),
            "host": host,
            "port": port,
            "version": __version__,
            "rules": str(self.books.path.absolute()),
            "rules_version": book.version,
            "providers": dict(had.providers),
            "callers": sorted(had.callers),
        }
        whole = self._mark.with_suffix(".json.new")
        try:
            whole.write_text(json.dumps(mark))
            whole.replace(self._mark)
        except OSError as error:
            log.warning("other commands can't be told of this sidecar: %s", error)

    def _head_limits(self) -> HeadLimits:
        limits = self.books.current.limits
        return HeadLimits(limits.head_bytes, limits.head_seconds, limits.body_seconds)

    def _knows(self, lookup: Route, principal: Principal) -> bool:
        kind = kind_of(lookup)
        return self.remembered.find(kind, principal.id, lookup.subject) is not None

    def _is_own(self, host: str, port: int) -> bool:
        return port == self.address[1] and host in {*LOOPBACK, self.address[0]}

    def _not_ready(self) -> str | None:
        return f"ledger: {self.ledger.down}" if self.ledger.down else None

    def _summary(self) -> dict[str, Any]:
        book = self.books.current
        return {
            "version": __version__,
            "rules": book.version,
            "providers": sum(p.unavailable is None for p in book.providers.values()),
            "demo": not book.configured,
            "try": "POST /v1/chat/completions",
        }


def packaged_rules() -> Path:
    """The rules.yaml of this checkout, or the one in the wheel. Raises FileNotFoundError."""
    beside = Path(__file__).resolve().parents[2] / "rules.yaml"
    packed = Path(str(importlib.resources.files("wattline") / "defaults" / "rules.yaml"))
    for path in (beside, packed):
        if path.is_file():
            return path
    missing = (
        f"there is no rules.yaml in {beside.parent}: restore it, or name another with --rules FILE"
    )
    raise FileNotFoundError(errno.ENOENT, missing)


def sidecar_addons() -> list[ScriptDoor]:
    """For `mitmdump -s addons/sidecar.py`: settings from the environment and the working folder."""
    settings = read_settings(os.environ, cwd=Path.cwd())
    sidecar = Sidecar(settings)
    return [ScriptDoor(sidecar.attach, sidecar.stop)]


__all__ = ["Sidecar", "packaged_rules", "sidecar_addons"]
