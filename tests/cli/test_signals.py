"""Who gets a signal, and when."""

from __future__ import annotations

import asyncio
import os
import signal

from wattline.cli.signals import Forwarder

TRAP = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.02; done"


async def test_a_signal_before_the_child_waits_for_it() -> None:
    """The time between taking signals over and the child's start must not kill us or lose them."""
    signals = Forwarder()
    with signals.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        child = await asyncio.create_subprocess_exec(
            "sh", "-c", TRAP, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        await child.stdout.readline()
        signals.start(child)
        await child.communicate()

    assert child.returncode == 5


async def test_a_child_that_has_just_gone_is_no_error() -> None:
    signals = Forwarder()
    with signals.listening():
        os.kill(os.getpid(), signal.SIGHUP)
        child = await asyncio.create_subprocess_exec("true")
        await child.wait()
        signals.start(child)


async def test_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Forwarder().listening():
        pass

    assert signal.getsignal(signal.SIGTERM) == before
