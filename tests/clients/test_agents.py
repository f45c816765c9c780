"""Coding agents from npm, unmodified, each with a HOME of its own, through `wattline run --`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from kit.books import rows
from kit.certs import authority
from kit.internet import Asked, Internet, Noted, Relay, online, pump
from kit.socket_provider import KEY as SOCKET_KEY
from kit.socket_provider import SocketProvider
from kit.socket_provider import rules as socket_rules
from wattline.app.sidecar import Sidecar
from wattline.base.settings import Settings
from wattline.service.entrance.own_names import MAGIC_HOST
from wattline.store.audit import audit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "clients.md"
MADE_UP = "This is the wattline demo provider: no model was called."
NO_MODEL = {"MOCK_BASE_DELAY": "0", "MOCK_TOKEN_SPEED": "2000"}


@dataclass
class Done:
    code: int | None
    out: str
    err: str


@dataclass
class Desk:
    """A sidecar with the shipped rules and no keys, the internet behind it, and a relay that notes what
    commands write to it.
    """

    folder: Path
    state: Path
    sidecar: Sidecar
    internet: Internet
    relay: Relay
    ca: Path

    async def run(self, *command: str, env: dict[str, str] | None = None) -> Done:
        """`wattline run -- COMMAND`, which finds the sidecar by its mark in the state folder."""
        run = (sys.executable, "-m", "wattline", "run", "--state", str(self.state), "--")
        done = await self.alone(*run, *command, env=env)
        await self.relay.quiet()
        return done

    async def alone(self, *command: str, env: dict[str, str] | None = None) -> Done:
        """A command in a home of its own, with nothing of this machine's environment."""
        home = Path(tempfile.mkdtemp(dir=self.folder))
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=home,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT / "addons"),
                "HOME": str(home),
                "SSL_CERT_FILE": str(self.ca),
                **(env or {}),
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(60):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        return Done(process.returncode, out.decode(), err.decode())

    def untouched(self) -> list[str]:
        """The hosts to which something was tunnelled, once it is certain that it went byte for byte."""
        found = []
        far = [(bytes(one.up), bytes(one.down)) for one in self.internet.relay.connections]
        for near in self.relay.connections:
            host = tunnelled(near)
            if host in (None, MAGIC_HOST) or self.sidecar.books.current.intercepts(host):
                continue
            up, down = near.up.partition(b"\r\n\r\n")[2], near.down.partition(b"\r\n\r\n")[2]
            assert (bytes(up), bytes(down)) in far, host
            found.append(host)
        return found


def tunnelled(near: Noted) -> str | None:
    """The host of a CONNECT that was allowed."""
    line = near.up.partition(b"\r\n")[0].decode()
    if not line.startswith("CONNECT ") or b" 200 " not in near.down.partition(b"\r\n")[0]:
        return None
    return line.split(" ")[1].rpartition(":")[0]


@contextlib.asynccontextmanager
async def opened(
    folder: Path, patch: pytest.MonkeyPatch, rules: Path, **more: str
) -> AsyncIterator[Desk]:
    signer = authority(folder)
    state = folder / "state"
    env = {**NO_MODEL, "SSL_CERT_FILE": str(signer.file), **more}
    settings = Settings(rules=rules, state=state, host="127.0.0.1", port=0, env=env)
    async with online(signer, patch) as internet, Sidecar(settings) as sidecar:
        relay = Relay(sidecar.address[1])
        await relay.start()
        mark = json.loads((state / "sidecar.json").read_text())
        (state / "sidecar.json").write_text(json.dumps(mark | {"port": relay.port}))
        yield Desk(folder, state, sidecar, internet, relay, signer.file)
        await relay.stop()
    report = audit(state / "ledger.sqlite")
    assert report.ok, str(report)


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    async with opened(tmp_path, monkeypatch, ROOT / "rules.yaml") as found:
        yield found


class Outside:
    """A proxy that only tunnels, as if there were no sidecar: what an agent says by itself."""

    def __init__(self, internet: Internet) -> None:
        self._port = internet.relay.port

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.gather(pump(reader, back, bytearray()), pump(there, writer, bytearray()))
            back.close()
        writer.close()


def metered(desk: Desk) -> Sequence[dict]:
    """The ledger's rows, all of which were answered by the demo provider, once."""
    found = rows(desk.state)
    assert all(row["state"] == "complete" and row["provider"] == "demo" for row in found)
    assert all(row["energy"] > 0 for row in found)
    return found


def heads(asked: Sequence[Asked]) -> set[bytes]:
    """The requests without a body: nothing in them changes from run to run."""
    return {one.raw for one in asked if not one.body}


@pytest.fixture
def claude(agents: Path) -> str:
    found = agents.glob("@anthropic-ai/claude-code-*/claude")
    return str(
        min(found, key=lambda path: "musl" in path.parts[-2])
    )  # old versions of npm bring both


@pytest.fixture
def codex(agents: Path) -> str:
    return str(next(agents.glob("@openai/codex-*/vendor/*/bin/codex")))


KEY = {"ANTHROPIC_API_KEY": "sk-ant-none"}


async def test_claude_code_through_the_proxy(desk: Desk, claude: str):
    """Its calls to api.anthropic.com are answered and metered; all else that it says to that host arrives as
    it said it, and is not metered.
    """
    done = await desk.run("env", "ANTHROPIC_API_KEY=sk-ant-none", claude, "-p", "say hi")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(MADE_UP)
    (row,) = metered(desk)
    assert (row["operation"], row["dialect"], row["stream"]) == ("chat", "anthropic", 1)
    assert row["model"].startswith("claude-")
    others = list(desk.internet.requests)
    assert {one.host for one in others} == {"api.anthropic.com"}
    assert not any(one.target.startswith("/v1/messages") for one in others)
    events = [json.loads(one.body)["events"] for one in others if "/event_logging/" in one.target]
    assert sum(map(len, events)) > 10

    desk.internet.requests.clear()
    async with Outside(desk.internet) as proxy:
        env = {"HTTPS_PROXY": proxy, **KEY}
        await desk.alone(claude, "-p", "say hi", env=env)
    assert len(heads(others)) >= 4
    assert heads(others) <= heads(desk.internet.requests)


async def test_claude_code_by_its_base_url(desk: Desk, claude: str):
    """With a key of its own `run` sets ANTHROPIC_BASE_URL. It uses a tool, and counts as the ledger does."""
    command = (claude, "-p", "--output-format", "json", "--", "Please use the Read tool")
    done = await desk.run(*command, env=KEY)

    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["result"].startswith(MADE_UP)
    assert (result["is_error"], result["num_turns"]) == (False, 2)
    first, second = metered(desk)
    assert '"host":"127.0.0.1"' in first["features"]
    assert first["completion"] < second["completion"]
    assert result["usage"]["input_tokens"] == first["prompt"] + second["prompt"]
    assert result["usage"]["output_tokens"] == first["completion"] + second["completion"]
    assert not any(one.target.startswith("/v1/messages") for one in desk.internet.requests)


async def test_codex(desk: Desk, codex: str):
    """It asks for a WebSocket, which the demo has not, then over HTTP. What it says to hosts that are not
    listed (its telemetry, its plugins) is tunnelled byte for byte.
    """
    done = await desk.run(codex, "exec", "--skip-git-repo-check", "say hi")

    assert done.code == 0, done.err
    assert done.out.startswith(MADE_UP)
    (row,) = metered(desk)
    assert (row["operation"], row["stream"]) == ("responses", 1)
    # To whom it gets round before it ends is a matter of time.
    assert set(desk.untouched()) & {"ab.chatgpt.com", "chatgpt.com", "github.com"}
    assert "api.openai.com" not in {one.host for one in desk.internet.requests}


async def test_codex_by_its_config(desk: Desk, codex: str, tmp_path: Path):
    """docs/clients.md's config.toml, without the proxy."""
    (text,) = re.findall(r"^```toml\n(.*?)^```", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    home = tmp_path / "codex"
    home.mkdir()
    (home / "config.toml").write_text(text.replace("8088", str(desk.relay.port)))
    command = (codex, "exec", "--skip-git-repo-check", "say hi")
    async with Outside(desk.internet) as proxy:  # for what it says to others
        env = {"HTTPS_PROXY": proxy, "CODEX_HOME": str(home), "OPENAI_API_KEY": "unused"}
        done = await desk.alone(*command, env=env)

    assert done.code == 0, done.err
    assert done.out.startswith(MADE_UP)
    assert [row["operation"] for row in metered(desk)] == ["responses"]


async def test_codex_uses_a_tool(desk: Desk, codex: str):
    """Two calls in one turn, counted as the ledger does. The model is one whose tools Codex sends as such."""
    command = ("exec", "--skip-git-repo-check", "--json", "-m", "gpt-5", "Please use get_goal")
    done = await desk.run(codex, *command)

    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    said = [
        one["item"]["text"] for one in events if one.get("item", {}).get("type") == "agent_message"
    ]
    assert said[-1].startswith(MADE_UP)
    usage = events[-1]["usage"]
    first, second = metered(desk)
    assert usage["input_tokens"] == first["prompt"] + second["prompt"]
    assert usage["output_tokens"] == first["completion"] + second["completion"]


class Speaking(SocketProvider):
    """Says one sentence over a WebSocket, in the Responses API's own events."""

    async def _respond(self, socket: ServerConnection, frame: dict[str, Any]) -> None:  # noqa: ARG002  (as is its base's)
        self.number += 1
        name = f"resp_{self.number}"
        item = {"id": f"msg_{self.number}", "type": "message", "role": "assistant"}
        text = {"type": "output_text", "text": "Hi by socket.", "annotations": []}
        done = {**item, "status": "completed", "content": [text]}
        empty = {**item, "status": "in_progress", "content": []}
        at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        for event in (
            {"type": "response.created", "response": {"id": name}},
            {"type": "response.output_item.added", "output_index": 0, "item": empty},
            {"type": "response.output_text.delta", **at, "delta": "Hi by socket."},
            {"type": "response.output_item.done", "output_index": 0, "item": done},
        ):
            await socket.send(json.dumps(event))
        await self.end(socket, name)


async def test_codex_over_a_websocket(tmp_path: Path, monkeypatch, codex: str):
    """Codex's own way to ask: the provider gets its own key and model, the ledger its counts."""
    provider = Speaking()
    text = socket_rules([await provider.start()]).replace(
        "when: {model: 'm*'}, try: model", "try: [m0]"
    )
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    async with opened(tmp_path, monkeypatch, path, KEY_0=SOCKET_KEY) as desk:
        command = ("exec", "--skip-git-repo-check", "--json", "say hi")
        done = await desk.run("env", "OPENAI_API_KEY=sk-none", codex, *command)
        await provider.stop()
        found = rows(desk.state)

    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [one["item"]["text"] for one in events if "item" in one] == ["Hi by socket."]
    assert events[-1]["usage"]["input_tokens"] == provider.prompt
    (upgrade,) = provider.upgrades
    assert upgrade.values("authorization") == [f"Bearer {SOCKET_KEY}"]
    assert {frame["model"] for frame in provider.frames} == {"up0"}
    assert [frame.get("generate", True) for frame in provider.frames] == [False, True]
    counted = [(row["state"], row["prompt"], row["completion"]) for row in found]
    assert counted == [("complete", *given) for given in provider.given]
