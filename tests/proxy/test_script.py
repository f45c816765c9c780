"""`mitmdump -s addons/sidecar.py`: the same sidecar inside a stock mitmproxy."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from kit.clients import CONNECT_H2, REVERSE, call
from kit.sidecars import QUICK, rules
from wattline.demo.provider import DemoProvider

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def until_open(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def test_the_script_door_answers_like_the_sidecar(tmp_path):
    """Plain and streamed, as a base URL and intercepted; what it can't reach, it refuses."""
    upstream = DemoProvider(QUICK, allow_faults=True)
    url = await upstream.start()
    path = tmp_path / "rules.yaml"
    path.write_text(rules([f"{url}/v1"]))
    port = free_port()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "KEY_0": "sk-secret-of-upstream-0000",
        "WATTLINE_RULES": str(path),
        "WATTLINE_STATE": str(tmp_path / "state"),
    }
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("mitmdump"),
        *("-q", "-s", str(ROOT / "addons" / "sidecar.py")),
        *("--listen-host", "127.0.0.1", "-p", str(port), "--set", f"confdir={tmp_path / 'conf'}"),
        env=env,
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        await until_open(port)
        address = ("127.0.0.1", port)
        ca = tmp_path / "conf" / "mitmproxy-ca-cert.pem"
        async with asyncio.timeout(30):
            while (reply := await call(address, REVERSE, ca, CHAT)).status == 503:
                await asyncio.sleep(0.05)
        assert reply.status == 200
        assert reply.json()["usage"]["energy"] > 0
        listed = await call(address, REVERSE, ca, b"", path="/v1/models", method="GET")
        assert (listed.status, listed.json()["data"][0]["id"]) == (200, "m0")
        streamed = await call(address, CONNECT_H2, ca, {**CHAT, "stream": True})
        assert (streamed.status, streamed.clean) == (200, True)
        assert streamed.events[-2]["usage"]["energy"] > 0
        upstream.script(["cut:3"])
        broken = await call(address, CONNECT_H2, ca, {**CHAT, "stream": True})
        assert not broken.clean
    finally:
        process.terminate()
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        await upstream.stop()
    assert b"Traceback" not in out, out.decode()
    assert b"sk-secret" not in out
