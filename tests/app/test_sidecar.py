"""What a running sidecar tells others: its mark in the state folder, and warnings of a reload."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from kit.processes import free_port
from kit.sidecars import QUICK, running
from wattline.app.sidecar import Sidecar
from wattline.base.settings import Settings
from wattline.demo.provider import DemoProvider

TEXT = """
version: 1
listen: {{port: {port}}}
providers:
  a: {{url: "https://a.test/v1", key: "${{KEY_A}}"}}
  b: {{url: "https://b.test/v1", key: "${{KEY_B}}"}}
auth: {{mode: keys, keys: {{alice: "${{ALICE}}"}}}}
rules: [{{name: all, try: [a/m, b/m]}}]
"""
KEYS = {"KEY_A": "sk-secret-of-a-0123", "ALICE": "alice-0123456789abcdef"}


async def test_the_mark_names_what_the_sidecar_has_and_holds_no_value(tmp_path):
    async with running(tmp_path, 0, text=TEXT.format(port=9000), env=KEYS) as sidecar:
        path = tmp_path / "state" / "sidecar.json"
        mark = json.loads(path.read_text())
        assert (mark["host"], mark["port"]) == sidecar.address
        assert mark["rules"] == str(tmp_path / "rules.yaml")
        assert mark["rules_version"] == sidecar.sidecar.books.current.version
        assert mark["providers"] == {"a": None, "b": "No API key for b: KEY_B is not set"}
        assert mark["callers"] == ["alice"]
        assert mark["several_keys"] == []
        assert not any(value in path.read_text() for value in KEYS.values())

        text = TEXT.format(port=9000).replace(
            '  b: {url: "https://b.test/v1", key: "${KEY_B}"}', ""
        )
        sidecar.rules.write_text(text.replace(", b/m", ""))
        await sidecar.sidecar.books.fresh()
        assert set(json.loads(path.read_text())["providers"]) == {"a"}
    assert not path.exists()


async def test_a_reload_goes_on_where_the_mark_can_not_be_written(tmp_path, caplog):
    async with running(tmp_path, 0, text=TEXT.format(port=9000), env=KEYS) as sidecar:
        (tmp_path / "state" / "sidecar.json.new").mkdir()
        sidecar.rules.write_text(TEXT.format(port=9000) + "# changed\n")
        before = sidecar.sidecar.books.current
        assert await sidecar.sidecar.books.fresh() is not before
        assert "can't be told of this sidecar" in caplog.text


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [(None, None, "takes effect at the next start: then"), ("127.0.0.1", 0, "has no effect")],
)
async def test_a_changed_listen_is_warned_of_once(tmp_path, caplog, host, port, words):
    """The address in force never plays a part: a free port was taken, or --port given."""
    path, unused_port = tmp_path / "rules.yaml", free_port()
    path.write_text(TEXT.format(port=unused_port))
    settings = Settings(path, tmp_path / "state", host=host, port=port, env=KEYS)
    upstream = DemoProvider(QUICK)
    await upstream.start()
    async with Sidecar(settings, demo=upstream) as sidecar:
        caplog.set_level(logging.WARNING, "wattline")
        for line in ("# one", "# two"):
            path.write_text(TEXT.format(port=unused_port) + line)
            await sidecar.books.fresh()
        assert "listen" not in caplog.text
        for line in ("# one", "# two"):
            path.write_text(TEXT.format(port=9001) + line)
            await sidecar.books.fresh()
        assert caplog.text.count("`listen`") == 1
        assert words in caplog.text
        path.write_text(TEXT.format(port=9002))
        await sidecar.books.fresh()
        assert caplog.text.count("`listen`") == 2
    await upstream.stop()


async def test_hurry_ends_the_calls_that_a_stop_waits_for(tmp_path):
    """With an error and settled: the ledger adds up (which `running` checks)."""
    chat = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with running(tmp_path, 1) as sidecar:
        upstream = sidecar.upstreams[0]
        upstream.always("stall_head")
        asked = asyncio.ensure_future(sidecar.call(chat))
        await upstream.journal.wait_for(lambda entry: entry.stalled)
        stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=60))
        await asyncio.sleep(0)
        assert sidecar.sidecar.open_calls == 1
        sidecar.sidecar.hurry()
        async with asyncio.timeout(10):
            reply = await asked
            await stopping
        assert reply.status == 503
        assert reply.json()["error"]["code"] == "shutting_down"


async def test_what_has_not_started_can_be_stopped(tmp_path):
    sidecar = Sidecar(Settings(tmp_path / "none", tmp_path / "state"))
    sidecar.hurry()
    await sidecar.stop()
    assert not (tmp_path / "state").exists()
