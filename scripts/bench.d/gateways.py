"""What is measured: how each gateway is started, when it is ready, how it is stopped.

To measure another one, add a Recipe to RECIPES.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import IO

from calls import plain
from checks import CheckFailed
from load import PlainLoad
from process import Cpu, on_core, read_cpu, read_rss
from rulesfile import keyed_text, rules_text
from shapes import MODEL

START_SECONDS = 45.0
STOP_SECONDS = 15.0
_LOG_LINES = 25


class NotReady(Exception):
    """A gateway did not start; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where one gateway runs: its port, its upstream's port, its own empty folder."""

    port: int
    upstream: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to start a gateway. `command` may write files into the site's folder."""

    name: str
    command: Callable[[Site], list[str]] | None
    """None: no gateway, calls go to the mock itself."""
    contains: bytes = b""
    """What each good answer, and each stream, must hold: proof that the gateway did its work."""
    retries: bool = False
    """It may call the upstream more than once for one call."""
    streams: bool = True
    """It passes events on as they come; else it takes no part in what is about streams."""


def _stock(site: Site, *options: str) -> list[str]:
    """As it comes: reverse mode, quiet, no flow kept, connection strategy untouched."""
    return [
        str(Path(sys.executable).with_name("mitmdump")),
        "-q",
        *("--mode", f"reverse:http://127.0.0.1:{site.upstream}"),
        *("--listen-host", "127.0.0.1", "--listen-port", str(site.port)),
        *("--set", f"confdir={site.folder / 'conf'}"),
        *options,
    ]


def _wattline_keys(site: Site) -> list[str]:
    """As `_wattline`, and each call has a key with a balance, a budget, a list of models and a tier."""
    command = _wattline(site, 10)
    file = site.folder / "rules.yaml"
    file.write_text(file.read_text(encoding="utf-8") + keyed_text(), encoding="utf-8")
    maker = Path(__file__).with_name("keyed.py")
    subprocess.run([sys.executable, str(maker), str(site.folder / "state"), MODEL], check=True)  # noqa: S603 - our own file
    return command


def _wattline(site: Site, rules: int) -> list[str]:
    """Everything on: routing, windows, metering into SQLite, energy.

    Its state goes into the site's folder by WATTLINE_STATE, see `_environment`.
    """
    file = site.folder / "rules.yaml"
    file.write_text(rules_text(site.upstream, rules), encoding="utf-8")
    return [
        *(sys.executable, "-m", "wattline", "serve"),
        *("--rules", str(file), "--port", str(site.port)),
    ]


# `stream_large_bodies=1` streams each body of more than one byte, in both directions: one with a
# length from its head on, one without from its first chunk on.
_STREAMING = ("--set", "stream_large_bodies=1")
_METERED = b'"energy"'

RECIPES = (
    Recipe("direct", None),
    Recipe("stock", lambda site: _stock(site, *_STREAMING)),
    # Streaming costs stock something on plain calls, so its cheaper way stands beside it.
    Recipe("stock-buffered", _stock, streams=False),
    Recipe("wattline", partial(_wattline, rules=10), _METERED, retries=True),
    Recipe("wattline-1000", partial(_wattline, rules=1000), _METERED, retries=True),
    Recipe("wattline-keys", _wattline_keys, _METERED, retries=True),
)


class Gateway:
    """One that runs; `direct` runs nothing."""

    def __init__(self, recipe: Recipe, site: Site, process: subprocess.Popen[bytes] | None) -> None:
        self.recipe = recipe
        self.name = recipe.name
        self.port = site.port if process else site.upstream
        self._site = site
        self._process = process

    def cpu(self) -> Cpu | None:
        """CPU time so far; None when nothing runs."""
        return read_cpu(self._process.pid) if self._process else None

    def rss(self) -> int | None:
        """Resident bytes; None when nothing runs."""
        return read_rss(self._process.pid) if self._process else None

    async def ready(self) -> None:
        """Return when it answers a call. Raises NotReady."""
        until = time.monotonic() + START_SECONDS
        fault = "it does not listen"
        while time.monotonic() < until:
            if self._process is not None and self._process.poll() is not None:
                fault = f"it ended with exit code {self._process.returncode}"
                break
            try:
                await self._try()
            except (OSError, CheckFailed) as failure:
                fault = str(failure)
                await asyncio.sleep(0.1)
            else:
                return
        raise NotReady(f"{self.name} is not ready: {fault}\n{self.log_end()}")

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def reap(self) -> None:
        """Wait for its end, and force it after STOP_SECONDS."""
        if self._process is None:
            return
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_end(self) -> str:
        """The last lines that it logged."""
        log = self._site.folder / "log"
        lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
        return "\n".join(f"  | {line}" for line in lines[-_LOG_LINES:]) or "  (it logged nothing)"

    async def _try(self) -> None:
        load = PlainLoad(
            self.port,
            plain(self.port),
            connections=1,
            seconds=0,
            numbers=count(),
            contains=self.recipe.contains,
        )
        try:
            await load.warm()
        finally:
            load.close()


class Mock:
    """The upstream, in its own process; it ends with its standard input."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self.port = port

    def cpu(self) -> Cpu:
        """CPU time so far."""
        return read_cpu(self._process.pid)

    def stop(self) -> None:
        """End it."""
        _input(self._process).close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def start_mock(core: int) -> Mock:
    """Start the mock on that core. Raises NotReady."""
    with on_core(core):
        process = subprocess.Popen(  # noqa: S603  (our own file)
            [sys.executable, str(Path(__file__).with_name("mock.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
    line = process.stdout.readline() if process.stdout else b""
    if not line.strip().isdigit():
        process.kill()
        process.wait()
        raise NotReady(f"the mock did not say its port but {line!r}")
    return Mock(process, int(line))


def sans_io(core: int, program: str = "translation.py") -> dict[str, float]:
    """What a program of this folder measures without any I/O, on that core: CPU microseconds, by default per
    event of each translation. Raises CheckFailed.
    """
    with on_core(core):
        done = subprocess.run(  # noqa: S603  (our own file)
            [sys.executable, str(Path(__file__).with_name(program))],
            capture_output=True,
            check=False,
        )
    if done.returncode:
        raise CheckFailed(f"{program}: {done.stderr[-300:].decode(errors='replace')}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def start(recipe: Recipe, upstream: int, folder: Path, core: int) -> Gateway:
    """Start a gateway on that core; it is not ready yet."""
    folder.mkdir()
    site = Site(_free_port(), upstream, folder)
    if recipe.command is None:
        return Gateway(recipe, site, None)
    command = recipe.command(site)
    with on_core(core), (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  (a command of RECIPES)
            command,
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for the benchmark: it ends its gateways itself, and in order.
            start_new_session=True,
        )
    return Gateway(recipe, site, process)


def _environment(folder: Path) -> dict[str, str]:
    """PATH and locale only: no proxy, no setting and no home of the caller's gets in."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return kept | {"HOME": str(folder), "WATTLINE_STATE": str(folder / "state")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _input(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdin is None:
        raise NotReady("the mock was started without a standard input")
    return process.stdin
