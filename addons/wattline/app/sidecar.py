"""A running sidecar: put together, started, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Self

from wattline.app.address import Address
from wattline.app.control import open_control
from wattline.app.face import (
    Face,
    adopt_master,
    check_loopback,
    follow_hosts,
    learn_addresses,
    make_master,
)
from wattline.app.ground import Ground, open_ground
from wattline.app.mark import Mark
from wattline.app.parts import Parts, make_parts
from wattline.app.reading import read_gauges
from wattline.app.site import Site, make_site
from wattline.base.clock import Clock, SystemClock
from wattline.base.logs import set_level
from wattline.base.settings import Settings
from wattline.base.tasks import spawn
from wattline.demo.knobs import Knobs
from wattline.demo.provider import DemoProvider
from wattline.proxy.ca import CaFiles, ensure_ca
from wattline.proxy.layers import Layers
from wattline.proxy.master import EdgeMaster
from wattline.proxy.parting import LAST_BYTES
from wattline.rules.listening import ListenWatch
from wattline.rules.log_choice import log_choice
from wattline.service.accounts.default_admin import ensure_admin
from wattline.service.accounts.known_secrets import KnownSecrets
from wattline.service.reload import Books
from wattline.service.watching.census import Census
from wattline.store.sqlite import SqliteLedger
from wattline.testing.crash import Crash
from wattline.web.metrics.gauges import Gauges
from wattline.web.server import WebFace
from wattline.wire.http import Ending

if TYPE_CHECKING:
    from mitmproxy.master import Master

log = logging.getLogger(__name__)


class Sidecar:
    """A running sidecar. `async with Sidecar(settings) as sidecar:` starts and stops it.

    One to a process: mitmproxy keeps its master in a global of its own.
    """

    ground: Ground
    parts: Parts
    site: Site
    web: WebFace
    ca: CaFiles
    master: Master
    layers: Layers

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
        self._address = Address()
        self._exit = contextlib.AsyncExitStack()
        self._stopped = False
        self._hurried = False
        self._mark: Mark | None = None
        self._listen_watch: ListenWatch | None = None
        self.log_missing: Callable[[], int] = lambda: 0
        """Lines that did not come into the log's file."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port where it listens."""
        return self._address.host, self._address.port

    @property
    def books(self) -> Books:
        """The rules."""
        return self.ground.books

    @property
    def ledger(self) -> SqliteLedger:
        """What calls cost, and who has what left."""
        return self.ground.ledger

    @property
    def open_calls(self) -> int:
        """Calls that have not ended yet."""
        return len(self.layers.deliveries)

    async def start(self) -> None:
        """Open the ledger, load the rules, start the demo provider, listen. Ready on return.

        Raises RulesError, SettingsError, LedgerDown, OSError (port taken).
        """
        async with self._closed_on_error():
            await self._open()
            await self._listen()
            self._watch_listen(fixed=False)
            self._mark = Mark(self.ground)
            self._mark.write()

    async def attach(self, running: Master) -> None:
        """Work inside a mitmproxy that was started by somebody else. Raises what `start` raises."""
        async with self._closed_on_error():
            await self._open()
            self.master = running
            adopt_master(self.ground, self.ca, running)
            self.layers = Face(self.parts).add(running, run_inline=lambda _: False)
            learn_addresses(self.ground, running)
            check_loopback(self.ground, running)
            self._watch_listen(fixed=True)

    async def stop(self, grace: float | None = None) -> None:
        """Stop listening, let open calls end for `grace` seconds, end the rest with an error, settle
        all, close the ledger. Idempotent.
        """
        if self._stopped:
            return
        self._stopped = True
        if getattr(self, "master", None) is None:  # it never started: what was opened is closed
            return
        if isinstance(self.master, EdgeMaster):
            await self.master.deaf()
        grace = self.books.current.limits.grace if grace is None else grace
        self.parts.entrance.local.stopping = True
        await self._see_off(0 if self._hurried else grace)
        if isinstance(self.master, EdgeMaster) and (hung_up := self.master.hang_up()):
            await asyncio.wait(hung_up, timeout=1)
        await self._exit.aclose()

    def hurry(self) -> None:
        """End the calls that `stop` waits for at once, each with an error and settled."""
        self._hurried = True
        web: WebFace | None = getattr(self, "web", None)  # none yet while we start
        if web is not None:
            web.hurry()
        layers: Layers | None = getattr(self, "layers", None)
        for delivery in list(layers.deliveries) if layers is not None else ():
            delivery.end(Ending.SHUTDOWN)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @contextlib.asynccontextmanager
    async def _closed_on_error(self) -> AsyncIterator[None]:
        """What was opened before an error is closed."""
        try:
            yield
        except BaseException:
            await self._exit.aclose()
            raise

    async def _see_off(self, grace: float) -> None:
        """Calls and pages end, or are ended after `grace` seconds; then their last bytes are written."""
        clock = asyncio.get_running_loop().time
        end = clock() + grace
        await asyncio.gather(self.layers.drain(grace), self.web.drain(grace))
        left = 0.0 if self._hurried else max(end - clock(), 0.0)
        # What a page has said to its end is on its way for a few milliseconds more, whatever the grace.
        left = left if self.web.busy else max(left, LAST_BYTES)
        await self.layers.parting.see_off(left, hurried=lambda: self._hurried and self.web.busy)

    async def _open(self) -> None:
        """All but the face to clients."""
        self._use_eager_tasks()
        settings = self.settings
        settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.ground = await self._stand(self.demo or await self._start_demo())
        self.parts = parts = make_parts(self.ground, self.census, mark=self.mark_attempts)
        self.books.warn()
        self._follow_rules()
        await ensure_admin(parts.callers.accounts, settings.env)
        await parts.callers.own_keys.renew()
        await open_control(parts)
        self.site = make_site(parts, self._gauges)
        self.web = await self.site.open()
        await self.site.offers.renew()
        parts.memory.recall(self.ground, parts.callers.directory)
        parts.memory.learn_costs(self.ground)
        self.ca = ensure_ca(settings.state / "ca", settings.env)
        watch = spawn(self.books.watch(), name="watch rules.yaml")
        self._exit.callback(watch.cancel)

    def _use_eager_tasks(self) -> None:
        """mitmproxy runs its own loop this way; a call's first steps then need no turn of the loop."""
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        loop.set_task_factory(asyncio.eager_task_factory)
        self._exit.callback(loop.set_task_factory, before)

    async def _start_demo(self) -> DemoProvider:
        demo = DemoProvider(Knobs.demo(self.settings.env))
        await demo.start()
        self._exit.push_async_callback(demo.stop)
        return demo

    async def _stand(self, demo: DemoProvider) -> Ground:
        return await open_ground(
            self.settings,
            self.clock,
            self.secrets,
            self._address,
            self._exit,
            demo_url=demo.url,
            crash=self.crash,
        )

    def _follow_rules(self) -> None:
        changed = self._rules_changed
        self.books.changed = changed if self.crash is None else self.crash.around(changed)

    def _gauges(self) -> Gauges:
        return read_gauges(
            self.ground,
            self.parts.memory,
            started=self.parts.entrance.pages.started,
            open_calls=self.open_calls,
            log_missing=self.log_missing(),
        )

    async def _listen(self) -> None:
        self.master = master = make_master(self.ground, self.ca)
        self.layers = Face(self.parts).add(master, run_inline=master.flat.run_inline)
        await master.listen()
        learn_addresses(self.ground, master)

    def _watch_listen(self, *, fixed: bool) -> None:
        """From now on changes of `listen` are told."""
        settings, written = self.settings, self.books.current.written
        self._listen_watch = ListenWatch(written, settings.host, settings.port, fixed)

    def _rules_changed(self) -> None:
        """Other rules are in force."""
        book, settings = self.books.current, self.settings
        self.parts.memory.follow(book)
        self.parts.memory.learn_costs(self.ground)
        set_level(log_choice(book.log, settings.log_level, settings.env, settings.state).level)
        if self._listen_watch is not None and (told := self._listen_watch.changed(book.written)):
            log.warning("%s", told)
        if self._mark is not None:
            self._mark.write()
        follow_hosts(self.ground, self.master)
