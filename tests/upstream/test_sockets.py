"""Upgrades against servers that misbehave: only a real 101 opens a socket, and a key never strays."""

from __future__ import annotations

import asyncio
import base64
import hashlib

import pytest

from kit import faulty as f
from wattline.base.origin import AuthStyle, Credential, Origin
from wattline.rules.compiled.provider import Timeouts
from wattline.upstream.base import Broken
from wattline.upstream.guard import Listeners
from wattline.upstream.sockets import Refused, SocketConnector
from wattline.wire.websocket import Closed, Message

SECRET = "sk-test-0123456789abcdef"
QUICK = Timeouts(connect=2, first_byte=0.3, idle=1, total=5)
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@pytest.fixture
def connector(ca):
    return SocketConnector(Listeners(), max_bytes=1000, tls=ca.client())


@pytest.fixture
def upgrade(to):
    def make(origin, **changes):
        values = {"method": "GET", "path": "/v1/realtime?model=m", "headers": (), "body": b""}
        return to(origin, **(values | changes))

    return make


def accepting(more=b"", *, then=b"", key=None):
    """A server that says 101, correctly unless `key` is another."""

    async def fault(peer):
        seen = await peer.request()
        nonce = key or seen.values("sec-websocket-key")[0]
        token = base64.b64encode(hashlib.sha1(nonce + GUID, usedforsecurity=False).digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        await peer.send(head + b"sec-websocket-accept: " + token + b"\r\n" + more + b"\r\n" + then)
        await peer.until_gone()

    return fault


async def broken(connector, outgoing):
    with pytest.raises(Broken) as caught:
        await connector.open(outgoing, [], QUICK)
    assert SECRET not in str(caught.value)
    return caught.value.code


async def test_an_upgrade_carries_its_own_key_and_the_first_messages_come(
    connector, upgrade, serve
):
    async with serve(accepting(then=b"\x81\x02hi\x88\x02\x03\xe8")) as server:
        socket = await connector.open(upgrade(server.origin), ["realtime"], QUICK)
        assert await socket.read() == [Message(b"hi"), Closed(1000)]
        await socket.send(socket.frames.message(Message(b"x")))
        socket.close(1000)
        (seen,) = server.requests
        assert seen.values("authorization") == [f"Bearer {SECRET}".encode()]
        assert seen.values("sec-websocket-protocol") == [b"realtime"]
        assert seen.values("sec-websocket-extensions") == []
        assert seen.lines[0] == b"GET /v1/realtime?model=m HTTP/1.1"


REFUSALS = {
    "with a length": f.whole(b'{"error":1}', status="401 Unauthorized"),
    "no length": b"HTTP/1.1 503 Busy\r\nretry-after: 3\r\n\r\nbusy",
    "no body": b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    "no upgrade": f.whole(b"<html>"),
    "cut": b"HTTP/1.1 500 Oops\r\ncontent-length: 99\r\n\r\nhalf",
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_refusals_are_told_whole(connector, upgrade, name):
    data = REFUSALS[name]
    async with f.faulty(f.then_close(data)) as server:
        with pytest.raises(Refused) as caught:
            await connector.open(upgrade(server.origin), [], QUICK)
    assert caught.value.status == int(data.split()[1])
    assert data.endswith(caught.value.body)


async def test_an_endless_refusal_is_bounded(connector, upgrade):
    async def fault(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 500 Oops\r\n\r\n")
        for _ in range(100):
            await peer.send(b"x" * 65_536)

    async with f.faulty(fault) as server:
        with pytest.raises(Refused) as caught:
            await connector.open(upgrade(server.origin), [], QUICK)
    assert len(caught.value.body) == 65_536


NO_HTTP = {
    "garbage": (f.garbage(), "bad_answer"),
    "wrong token": (accepting(key=b"x"), "bad_answer"),
    "a protocol that nobody offered": (accepting(b"sec-websocket-protocol: x\r\n"), "bad_answer"),
    "an extension that nobody offered": (
        accepting(b"sec-websocket-extensions: permessage-deflate\r\n"),
        "bad_answer",
    ),
    "endless head": (f.endless_head(), "bad_answer"),
    "closed": (f.close_before_head(), "reset"),
    "reset": (f.reset_before_head(), "reset"),
    "silent": (f.hang_before_head(), "first_byte_timeout"),
}


@pytest.mark.parametrize("name", NO_HTTP)
async def test_what_is_no_answer(connector, upgrade, name):
    fault, code = NO_HTTP[name]
    async with f.faulty(fault) as server:
        found = await broken(connector, upgrade(server.origin))
    # A server that resets while it still sends is seen as either.
    assert found == code or (name == "endless head" and found == "reset")


async def test_nobody_listens(connector, upgrade):
    assert await broken(connector, upgrade(f.refused_origin())) == "refused"


@pytest.mark.parametrize(
    "changes", [{"expired": True}, {"self_signed": True}, {"hosts": ["x.test"]}]
)
async def test_certificates_are_verified(connector, upgrade, ca, changes):
    hosts = changes.pop("hosts", ["127.0.0.1"])
    async with f.faulty(accepting(), tls=ca.server(*hosts, **changes)) as server:
        assert await broken(connector, upgrade(server.origin)) == "tls"
        assert server.requests == []


async def test_a_key_goes_to_its_own_origin_only(connector, upgrade):
    async with f.faulty(accepting()) as server:
        stray = Credential(Origin("https", "api.other.test", 443), AuthStyle.BEARER, SECRET)
        outgoing = upgrade(server.origin, credential=stray)
        assert await broken(connector, outgoing) == "credential_origin"
        beside = upgrade(server.origin, headers=(("authorization", "Bearer x"),))
        assert await broken(connector, beside) == "credential_origin"
        assert server.connections == 0


async def test_our_own_door_is_no_provider(upgrade, ca):
    """Whatever name leads there."""
    async with f.faulty(accepting()) as server:
        port = server.origin.port

        async def resolve(_host, _port):
            return ["127.0.0.1"]

        own = Listeners([("127.0.0.1", port)])
        connector = SocketConnector(own, max_bytes=9, resolve=resolve, tls=ca.client())
        origin = Origin("http", "innocent.test", port)
        assert await broken(connector, upgrade(origin)) == "own_listener"
        assert server.connections == 0


async def test_a_name_without_an_address(upgrade, ca):
    async def resolve(_host, _port):
        raise OSError("no such name")

    connector = SocketConnector(Listeners(), max_bytes=9, resolve=resolve, tls=ca.client())
    assert await broken(connector, upgrade(Origin("http", "none.test", 80))) == "dns"


@pytest.mark.parametrize("path", ["/a b", "v1", "/\r\nx: y", "/é"])
async def test_paths_that_are_none(connector, upgrade, path):
    origin = Origin("http", "127.0.0.1", 9)
    assert await broken(connector, upgrade(origin, path=path)) == "unsendable"


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "\udcff"])
async def test_hosts_that_are_none(connector, upgrade, host):
    assert await broken(connector, upgrade(Origin("http", host, 9))) == "unsendable"


async def test_an_end_without_a_goodbye(connector, upgrade, serve):
    async def fault(peer):
        await accepting()(peer)

    async def cut(peer):
        task = asyncio.ensure_future(fault(peer))
        await peer.server.arrived.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        peer.reset()

    async with serve(cut) as server:
        socket = await connector.open(upgrade(server.origin), [], QUICK)
        with pytest.raises(Broken) as caught:
            await socket.read()
        assert caught.value.code == "cut"
        socket.close()
        socket.close()
