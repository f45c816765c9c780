"""`wattline run -- COMMAND`: a command whose model calls go through a sidecar.

Who serves it:
* a sidecar that runs already for this state folder (`wattline serve`), or
* a sidecar in this process, on loopback. While it runs, this process holds `run.lock`. Commands that
  are run meanwhile use it too; when it ends, the first of them to get the lock goes on serving at the
  same port, so that the others' environment stays true.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from asyncio.subprocess import Process
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wattline.base.settings import Settings
from wattline.base.tasks import spawn
from wattline.cli.door import check_key, shows_own
from wattline.cli.environment import Door, Via, variables, warnings
from wattline.cli.failure import BY_SIGNAL, NOT_EXECUTABLE, NOT_FOUND, RUN_FAILED, Failure, say
from wattline.cli.running import find_running
from wattline.cli.signals import Forwarder

if TYPE_CHECKING:
    from wattline.app.sidecar import Sidecar

HOST = "127.0.0.1"
LOCK = "run.lock"
PORT = "run.port"
START_SECONDS = 15.0
"""How long another process's sidecar may take to answer."""
POLL = 0.2


@dataclass(frozen=True, slots=True)
class Order:
    """What to run and how."""

    command: Sequence[str]
    settings: Settings
    via: Via
    environ: Mapping[str, str] = field(repr=False)
    key: str | None = field(default=None, repr=False)
    quiet: bool = False
    chose_rules: bool = False


def run(order: Order) -> int:
    """Run the command; its exit code, or 128 + n when signal n killed it.

    Raises Failure (126 and 127 as shells do) and what `Sidecar.start` raises.
    """
    check_program(order.command[0], order.environ)
    for warning in warnings(order.via, order.environ):
        _tell(order, warning)
    return asyncio.run(_run(order))


def check_program(name: str, environ: Mapping[str, str]) -> None:
    """Raise Failure before anything is started, if there is nothing to run."""
    if shutil.which(name, path=environ.get("PATH", os.defpath)):
        return
    if os.sep in name and Path(name).exists():
        raise Failure(f"{name} is not an executable program", NOT_EXECUTABLE)
    raise Failure(f"{name}: command not found", NOT_FOUND)


async def _run(order: Order) -> int:
    async with contextlib.AsyncExitStack() as stack:
        door = await _reach(order, stack)
        await asyncio.to_thread(_check_key, order, door)
        signals = Forwarder()
        with signals.listening():
            child = await _start(order, door)
            signals.start(child)
            code = await child.wait()
            await stack.aclose()
    return code if code >= 0 else BY_SIGNAL - code


def _check_key(order: Order, door: Door) -> None:
    """Ask before the command starts: all that it would say itself is its client's 407. Raises Failure."""
    if not shows_own(order.via, order.key, order.environ):
        check_key(door, RUN_FAILED)


async def _start(order: Order, door: Door) -> Process:
    return await start_command(
        order, {**order.environ, **variables(door, order.via, order.environ)}
    )


async def start_command(order: Order, environ: Mapping[str, str]) -> Process:
    """The command in this environment. Raises Failure."""
    try:
        return await asyncio.create_subprocess_exec(*order.command, env=environ)
    except FileNotFoundError as error:
        raise Failure(f"{order.command[0]}: its interpreter was not found", NOT_FOUND) from error
    except OSError as error:
        raise Failure(f"{order.command[0]}: {error.strerror}", NOT_EXECUTABLE) from error


async def _reach(order: Order, stack: contextlib.AsyncExitStack) -> Door:
    """A sidecar that answers: the one that runs, or ours, which then lives as long as `stack`."""
    from wattline.store.folder import prepare

    state = order.settings.state
    prepare(state)
    with contextlib.suppress(_Busy):
        with contextlib.ExitStack() as turn:
            turn.enter_context(_turn(state))
            if (door := _running_door(order)) is not None:
                return door
            stack.enter_context(turn.pop_all())
        return await _serve(order, stack)
    door = await _await_running(order)
    successor = spawn(_succeed(order, door), name="wait for the turn to serve")
    stack.push_async_callback(_end, successor)
    return door


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


class _Busy(Exception):
    """Another `wattline run` serves this state folder."""


@contextlib.contextmanager
def _turn(state: Path) -> Iterator[None]:
    """The right to serve commands of this state folder. Raises _Busy."""
    from wattline.store.base import LedgerDown
    from wattline.store.folder import Lock

    try:
        lock = Lock(state / LOCK)
    except LedgerDown as error:
        raise _Busy from error
    try:
        yield
    finally:
        lock.release()


def _running_door(order: Order) -> Door | None:
    running = find_running(order.settings.state)
    if running is None:
        return None
    if order.chose_rules:
        _tell(order, f"the sidecar that runs (process {running.pid}) has rules of its own")
    return _door(order, running.reachable_host, running.port)


async def _await_running(order: Order) -> Door:
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if (door := await asyncio.to_thread(_running_door, order)) is not None:
            return door
        await asyncio.sleep(POLL)
    raise Failure(
        f"another `wattline run` holds {order.settings.state / LOCK}, but its sidecar does not answer: "
        "end that process, or use another --state",
        RUN_FAILED,
    )


async def _serve(order: Order, stack: contextlib.AsyncExitStack) -> Door:
    """Start a sidecar in this process."""
    from wattline.app.sidecar import Sidecar
    from wattline.base.stderr_log import StderrLog

    settings = replace(order.settings, host=HOST, port=_usual_port(order.settings.state))
    sidecar = Sidecar(settings)
    stack.enter_context(StderrLog(settings.log_level or "warning", sidecar.secrets))
    await sidecar.start()
    stack.push_async_callback(sidecar.stop)
    host, port = sidecar.address
    (settings.state / PORT).write_text(f"{port}\n")
    _introduce(order, sidecar)
    return _door(order, host, port)


def _introduce(order: Order, sidecar: Sidecar) -> None:
    host, port = sidecar.address
    _tell(order, f"sidecar on http://{host}:{port} for this command")
    if not sidecar.books.current.configured:
        from wattline.rules.unconfigured import what_calls_get, why_unconfigured

        book = sidecar.books.current
        _tell(order, f"{why_unconfigured(book)}: {what_calls_get(book)}")


def _usual_port(state: Path) -> int:
    """The port of the last `wattline run` if it is free, else any."""
    try:
        port = int((state / PORT).read_bytes()[:6])
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
    except (OSError, ValueError, OverflowError):
        return 0
    return port


async def _succeed(order: Order, door: Door) -> None:
    """Go on serving where the process that serves this command ends before it."""
    async with contextlib.AsyncExitStack() as stack:
        await _take_turn(order, stack)
        if await asyncio.to_thread(find_running, order.settings.state) is not None:
            return  # `wattline serve`: the lock was held only to look for it
        try:
            served = await _serve(replace(order, quiet=True), stack)
        except Exception as error:  # noqa: BLE001  (the command goes on whatever became of its sidecar)
            say(f"the sidecar that served this command has ended, no other can start: {error}")
            return
        if served.port != door.port:
            say(
                "the sidecar that served this command has ended, its port is taken: calls will fail"
            )
        await asyncio.Event().wait()


async def _take_turn(order: Order, stack: contextlib.AsyncExitStack) -> None:
    while True:
        await asyncio.sleep(POLL)
        with contextlib.suppress(_Busy):
            stack.enter_context(_turn(order.settings.state))
            return


def _door(order: Order, host: str, port: int) -> Door:
    if order.via is Via.BASE_URL:
        return Door(host, port, key=order.key)
    from wattline.proxy.ca import ensure_ca

    files = ensure_ca(order.settings.state / "ca", order.settings.env)
    return Door(host, port, files.bundle, order.key)


def _tell(order: Order, message: str) -> None:
    if not order.quiet:
        say(message)
