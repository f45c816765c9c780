"""Kills the process at a named point, so that tests see what a death just there leaves behind.

`WATTLINE_CRASH_AT=NAME:COUNT` is SIGKILL at the COUNT-th time that the point is reached. Nothing of
this is on a call's way when the variable is not set: the app then puts nothing around the parts.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping

from wattline.base.settings import SettingsError
from wattline.rules.compiled.provider import Timeouts
from wattline.upstream.base import Incoming, Outgoing, Upstream
from wattline.wire.http import Headers

MARK = "WATTLINE_MARK_ATTEMPTS"
AT = "WATTLINE_CRASH_AT"
POINTS = (
    "before_send",  # the row is durable, nothing is sent
    "after_send",  # the upstream has the request, its head is here
    "first_chunk",
    "usage_seen",
    "before_begin",
    "mid_batch",
    "before_commit",
    "after_commit",
    "before_ack",
    "during_checkpoint",
    "during_reload",  # other rules are in force, what depends on them is not changed yet
)
MAX_COUNT = 1_000_000


def marks_attempts(env: Mapping[str, str]) -> bool:
    """Whether to tell upstreams each attempt's id. Raises SettingsError."""
    value = env.get(MARK, "")
    if value not in ("", "0", "1"):
        raise SettingsError(f"{MARK} is {value!r}; it must be 1, 0 or empty")
    return value == "1"


class Crash:
    """Call it with the name of each point that is reached."""

    def __init__(
        self,
        point: str,
        count: int = 1,
        die: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGKILL),
    ) -> None:
        self.point, self.left, self._die = point, count, die

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Crash | None:
        """The crash that the environment asks for. Raises SettingsError: also without marked
        attempts, so that no stray variable can kill a sidecar in use.
        """
        if not (text := env.get(AT, "")):
            return None
        if not marks_attempts(env):
            raise SettingsError(f"{AT} is set; it is for tests only, together with {MARK}=1")
        point, _, number = text.partition(":")
        count = int(number) if number.isascii() and number.isdigit() and len(number) < 8 else 0
        if point not in POINTS or not 1 <= count <= MAX_COUNT:
            raise SettingsError(f"{AT} is {text!r}; it must be NAME:COUNT, NAME of {POINTS}")
        return cls(point, count)

    def __call__(self, point: str) -> None:
        """A point is reached."""
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                self._die()

    def around(self, changed: Callable[[], None]) -> Callable[[], None]:
        """What to do after a reload, with its point before it."""

        def crashing() -> None:
            self("during_reload")
            changed()

        return crashing


class CrashingUpstream:
    """An `Upstream` with points around each send and its answer."""

    def __init__(self, inner: Upstream, crash: Crash) -> None:
        self._inner, self._crash = inner, crash

    async def send(self, outgoing: Outgoing, timeouts: Timeouts) -> Incoming:
        """See `Upstream.send`."""
        self._crash("before_send")
        incoming = await self._inner.send(outgoing, timeouts)
        self._crash("after_send")
        return _CrashingIncoming(incoming, self._crash)

    async def close(self) -> None:
        """See `Upstream.close`."""
        await self._inner.close()


class _CrashingIncoming:
    def __init__(self, inner: Incoming, crash: Crash) -> None:
        self.status: int = inner.status
        self.headers: Headers = inner.headers
        self._inner, self._crash = inner, crash

    async def pieces(self) -> AsyncIterator[bytes]:
        first = True
        async for data in self._inner.pieces():
            yield data  # what follows runs when the piece was read and the next one is wanted
            if first:
                self._crash("first_chunk")
                first = False
            if b'"usage"' in data:
                self._crash("usage_seen")

    def close(self) -> None:
        self._inner.close()
