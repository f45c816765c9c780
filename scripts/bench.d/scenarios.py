"""One slice of each kind of load against one gateway: measured, checked, given as named figures."""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import calls
from checks import CheckFailed, check_counts, check_cpu, check_in_flight
from figures import percentile
from gateways import Gateway, Mock
from load import PlainLoad, PlainResult
from mock import Counts  # noqa: UP026  (our mock.py, not the old package)
from process import Cpu
from rulesfile import model_of
from streams import StreamLoad, StreamResult

type Figures = dict[str, float]

SETTLE_SECONDS = 1.0
SLOW_GAP = 2.0
OPEN_PER_SECOND = 400


@dataclass(slots=True)
class Ground:
    """What the slices share: the mock, and the numbers that make each call unique."""

    mock: Mock
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def counts(self) -> Counts:
        """What the mock has served so far."""
        return Counts(**self._ask("/counts"))

    def release(self) -> None:
        """End the streams that have no end."""
        self._ask("/release")

    def _ask(self, path: str) -> dict[str, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self.mock.port, timeout=5)
        try:
            connection.request("GET", path)
            answer: dict[str, int] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer


class Meter:
    """CPU time from its making to `stop`, of the gateway and of the benchmark itself."""

    def __init__(self, gateway: Gateway, mock: Mock) -> None:
        self._gateway = gateway
        self._mock = mock
        self._start = time.perf_counter()
        self._own = time.process_time()
        self._mock_before = mock.cpu()
        self._before = gateway.cpu()

    def stop(self, units: int) -> Figures:
        """CPU microseconds for each of `units`, and the shares of a core. Raises CheckFailed."""
        after = self._gateway.cpu()
        elapsed = time.perf_counter() - self._start
        own = time.process_time() - self._own + self._mock.cpu().since(self._mock_before)[0]
        figures = {"bench_core": own / elapsed}
        if self._before is not None and after is not None and units:
            used = _used(self._before, after)
            figures |= {"cpu_us": used * 1e6 / units, "core": used / elapsed}
        return figures


def _used(before: Cpu, after: Cpu) -> float:
    threads, process = after.since(before)
    check_cpu(threads, process)
    return threads


async def plain_slice(
    ground: Ground, gateway: Gateway, request: calls.Request, *, connections: int, seconds: float
) -> Figures:
    """Calls in a closed loop. Raises CheckFailed."""
    load = PlainLoad(
        gateway.port,
        request,
        connections=connections,
        seconds=seconds,
        numbers=ground.numbers,
        contains=gateway.recipe.contains,
    )
    with _named(f"{connections} connections", gateway), _no_collection():
        try:
            await load.warm()
            before = ground.counts()
            meter = Meter(gateway, ground.mock)
            result = await load.run()
            used = meter.stop(result.answers)
        finally:
            load.close()
        return _plain_figures(ground, gateway, before, result) | used


def _plain_figures(
    ground: Ground, gateway: Gateway, before: Counts, result: PlainResult
) -> Figures:
    result.failures.check()
    check_in_flight(result.in_flight, result.connections)
    retried = check_counts(
        "calls",
        sent=result.answers,
        served=ground.counts().calls - before.calls,
        retries=gateway.recipe.retries,
    )
    return {
        "rps": result.answers / result.span,
        "p50_ms": percentile(result.latencies, 0.5) * 1e3,
        "p99_ms": percentile(result.latencies, 0.99) * 1e3,
        "answers": result.answers,
        "retried": retried,
    }


async def stream_slice(
    ground: Ground, gateway: Gateway, *, streams: int, events: int, gap: float, spread: float
) -> Figures:
    """Paced streams side by side. Raises CheckFailed."""
    load = _streams(ground, gateway, streams=streams, events=events, gap=gap, spread=spread)
    with _named(f"{streams} streams", gateway), _no_collection():
        result, used = await _paced(ground, gateway, load)
        return {
            "first_ms": percentile(result.first, 0.5) * 1e3,
            "p50_ms": percentile(result.delays, 0.5) * 1e3,
            "p99_ms": percentile(result.delays, 0.99) * 1e3,
            "events": result.events,
        } | used


async def translated_slice(
    ground: Ground,
    gateway: Gateway,
    pair: tuple[str, str],
    *,
    streams: int,
    events: int,
    gap: float,
    spread: float,
) -> Figures:
    """CPU per event of paced streams of one pair of dialects. Raises CheckFailed."""
    client, provider = pair
    request = calls.translated(gateway.port, client, model_of(provider), events=events, gap=gap)
    load = StreamLoad(
        gateway.port,
        request,
        streams=streams,
        events=events,
        gap=gap,
        spread=spread,
        numbers=ground.numbers,
        contains=gateway.recipe.contains,
        client=client,
    )
    with _named(f"{client} from {provider}", gateway), _no_collection():
        result, used = await _paced(ground, gateway, load)
        return {"p99_ms": percentile(result.delays, 0.99) * 1e3, "events": result.events} | used


async def _paced(
    ground: Ground, gateway: Gateway, load: StreamLoad
) -> tuple[StreamResult, Figures]:
    """Run the streams, checked against what the mock served."""
    try:
        await load.warm()
        before = ground.counts()
        meter = Meter(gateway, ground.mock)
        load.start()
        result = await load.finish()
        used = meter.stop(result.events)
    finally:
        load.close()
    _check_streams(ground, gateway, before, result)
    return result, used


async def memory(ground: Ground, gateway: Gateway, *, streams: int) -> Figures:
    """Resident MiB when idle and with slow streams open. Raises CheckFailed."""
    await asyncio.sleep(SETTLE_SECONDS)
    idle = _mebibytes(gateway)
    spread = streams / OPEN_PER_SECOND
    load = _streams(ground, gateway, streams=streams, events=0, gap=SLOW_GAP, spread=spread)
    with _named(f"{streams} open streams", gateway):
        try:
            await load.warm()
            before = ground.counts()
            load.start()
            await load.all_open()
            # One more event for each stream, so that all have come to rest.
            await asyncio.sleep(SLOW_GAP)
            busy = _mebibytes(gateway)
            ground.release()
            result = await load.finish()
        finally:
            load.close()
        _check_streams(ground, gateway, before, result)
    return {"idle_mib": idle, "open_mib": busy, "over_idle_mib": busy - idle}


def _streams(
    ground: Ground, gateway: Gateway, *, streams: int, events: int, gap: float, spread: float
) -> StreamLoad:
    return StreamLoad(
        gateway.port,
        calls.stream(gateway.port, events=events, gap=gap),
        streams=streams,
        events=events,
        gap=gap,
        spread=spread,
        numbers=ground.numbers,
        contains=gateway.recipe.contains,
    )


def _check_streams(ground: Ground, gateway: Gateway, before: Counts, result: StreamResult) -> None:
    result.failures.check()
    after = ground.counts()
    retries = gateway.recipe.retries
    check_counts("streams", sent=result.ended, served=after.ended - before.ended, retries=retries)
    check_counts("events", sent=result.events, served=after.events - before.events, retries=retries)


def _mebibytes(gateway: Gateway) -> float:
    resident = gateway.rss()
    if resident is None:
        raise CheckFailed(f"{gateway.name} has no process whose memory could be read")
    return resident / 2**20


@contextmanager
def _named(what: str, gateway: Gateway) -> Iterator[None]:
    """Put the slice's name before a failed check's sentence; a gateway that is gone is one too."""
    try:
        yield
    except CheckFailed as failure:
        raise CheckFailed(f"{what}, {gateway.name}: {failure}") from failure
    except OSError as fault:
        raise CheckFailed(f"{what}, {gateway.name}: {fault}\n{gateway.log_end()}") from fault


@contextmanager
def _no_collection() -> Iterator[None]:
    """The benchmark's own garbage collection would show as the gateways' latency."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
