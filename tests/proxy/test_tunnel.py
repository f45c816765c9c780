"""Forward use: what is not ours is tunnelled byte for byte, and only where it may go."""

from __future__ import annotations

import asyncio

import pytest

from kit.certs import authority
from kit.clients import Way, dial
from kit.sidecars import running


async def connect(address, target: str) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return head


FORBIDDEN = [
    "127.0.0.1:{port}",
    "localhost:{port}",
    "127.1:{port}",
    "2130706433:{port}",
    "0x7f000001:{port}",
    "0.0.0.0:{port}",
    "[::1]:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "127.0.0.1:22",
    "10.0.0.1:443",
    "192.168.1.1:443",
    "169.254.169.254:80",
    "[fe80::1]:443",
    "0.0.0.0:443",
    "224.0.0.1:443",
    "8.8.8.8:22",
    "8.8.8.8:25",
]


@pytest.mark.parametrize("target", FORBIDDEN)
async def test_forbidden_destinations_get_403(tmp_path, target):
    """T1, T2, T5: no open proxy, no way to the machine's own ports."""
    async with running(tmp_path, 1) as sidecar:
        head = await connect(sidecar.address, target.format(port=sidecar.address[1]))
        assert b" 403 " in head.split(b"\r\n")[0]


async def test_plain_requests_to_forbidden_hosts_reach_nobody(tmp_path):
    """Absolute-form requests are checked on the resolved address too."""
    canary: list[bytes] = []

    async def seen(reader, writer):
        canary.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(seen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running(tmp_path, 1) as sidecar:
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        async with asyncio.timeout(10):
            answer = await reader.read(65536)
        assert b" 403 " in answer.split(b"\r\n")[0]
        assert b'"code":"forbidden_destination"' in answer.replace(b": ", b":")
        assert b"is not among tunnel.ports in rules.yaml" in answer
        assert b"killed" not in answer
        assert b"refused: " not in answer
        assert not canary
        writer.close()
    server.close()


async def test_other_hosts_are_tunnelled_with_their_own_certificate(tmp_path):
    """A host that `intercept` does not list: the origin's certificate, byte for byte."""
    signer = authority(tmp_path)
    context = signer.server("localhost")
    echoed = b"\x00\x01\xff" * 1000

    async def echo(reader, writer):
        writer.write(await reader.readexactly(len(echoed)))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    extra = f"tunnel: {{policy: listed, hosts: [localhost, 127.0.0.1], ports: [{port}]}}\n"
    async with running(tmp_path, 1, extra=extra) as sidecar:
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(f"CONNECT localhost:{port} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(signer.client(), server_hostname="localhost")
        writer.write(echoed)
        async with asyncio.timeout(10):
            assert await reader.readexactly(len(echoed)) == echoed
        writer.close()
    server.close()


async def test_intercepted_hosts_get_a_certificate_of_ours(tmp_path):
    async with running(tmp_path, 1) as sidecar:
        _, writer = await dial(sidecar.address, Way("api.openai.com"), sidecar.ca)
        issuer = dict(x[0] for x in writer.get_extra_info("peercert")["issuer"])
        assert issuer["commonName"] == "wattline CA"
        writer.close()
