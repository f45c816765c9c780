"""A sidecar in a process of its own, to be measured and killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path

from kit.clients import REVERSE, call
from kit.forked import Forked, Nursery

ROOT = Path(__file__).parents[2]
READY_SECONDS = 30
"""From the start of the process to its first good answer."""


def free_port() -> int:
    """A port that was free a moment ago, and that no client's connection is given: those are higher."""
    for port in random.SystemRandom().sample(range(15_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


class SidecarProcess:
    """`python -m wattline serve` on one port and state folder; can be started again and again."""

    def __init__(
        self,
        rules: Path,
        state: Path,
        env: dict[str, str] | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        """With a `nursery` each start is a fork of a process that has imported everything."""
        self.rules, self.state, self.nursery = rules, state, nursery
        self.address = ("127.0.0.1", free_port())
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "addons"),
            "WATTLINE_MARK_ATTEMPTS": "1",
            "WATTLINE_LOG_LEVEL": "warning",
            **(env or {}),
        }
        self.log = state.with_name("sidecar.log")
        self.process: asyncio.subprocess.Process | Forked | None = None

    async def start(self, **env: str) -> float:
        """Start, and wait until it is ready. The seconds that took, at most `READY_SECONDS`."""
        began = time.monotonic()
        self.process = await self._started({**self.env, **env})
        async with asyncio.timeout(READY_SECONDS):
            while not await self.ready():
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def _started(self, env: dict[str, str]) -> asyncio.subprocess.Process | Forked:
        arguments = [
            *("serve", "--rules", str(self.rules), "--state", str(self.state)),
            *("--host", "127.0.0.1", "--port", str(self.address[1])),
        ]
        with self.log.open("ab") as log:
            if self.nursery is not None:
                streams = (None, log.fileno(), log.fileno())
                return self.nursery.start("wattline", arguments, env=env, streams=streams)
            command = (sys.executable, "-m", "wattline", *arguments)
            return await asyncio.create_subprocess_exec(*command, env=env, stdout=log, stderr=log)

    async def ready(self) -> bool:
        """It answers, and can serve calls."""
        try:
            reply = await call(self.address, REVERSE, None, b"", path="/health/ready", method="GET")
        except OSError:
            return False
        return reply.status == 200

    def kill(self) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()

    async def killed(self) -> None:
        """Wait for its death, which must be a kill."""
        assert self.process is not None
        async with asyncio.timeout(20):
            code = await self.process.wait()
        assert code == -signal.SIGKILL, self.log.read_text()[-2000:]

    async def stop(self) -> None:
        """As an operator stops it."""
        assert self.process is not None
        self.process.terminate()
        async with asyncio.timeout(20):
            assert await self.process.wait() == 0, self.log.read_text()[-2000:]

    def resident(self) -> int:
        """Bytes of memory in use now."""
        assert self.process is not None
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
