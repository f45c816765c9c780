"""What the providers reported, kept for an hour (E-120); asked again while somebody wants to know."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from wattline.base.origin import Origin
from wattline.base.settings import SettingsError
from wattline.base.tasks import spawn
from wattline.rules.compiled.provider import Provider
from wattline.service.catalog.reported import PATHS, BadList, Reported
from wattline.upstream.base import Broken

log = logging.getLogger(__name__)

KEPT_SECONDS = 3600.0
WANTED_SECONDS = 3600.0
"""How long after the last question the lists are still renewed."""
FIRST_BACKOFF = 15.0
PATIENCE_SECONDS = 3.0
"""How long the first question waits for providers that were never heard."""
DEFAULT_PACE = 5.0
AT_ONCE = 8

type Ask = Callable[[Provider], Awaitable[tuple[Reported, ...]]]


@dataclass(slots=True)
class _Known:
    """What one provider said, under the URL that it had then."""

    place: tuple[Origin, str]
    models: tuple[Reported, ...] = ()
    due: float = 0.0
    failures: int = 0
    heard: bool = False


def refresh_seconds(env: Mapping[str, str]) -> float:
    """`MODEL_CAPS_REFRESH_MS` (B-147) in seconds: how often the loop looks for what is due.

    Raises SettingsError.
    """
    text = env.get("MODEL_CAPS_REFRESH_MS", "").strip()
    if not text:
        return DEFAULT_PACE
    if not (text.isascii() and text.isdigit() and 100 <= int(text[:12]) <= 86_400_000):
        raise SettingsError(
            f"MODEL_CAPS_REFRESH_MS is {text[:40]!r}; it must be milliseconds from 100 to 86400000"
        )
    return int(text[:12]) / 1000


class Reports:
    """`providers` gives those of the rules in force; `now` is monotonic seconds."""

    def __init__(
        self,
        providers: Callable[[], Iterable[Provider]],
        ask: Ask,
        now: Callable[[], float],
        pace: float = DEFAULT_PACE,
    ) -> None:
        self._providers = providers
        self._ask = ask
        self._now = now
        self._pace = pace
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._wanted = float("-inf")
        self._loop: asyncio.Task[None] | None = None
        self._few = asyncio.Semaphore(AT_ONCE)
        self.version = 0
        """Counts changes."""

    def of(self, provider: Provider) -> tuple[Reported, ...]:
        """Its models as it reported them last."""
        known = self._known.get(provider.name)
        return () if known is None or known.place != _place(provider) else known.models

    async def fresh(self) -> None:
        """Somebody wants to know: ask those that are due. Waits, not long, for what was never heard."""
        self._wanted = self._now()
        if self._loop is None or self._loop.done():
            self._loop = spawn(self._renew(), name="lists of models")
        new = [task for name, task in self._start() if not self._known[name].heard]
        if new:
            await asyncio.wait(new, timeout=PATIENCE_SECONDS)

    async def refresh(self) -> None:
        """Ask every provider anew, and wait for all."""
        for known in self._known.values():
            known.due, known.failures = 0.0, 0
        tasks = [task for _, task in self._start()]
        if tasks:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Ask no more."""
        tasks = [task for task in (self._loop, *self._asking.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _renew(self) -> None:
        while self._now() - self._wanted < WANTED_SECONDS:
            await asyncio.sleep(self._pace)
            self._start()

    def _start(self) -> list[tuple[str, asyncio.Task[None]]]:
        """The questions under way, with those that are due now."""
        for provider in self._providers():
            if provider.unavailable is not None or provider.dialect not in PATHS:
                continue
            known = self._known.get(provider.name)
            if known is None or known.place != _place(provider):
                known = self._known[provider.name] = _Known(_place(provider))
            if known.due <= self._now() and provider.name not in self._asking:
                self._spawn(provider, known)
        return list(self._asking.items())

    def _spawn(self, provider: Provider, known: _Known) -> None:
        # The task may end before `spawn` is back: what has not begun to wait is not put down.
        task = spawn(self._hear(provider, known), name=f"models of {provider.name}")
        if not task.done():
            self._asking[provider.name] = task
            task.add_done_callback(lambda _: self._asking.pop(provider.name, None))

    async def _hear(self, provider: Provider, known: _Known) -> None:
        try:
            async with self._few:
                models = await self._ask(provider)
        except (Broken, BadList) as error:
            known.failures += 1
            known.heard = True
            wait = min(FIRST_BACKOFF * 2 ** min(known.failures - 1, 16), KEPT_SECONDS)
            known.due = self._now() + wait
            log.debug("models of %s not known: %s", provider.name, error)
            return
        if models != known.models:
            known.models = models
            self.version += 1
        known.failures, known.heard = 0, True
        known.due = self._now() + KEPT_SECONDS


def _place(provider: Provider) -> tuple[Origin, str]:
    return provider.origin, provider.base_path
