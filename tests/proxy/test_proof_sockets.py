"""WebSockets that are passed on are proved to be left alone: those of calls, and all others."""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import asynccontextmanager

import pytest
from mitmproxy.proxy import commands
from mitmproxy.proxy.layers.tcp import TCPLayer
from websockets.asyncio.server import serve

from kit.proofs import proofs
from kit.sidecars import running
from kit.socket_provider import answer_local, forwarded, socket_providers, told
from wattline.cli.proof import proof as shown
from wattline.service.sockets import asking, hearing
from wattline.service.watching.proofs import proof_file
from wattline.wire.websocket import Closed, Frames, Message

RULES = """
version: 1
intercept: [provider.test]
proof: {tunnels: false, passed: %s}
tunnel: {policy: listed, hosts: [localhost, 127.0.0.1], ports: [%s]}
rules: [{name: theirs, when: {forward: true}, pass: true}]
"""
CREATE = {"type": "response.create", "model": "x", "input": "Say hello."}
PATHS = {"/v1/realtime?model=x": "response.done", "/v1/responses": "response.completed"}


@asynccontextmanager
async def stage(tmp_path, *, passed="true"):
    async with socket_providers(1) as (provider,):
        port = (await provider.start()).rsplit(":", 1)[1]
        text = RULES % (passed, port)
        async with running(tmp_path, 0, text=text, check=False) as sidecar:
            sockets = sidecar.sidecar.parts.calls.sockets
            sockets.services.upgrades.connector._resolve = answer_local
            yield sidecar, provider, f"provider.test:{port}"


class Noting:
    """A client's socket that keeps what it sent and got."""

    def __init__(self, socket) -> None:
        self.socket, self.sent, self.got = socket, [], []

    async def send(self, data) -> None:
        self.sent.append(data)
        await self.socket.send(data)

    async def recv(self):
        self.got.append(await self.socket.recv())
        return self.got[-1]


@asynccontextmanager
async def noting(sidecar, host, path):
    async with forwarded(sidecar, host, path) as socket:
        yield Noting(socket)


def digest(messages) -> str:
    found = hashlib.sha256()
    for message in messages:
        kind, data = ("t", message.encode()) if isinstance(message, str) else ("b", message)
        found.update(f"{kind}{len(data)}:".encode() + data)
    return found.hexdigest()


async def talk(sidecar, host, path):
    async with noting(sidecar, host, path) as socket:
        for number in range(2):
            await socket.send(json.dumps({**CREATE, "event_id": f"e{number}"}, indent=2))
            await told(socket, PATHS[path])
            await socket.send(b"\x00\xff" * 40_000)
            assert await socket.recv() == b"\x00\xff" * 40_000
    return socket


@pytest.mark.parametrize("path", PATHS)
async def test_every_message_of_a_call_that_is_passed_on(tmp_path, path, capsys):
    async with stage(tmp_path) as (sidecar, provider, host):
        socket = await talk(sidecar, host, path)
        (proof,) = await proofs(sidecar)
        counts = sidecar.sidecar.parts.records.settlement.counts.proofs
    assert (proof["kind"], proof["host"], proof["verdict"]) == (
        "socket",
        "provider.test",
        "untouched",
    )
    for way, messages in (("up", socket.sent), ("down", socket.got)):
        assert proof[way]["digest_in"] == proof[way]["digest_out"] == digest(messages)
        assert proof[way]["messages_in"] == proof[way]["messages_out"] == len(messages)
    assert len(provider.frames) == len(socket.sent) == 4
    assert counts == {("socket", "untouched"): 1}
    assert shown(sidecar.state, since="all") == 0
    text = capsys.readouterr().out
    assert "messages up" in text
    assert f" {len(socket.sent)} " in text


def other_byte(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


async def test_a_byte_that_differs_on_the_way_down_is_found(tmp_path, monkeypatch, capsys):
    """A fault of our own: the proof must say so."""
    monkeypatch.setattr(hearing, "scrub", lambda data, _: data.replace(b"Hel", b"Hem"))
    async with stage(tmp_path) as (sidecar, _, host):
        await talk(sidecar, host, "/v1/responses")
        (proof,) = await proofs(sidecar)
    assert proof["verdict"] == "changed"
    assert proof["down"]["digest_in"] != proof["down"]["digest_out"]
    assert proof["down"]["bytes_in"] == proof["down"]["bytes_out"]
    assert proof["up"]["digest_in"] == proof["up"]["digest_out"]
    assert shown(sidecar.state, since="all") == 1
    assert "CHANGED: socket" in capsys.readouterr().out


async def test_a_byte_that_differs_on_the_way_up_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "_written", lambda *asked: asked[2].replace(b"hello", b"hullo"))
    async with stage(tmp_path) as (sidecar, _, host):
        await talk(sidecar, host, "/v1/responses")
        (proof,) = await proofs(sidecar)
    assert proof["verdict"] == "changed"
    assert proof["up"]["digest_in"] != proof["up"]["digest_out"]
    assert proof["down"]["digest_in"] == proof["down"]["digest_out"]


@pytest.mark.parametrize("act", ["cut", "start_cut"])
async def test_a_provider_that_breaks_off_changes_nothing(tmp_path, act):
    """What we say ourselves is no part of it."""
    async with stage(tmp_path) as (sidecar, provider, host):
        provider.act = act
        async with noting(sidecar, host, "/v1/responses") as socket:
            await socket.send(json.dumps(CREATE))
            await told(socket, "error")
        (proof,) = await proofs(sidecar)
    assert proof["verdict"] == "untouched"
    assert proof["up"]["messages_in"] == 1
    ours = len(socket.got) - 1
    assert proof["down"].get("messages_in", 0) == ours == (0 if act == "cut" else 3)


async def test_a_client_that_leaves_changes_nothing(tmp_path):
    async with stage(tmp_path) as (sidecar, provider, host):
        provider.act = "start"
        async with noting(sidecar, host, "/v1/responses") as socket:
            await socket.send(json.dumps(CREATE))
            await told(socket, "response.created")
            socket.socket.transport.abort()
        (proof,) = await proofs(sidecar)
    assert proof["verdict"] in ("untouched", "cut")


async def test_off_by_default_nothing_is_written(tmp_path):
    async with stage(tmp_path, passed="false") as (sidecar, _, host):
        await talk(sidecar, host, "/v1/responses")
        await sidecar.sidecar.parts.records.proofs.written()
    assert not proof_file(sidecar.state).path.exists()


UPGRADE = (
    "GET http://{place}/x HTTP/1.1\r\nhost: {place}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
SAID = [Message(b"hello"), Message(b"\x00" * 70_000, text=False), Message(b"")]


async def echo(socket) -> None:
    async for message in socket:
        await socket.send(message)
        await socket.send(message)


@asynccontextmanager
async def echoing(tmp_path):
    """A server that says all twice, behind a sidecar that does not know it."""
    async with serve(echo, "127.0.0.1", 0, compression=None, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with running(tmp_path, 0, text=RULES % ("true", port), check=False) as sidecar:
            yield sidecar, f"localhost:{port}"


async def say_all(sidecar, place) -> tuple[bytes, bytes, list[Message]]:
    """Bytes that were sent and that came after the upgrade, and the messages in them."""
    reader, writer = await asyncio.open_connection(*sidecar.address)
    frames = Frames(client=True, max_bytes=1 << 20)
    async with asyncio.timeout(10):
        writer.write(UPGRADE.format(place=place).encode())
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        sent = b"".join(frames.message(message) for message in SAID)
        writer.write(sent)
        came, items = b"", []
        while len(items) < 2 * len(SAID):
            came += (data := await reader.read(65_536))
            assert data
            items += frames.feed(data)
        goodbye = frames.close(1000)
        writer.write(goodbye)
        while data := await reader.read(65_536):
            came += data
            items += frames.feed(data)
    writer.close()
    return sent + goodbye, came, [item for item in items if not isinstance(item, Closed)]


async def test_every_byte_of_any_other_websocket(tmp_path):
    """On a connection of mitmproxy's own: frames and all."""
    async with echoing(tmp_path) as (sidecar, place):
        sent, came, items = await say_all(sidecar, place)
        found = {proof["kind"]: proof for proof in await proofs(sidecar, 2)}
    assert items == [message for message in SAID for _ in range(2)]
    assert found["request"]["verdict"] == "untouched"
    proof = found["upgrade"]
    assert (proof["host"], proof["verdict"]) == ("localhost", "untouched")
    for way, data, count in (("up", sent, 3), ("down", came, 6)):
        assert proof[way]["bytes_in"] == proof[way]["bytes_out"] == len(data)
        assert proof[way]["digest_in"] == proof[way]["digest_out"]
        assert proof[way]["digest_out"] == hashlib.sha256(data).hexdigest()
        assert proof[way]["messages_in"] == proof[way]["messages_out"] == count


async def test_a_byte_that_differs_in_any_other_websocket_is_found(tmp_path, monkeypatch):
    relay = TCPLayer.relay_messages

    def altered(self, event):
        for command in relay(self, event):
            if isinstance(command, commands.SendData):
                command.data = command.data.replace(b"\x00" * 9, b"\x00" * 8 + b"\x01", 1)
            yield command

    monkeypatch.setattr(TCPLayer, "relay_messages", altered)
    async with echoing(tmp_path) as (sidecar, place):
        await say_all(sidecar, place)
        found = {proof["kind"]: proof for proof in await proofs(sidecar, 2)}
    assert found["upgrade"]["verdict"] == "changed"
    assert found["upgrade"]["down"]["bytes_in"] == found["upgrade"]["down"]["bytes_out"]
