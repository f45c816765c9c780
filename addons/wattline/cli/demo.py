"""`wattline demo`: the demo provider alone, to point other programs or another wattline at."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wattline.base.stderr_log import StderrLog
from wattline.cli.failure import USAGE, Failure
from wattline.demo.knobs import KnobError, Knobs
from wattline.demo.provider import DemoProvider

OPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "base_delay_ms": "--delay",
        "delay_variance_ms": "--variance",
        "error_rate": "--error-rate",
        "timeout_rate": "--timeout-rate",
        "token_speed": "--token-speed",
    }
)
"""What sets each knob."""


def demo(port: int, chosen: Mapping[str, float]) -> None:
    """Serve until SIGINT or SIGTERM. Raises Failure, OSError."""
    try:
        knobs = Knobs.demo(os.environ).changed(dict(chosen))
    except KnobError as error:
        option = OPTIONS.get(error.name)
        text = str(error).replace(f"{error.name} is", f"{option}:", 1) if option else str(error)
        raise Failure(text, USAGE) from error
    with StderrLog("info", tuple):
        asyncio.run(_serve(DemoProvider(knobs), port))


async def _serve(provider: DemoProvider, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        url = await provider.start(port=port)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise Failure(f"port {port}: {reason}: choose another with --port") from error
    # Not through the log: a script that takes any free port reads it here.
    print(f"{url}/v1", flush=True)
    try:
        await stop.wait()
    finally:
        await provider.stop()
