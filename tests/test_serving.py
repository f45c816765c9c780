"""The process as whoever sits at its terminal knows it."""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3

import pytest

from kit.books import rows
from kit.clients import REVERSE, call
from kit.processes import SidecarProcess
from kit.sidecars import QUICK, rules
from wattline import serving
from wattline.demo.provider import DemoProvider
from wattline.store.audit import audit

ENV = {"KEY_0": "sk-secret-of-upstream-0000", "WATTLINE_LOG_LEVEL": "info"}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}


@pytest.fixture
async def upstream():
    provider = DemoProvider(QUICK, allow_faults=True)
    provider.url_of_mine = await provider.start()
    yield provider
    await provider.stop()


@pytest.fixture
async def sidecar(tmp_path, upstream):
    path = tmp_path / "rules.yaml"
    timeouts = "{connect: 1, first_byte: 100, idle: 100, total: 100}"
    path.write_text(
        rules([f"{upstream.url_of_mine}/v1"], timeouts=timeouts, extra="limits: {grace: 100}\n")
    )
    made = SidecarProcess(path, tmp_path / "state", ENV)
    await made.start()
    yield made
    made.kill()
    await made.process.wait()


async def told(sidecar, words):
    """Wait until the process has said it."""
    async with asyncio.timeout(20):
        while words not in (text := sidecar.log.read_text()):
            await asyncio.sleep(0.01)
    return text


async def under_way(sidecar, upstream):
    """A stream that has begun and stands still."""
    upstream.always("stall_mid:3")
    asked = asyncio.ensure_future(call(sidecar.address, REVERSE, None, CHAT))
    await upstream.journal.wait_for(lambda entry: entry.stalled)
    return asked


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_second_signal_ends_open_streams_settled(sidecar, upstream, tmp_path, number):
    asked = await under_way(sidecar, upstream)

    sidecar.process.send_signal(number)
    text = await told(sidecar, "stopping: 1 open call gets up to 100 s")
    assert "again ends them at once" in text
    assert sidecar.process.returncode is None
    sidecar.process.send_signal(number)

    async with asyncio.timeout(20):
        reply = await asked
        assert await sidecar.process.wait() == 0
    assert not reply.clean
    assert "shutting_down" in str(reply.body)
    (row,) = rows(tmp_path / "state")
    assert (row["state"], row["error"]) == ("truncated", "shutdown")
    assert audit(tmp_path / "state" / "ledger.sqlite").ok


async def test_the_third_signal_exits_whatever_it_waits_for(sidecar, upstream, tmp_path):
    """Here a lock on the ledger that another program does not give back."""
    asked = await under_way(sidecar, upstream)
    ledger = sqlite3.connect(tmp_path / "state" / "ledger.sqlite", isolation_level=None)
    ledger.execute("BEGIN IMMEDIATE")

    sidecar.process.send_signal(signal.SIGTERM)
    await told(sidecar, "stopping: 1 open call")
    sidecar.process.send_signal(signal.SIGTERM)
    await told(sidecar, "once more exits without waiting")
    sidecar.process.send_signal(signal.SIGTERM)

    async with asyncio.timeout(20):
        assert await sidecar.process.wait() == 128 + signal.SIGTERM
    ledger.close()
    asked.cancel()


@pytest.mark.parametrize(("level", "at_terminal", "lines"), [
    (logging.INFO, False, 1), (logging.INFO, True, 1), (logging.ERROR, True, 1), (logging.ERROR, False, 0),
])  # fmt: skip
def test_a_terminal_is_told_however_little_is_logged(
    monkeypatch, caplog, capsys, level, at_terminal, lines
):
    caplog.set_level(level, "wattline")
    monkeypatch.setattr("sys.stderr.isatty", lambda: at_terminal)
    serving._say("stopping")
    written = capsys.readouterr().err.splitlines()
    told = [line for line in (*caplog.messages, *written) if line.endswith("stopping")]
    assert len(told) == lines


async def test_without_open_calls_a_stop_is_short(sidecar):
    await sidecar.stop()
    assert "stopping\n" in sidecar.log.read_text()
