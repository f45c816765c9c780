"""`scripts/bench`: wattline beside stock mitmproxy, in one run, in rotating order."""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import calls
import report
from checks import CheckFailed
from gateways import RECIPES, Gateway, NotReady, Recipe, sans_io, start, start_mock
from goals import OWN, VARIANTS
from samples import (
    CHECK,
    DECIDE,
    LONG,
    MEMORY,
    PLAIN,
    REPLAY,
    STREAMS,
    Samples,
    pair_name,
    plain_name,
    stream_name,
)
from scenarios import Ground, memory, plain_slice, stream_slice, translated_slice
from shapes import NATIVE, PAIRS

FILES = 8192
"""Open files wanted: 1,000 streams are two connections each in a gateway."""
OPEN_STREAMS = 1000
EVENT_GAP = 0.02
SPREAD = 0.4
"""Seconds over which streams begin, so that they do not all fire at one moment."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long and how often. Seconds for a slice, events for a stream."""

    name: str
    plain_rounds: int
    plain_seconds: float
    rules_rounds: int
    stream_rounds: int
    stream_events: int
    limit: float
    """Seconds after which the whole run is given up."""


QUICK = Pace("quick", 2, 0.4, 4, 2, 50, limit=240)
FULL = Pace("full", 7, 0.8, 12, 4, 100, limit=1200)


class Run:
    """The gateways that run, and what was measured on them."""

    def __init__(self, pace: Pace, ground: Ground, gateways: list[Gateway], core: int) -> None:
        self._pace = pace
        self._ground = ground
        self._core = core
        self._all = gateways
        # Gateways that differ in their rules only meet in the scenario for it.
        self._main = [gateway for gateway in gateways if gateway.name not in VARIANTS]
        self._streaming = [gateway for gateway in self._main if gateway.recipe.streams]
        self.samples = Samples()

    async def measure(self) -> None:
        """All scenarios. Raises CheckFailed."""
        try:
            await self._memory()
            for turn in range(self._pace.plain_rounds):
                await self._plain(turn)
            for turn in range(self._pace.rules_rounds):
                await self._variants(turn)
            for turn in range(self._pace.stream_rounds):
                await self._checks(turn)
            for turn in range(self._pace.stream_rounds):
                await self._streams(turn)
            for turn in range(self._pace.stream_rounds):
                await self._translations(turn)
        finally:
            self.samples.derive_added()
            self.samples.derive_translation(pair_name(*NATIVE))

    async def _memory(self) -> None:
        say(f"memory, {OPEN_STREAMS:,} open streams")
        for gateway in self._streaming:
            if gateway.rss() is not None:
                figures = await memory(self._ground, gateway, streams=OPEN_STREAMS)
                self.samples.add(MEMORY, gateway.name, figures)

    async def _plain(self, turn: int) -> None:
        say(f"plain calls, round {turn + 1} of {self._pace.plain_rounds}")
        for connections in PLAIN:
            for gateway in rotated(self._main, turn):
                await self._slice(plain_name(connections), gateway, connections)
        for gateway in rotated(self._main, turn):
            await self._slice(LONG, gateway, 16, long=True)

    async def _variants(self, turn: int) -> None:
        for variant, scenario in VARIANTS.items():
            pair = [gateway for gateway in self._all if gateway.name in {OWN, variant}]
            if len(pair) < 2:
                continue
            say(f"{variant}, round {turn + 1} of {self._pace.rules_rounds}")
            for gateway in rotated(pair, turn):
                await self._slice(scenario, gateway, 16)

    async def _checks(self, turn: int) -> None:
        if any(gateway.name == OWN for gateway in self._all):
            say(f"keys and decisions by themselves, round {turn + 1} of {self._pace.stream_rounds}")
            figures = await asyncio.to_thread(sans_io, self._core, "keycheck.py")
            self.samples.add(CHECK, OWN, figures)
            figures = await asyncio.to_thread(sans_io, self._core, "deciding.py")
            self.samples.add(DECIDE, OWN, figures)
            if turn == 0:
                figures = await asyncio.to_thread(sans_io, self._core, "replaying.py")
                self.samples.add(REPLAY, OWN, figures)

    async def _slice(
        self, scenario: str, gateway: Gateway, connections: int, *, long: bool = False
    ) -> None:
        request = (calls.long if long else calls.plain)(gateway.port)
        figures = await plain_slice(
            self._ground,
            gateway,
            request,
            connections=connections,
            seconds=self._pace.plain_seconds,
        )
        self.samples.add(scenario, gateway.name, figures)

    async def _streams(self, turn: int) -> None:
        say(f"streams, round {turn + 1} of {self._pace.stream_rounds}")
        for streams in STREAMS:
            for gateway in rotated(self._streaming, turn):
                figures = await stream_slice(
                    self._ground,
                    gateway,
                    streams=streams,
                    events=self._pace.stream_events,
                    gap=EVENT_GAP,
                    spread=SPREAD,
                )
                self.samples.add(stream_name(streams), gateway.name, figures)

    async def _translations(self, turn: int) -> None:
        own = [gateway for gateway in self._all if gateway.name == OWN]
        if not own:
            return
        say(f"translation, round {turn + 1} of {self._pace.stream_rounds}")
        alone = await asyncio.to_thread(sans_io, self._core)
        for pair in rotated([NATIVE, *PAIRS], turn):
            figures = await translated_slice(
                self._ground,
                own[0],
                pair,
                streams=STREAMS[-1],
                events=self._pace.stream_events,
                gap=EVENT_GAP,
                spread=SPREAD,
            )
            figures["sans_io_us"] = alone["-".join(pair)]
            self.samples.add(pair_name(*pair), OWN, figures)


async def bench(
    pace: Pace, recipes: Sequence[Recipe], folder: Path, samples: list[Samples]
) -> None:
    """Start everything, measure, and end everything whatever happens.

    `samples` gets the figures, those of a failed run too. Raises CheckFailed, NotReady,
    TimeoutError.
    """
    gateway_core, load_core = cores()
    os.sched_setaffinity(0, {load_core})
    mock = start_mock(load_core)
    gateways: list[Gateway] = []
    try:
        for recipe in recipes:
            # One by one: what was started before a failure must be ended, too.
            gateway = start(recipe, mock.port, folder / recipe.name, gateway_core)
            gateways.append(gateway)
        async with asyncio.timeout(pace.limit):
            for gateway in gateways:
                await gateway.ready()
            run = Run(pace, Ground(mock), gateways, gateway_core)
            samples.append(run.samples)
            await run.measure()
    finally:
        for gateway in gateways:
            gateway.terminate()
        for gateway in gateways:
            gateway.reap()
        mock.stop()


def rotated[T](items: Sequence[T], turn: int) -> list[T]:
    """The items, begun one further in each turn, so that none always comes first."""
    at = turn % len(items) if items else 0
    return [*items[at:], *items[:at]]


def cores() -> tuple[int, int]:
    """A core for the gateways and one for mock and load; the same one where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) == 1:
        say("only one core: gateways, mock and load share it, so only ratios of CPU mean something")
    return usable[0], usable[-1]


def raise_file_limit() -> None:
    """Allow FILES open files, here and in what is started. Raises NotReady."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        raise NotReady(f"{FILES} open files are needed and the hard limit is {hard} (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))


def say(line: str) -> None:
    """Progress, on standard error: standard output holds the tables only."""
    print(f"bench: {line}", file=sys.stderr, flush=True)


def chosen(only: str | None) -> list[Recipe]:
    """The recipes to measure. Raises NotReady for a name that none has."""
    if only is None:
        return list(RECIPES)
    known = {recipe.name: recipe for recipe in RECIPES}
    names = [name.strip() for name in only.split(",")]
    for name in names:
        if name not in known:
            raise NotReady(f"--only names {name!r}; there are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)]


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, for a first look")
    parser.add_argument("--only", metavar="NAMES", help="gateways to measure, comma-separated")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every round's figures")
    return parser.parse_args(argv)


@contextmanager
def term_as_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP end the run as Ctrl-C does: with everything stopped."""
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(argv: Sequence[str]) -> int:
    """0: measured, goals reached or not; 1: a self-check failed; 2: could not run."""
    options = arguments(argv)
    pace = QUICK if options.quick else FULL
    samples: list[Samples] = []
    failed: str | None = None
    begun = time.time()
    try:
        recipes = chosen(options.only)
        raise_file_limit()
        with term_as_interrupt(), tempfile.TemporaryDirectory(prefix="bench-") as folder:
            asyncio.run(bench(pace, recipes, Path(folder), samples))
    except CheckFailed as failure:
        failed = str(failure)
    except TimeoutError:
        failed = f"the run was not over after {pace.limit:.0f} s"
    except NotReady as failure:
        say(str(failure))
        return 2
    except KeyboardInterrupt:
        say("interrupted; everything that was started is ended")
        return 130
    measured = samples[0] if samples else Samples()
    run: dict[str, Any] = {"mode": pace.name, "begun": begun, "seconds": time.time() - begun}
    if options.json is not None:
        report.write(options.json, report.document(measured, run, failed))
    if failed is not None:
        say(f"SELF-CHECK FAILED, no figure of this run counts: {failed}")
        return 1
    print(report.text(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
