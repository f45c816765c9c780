"""`wattline watch`: a sidecar that changes nothing, and a rules.yaml for what it saw.

Its ledger and its rules are in a folder of their own that is gone afterwards; only the CA is the state
folder's, since programs may trust it already.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wattline.base.clock import SystemClock
from wattline.base.settings import Settings
from wattline.cli.environment import Door, Via, variables, warnings
from wattline.cli.failure import BY_SIGNAL, Failure, say
from wattline.cli.output import check_output
from wattline.cli.run import HOST, Order, check_program, start_command
from wattline.cli.signals import Forwarder
from wattline.cli.wrong_value import wrong_value

if TYPE_CHECKING:
    from wattline.service.watching.census import Census


@dataclass(frozen=True, slots=True)
class Watch:
    """What to observe. `seconds`: for how long (None: until it is stopped); `hosts`: to be read beside the
    known ones; `out`: where the proposal goes, None for standard output.
    """

    settings: Settings
    seconds: float | None = None
    command: Sequence[str] = ()
    hosts: Sequence[str] = ()
    out: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


def watch(asked: Watch) -> int:
    """Observe, then propose; the command's exit code, else 0. Raises Failure, RulesError, OSError."""
    for host in asked.hosts:
        _check_host(host)
    if asked.out is not None and asked.out.exists():
        raise Failure(f"{asked.out} exists: name another file, nothing is written over")
    if asked.out is not None:
        check_output(asked.out)
    if asked.command:
        check_program(asked.command[0], asked.environ)
        for warning in warnings(Via.PROXY, asked.environ):
            say(warning)
    return asyncio.run(_watch(asked))


def _check_host(host: str) -> None:
    """Raises Failure."""
    from pydantic import TypeAdapter, ValidationError

    from wattline.rules.fields import HostPattern

    try:
        TypeAdapter(HostPattern).validate_python(host)
    except ValidationError as error:
        wanted = "is no host: write its name, for example api.example.com or *.example.com"
        raise wrong_value("--host", host, wanted) from error


async def _watch(asked: Watch) -> int:
    from wattline.service.watching.census import Census
    from wattline.service.watching.proposal import proposal

    census = Census(SystemClock().monotonic)
    code = 0
    async with _sidecar(asked, census) as door:
        say(f"watching on http://{door.address}: every call goes where its program sends it")
        if asked.command:
            code = await _run(asked, door)
        else:
            show = lambda: print(proposal(census), flush=True)  # noqa: E731  (only for here)
            with _signals(show) as stopped:
                _tell_how(door)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), asked.seconds)
    hand_over(asked.out, proposal(census))
    return code


@contextlib.asynccontextmanager
async def _sidecar(asked: Watch, census: Census) -> AsyncIterator[Door]:
    from wattline.app.sidecar import Sidecar
    from wattline.base.stderr_log import StderrLog
    from wattline.proxy.ca import ensure_ca
    from wattline.service.watching.proposal import KNOWN, observing

    with tempfile.TemporaryDirectory(prefix="wattline-watch-") as folder:
        state = Path(folder) / "state"
        state.mkdir(mode=0o700)
        files = ensure_ca(_ca_folder(asked.settings.state, state), asked.settings.env)
        rules = Path(folder) / "rules.yaml"
        rules.write_text(observing(tuple(dict.fromkeys((*KNOWN, *asked.hosts)))))
        settings = replace(asked.settings, rules=rules, state=state, host=HOST)
        sidecar = Sidecar(settings, census=census)
        with StderrLog(asked.settings.log_level or "warning", tuple):
            await sidecar.start()
            try:
                yield Door(*sidecar.address, files.bundle)
            finally:
                await sidecar.stop()


def _ca_folder(kept: Path, state: Path) -> Path:
    """The CA that programs trust already, if there is one, under the name that the sidecar looks for."""
    if (kept / "ca").is_dir():
        (state / "ca").symlink_to((kept / "ca").absolute())
    return state / "ca"


def _tell_how(door: Door) -> None:
    say(f"in another shell: export HTTPS_PROXY=http://{door.address} SSL_CERT_FILE={door.bundle}")
    say("Ctrl-C ends it; SIGUSR1 shows what was seen so far")


async def _run(asked: Watch, door: Door) -> int:
    environ = {**asked.environ, **variables(door, Via.PROXY, asked.environ)}
    order = Order(asked.command, asked.settings, Via.PROXY, environ)
    signals = Forwarder()
    with signals.listening():
        child = await start_command(order, environ)
        signals.start(child)
        try:
            code = await asyncio.wait_for(child.wait(), asked.seconds)
        except TimeoutError:
            child.terminate()
            code = await child.wait()
            return 0 if code == -signal.SIGTERM else code
    return code if code >= 0 else BY_SIGNAL - code


@contextlib.contextmanager
def _signals(show: Callable[[], None]) -> Iterator[asyncio.Event]:
    """Set by the first signal to stop."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stopped.set)
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_signal_handler(signal.SIGUSR1, show)
    try:
        yield stopped
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            loop.remove_signal_handler(number)


def hand_over(out: Path | None, text: str) -> None:
    """Write the proposal, or print it where it can't be written. Raises OSError."""
    if out is None:
        sys.stdout.write(text)
        return
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    except OSError:
        sys.stdout.write(text)  # what was seen can't be seen again
        raise
    say(f"{out} is written: look through it, then `wattline check {out}`")
