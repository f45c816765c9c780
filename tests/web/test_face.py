"""Our own pages through real sockets: the way to them, what is kept from others, and their end."""

from __future__ import annotations

import asyncio
import json
import logging
from socket import IPPROTO_TCP, TCP_NODELAY

import pytest
from mitmproxy.proxy.events import DataReceived
from mitmproxy.proxy.server import ConnectionHandler
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection

from kit.clients import CONNECT_H2, REVERSE, Way, call, client, dial
from kit.pages import BASE, Pages, SocketClient
from kit.sidecars import running
from wattline.service.entrance.visitor import PREFIX, SECRET, VISIT, Visitor

LOCAL_H1 = Way("wattline.local")
LOCAL_H2 = Way("wattline.local", h2=True)
AUTH = """
auth:
  mode: keys
  keys: {ann: {key: "${ANN}", tier: gold}, bob: "${BOB}"}
"""
KEYS = {"ANN": "key-of-ann-0123456789", "BOB": "key-of-bob-0123456789"}


async def get(sidecar, path, way=REVERSE, **more):
    return await sidecar.call(b"", way, path=path, method="GET", **more)


async def raw(address, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(data)
    try:
        async with asyncio.timeout(10):
            return await reader.read(65536)
    finally:
        writer.close()


@pytest.fixture
async def open_face(tmp_path):
    """A sidecar in open mode with the test's pages."""
    pages = Pages()
    async with running(tmp_path, 1) as sidecar:
        pages.add(sidecar)
        yield sidecar, pages


@pytest.mark.parametrize("way", [REVERSE, LOCAL_H1, LOCAL_H2], ids=str)
async def test_a_page_is_reached_and_told_who_asks(open_face, way):
    """Design 7: as a base URL, and through the proxy as wattline.local, with HTTP/1.1 and HTTP/2."""
    sidecar, _ = open_face
    reply = await get(sidecar, f"{BASE}/seen", way, headers=[("x-request-id", "mine-1")])
    seen = reply.json()
    assert reply.status == 200
    assert (seen["peer"], seen["principal"]) == ("127.0.0.1", ["local", None])
    assert reply.headers["x-request-id"] == "mine-1"
    assert reply.headers["x-wattline-call"] == seen["id"]
    assert not [name for name, _ in seen["headers"] if name.startswith(PREFIX)]


async def test_the_magic_host_in_absolute_form(open_face):
    sidecar, _ = open_face
    data = f"GET http://wattline.local{BASE}/seen HTTP/1.1\r\nhost: wattline.local\r\nconnection: close\r\n\r\n"
    assert b'"principal":["local",null]' in await raw(sidecar.address, data.encode())


async def test_answers_have_safe_headers_and_no_server(open_face):
    """D-006."""
    sidecar, _ = open_face
    for path in (f"{BASE}/seen", f"{BASE}/nothing", f"{BASE}/bug"):
        headers = (await get(sidecar, path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in headers
        assert headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(SECRET, "")],
        [(SECRET, "guess")],
        [(SECRET, "right"), (SECRET, "right")],
        [(SECRET.upper(), "rightx")],
        [(f"{PREFIX}principal", "admin")],
    ],
)
async def test_the_port_answers_strangers_404_and_nothing_else(open_face, headers):
    sidecar, _ = open_face
    face = sidecar.sidecar.web
    told = [(name, value.replace("right", face.secret)) for name, value in headers]
    for path in ("/", "/v1/models", f"{BASE}/seen"):
        reply = await call(("127.0.0.1", face.port), REVERSE, None, b"", path=path, headers=told)
        assert (reply.status, reply.body) == (404, b"")
        assert set(reply.headers) <= {"transfer-encoding", "content-length", "connection"}


async def test_a_strangers_upgrade_is_answered_404(open_face):
    sidecar, _ = open_face
    socket = SocketClient(*await dial(("127.0.0.1", sidecar.sidecar.web.port), REVERSE, None))
    answer = await socket.open(f"{BASE}/echo", "127.0.0.1")
    assert isinstance(answer, RejectConnection)
    assert answer.status_code == 404
    socket.close()


async def test_the_secret_opens_the_port_to_a_visitor(open_face):
    """That the tests above fail for the right reason; without a visit the secret is not enough."""
    sidecar, _ = open_face
    face = sidecar.sidecar.web
    visitor = Visitor("req_1", "192.0.2.1")
    sidecar.sidecar.parts.entrance.visits.announce(visitor)
    for name, status in (("req_1", 200), ("req_2", 404)):
        told = [(SECRET, face.secret), (VISIT, name)]
        reply = await call(
            ("127.0.0.1", face.port),
            REVERSE,
            None,
            b"",
            path=f"{BASE}/seen",
            method="GET",
            headers=told,
        )
        assert reply.status == status


async def test_what_a_client_says_of_itself_is_not_heard(open_face):
    """Internal headers of a client are dropped; it stays who it is."""
    sidecar, _ = open_face
    said = [
        (VISIT, "req_of_somebody"),
        (SECRET, "guess"),
        ("proxy-authorization", "Basic eDp5"),
        ("connection", f"keep-alive, {SECRET}"),
    ]
    seen = (await get(sidecar, f"{BASE}/seen", headers=said)).json()
    assert seen["principal"] == ["local", None]
    names = [name for name, _ in seen["headers"]]
    assert "proxy-authorization" not in names
    assert not [name for name in names if name.startswith(PREFIX)]


async def test_callers_are_told_apart(tmp_path):
    """With keys: the principal and its tier; none for a key that nobody has."""
    pages = Pages()
    async with running(tmp_path, 1, extra=AUTH, env=KEYS) as sidecar:
        pages.add(sidecar)
        for key, wanted in [
            (KEYS["ANN"], ["ann", "gold"]),
            (KEYS["BOB"], ["bob", None]),
            ("unknown-key-0123456789", None),
        ]:
            told = [("authorization", f"Bearer {key}")]
            seen = (await get(sidecar, f"{BASE}/seen", headers=told)).json()
            assert seen["principal"] == wanted
        assert (await get(sidecar, "/v1/models")).status == 401
        reply = await get(sidecar, "/api/v1/providers")
        assert reply.json()["error"]["type"] == "authentication_error"


async def test_nobody_else_reaches_the_port_through_the_proxy(open_face):
    """CVE-2025-23217: not by CONNECT, not in absolute form, and not over a connection that is open."""
    sidecar, _ = open_face
    port = sidecar.sidecar.web.port
    target = f"127.0.0.1:{port}"
    connect = f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n"
    assert b" 403 " in (await raw(sidecar.address, connect.encode())).split(b"\r\n")[0]
    reader, writer = await asyncio.open_connection(*sidecar.address)
    first = f"GET http://wattline.local{BASE}/seen HTTP/1.1\r\nhost: wattline.local\r\n\r\n"
    writer.write(first.encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    writer.write(f"GET http://{target}{BASE}/seen HTTP/1.1\r\nhost: {target}\r\n\r\n".encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.split()[1] in {b"500", b"502"}
    writer.close()


async def test_nobody_sees_the_secret(open_face, caplog):
    """Not in an answer, not in a flow, not in a log line."""
    caplog.set_level(logging.DEBUG)
    sidecar, _ = open_face
    secret = sidecar.sidecar.web.secret
    flows = []

    class Watch:
        def requestheaders(self, flow):
            flows.append(flow)

    sidecar.sidecar.master.addons.add(Watch())
    for path in (f"{BASE}/seen", f"{BASE}/bug", f"{BASE}/none", "/v1/models"):
        reply = await get(sidecar, path)
        assert secret.encode() not in reply.body
        assert secret not in str(reply.headers)
    assert len(flows) == 4
    assert secret not in str([flow.get_state() for flow in flows])
    assert secret not in caplog.text
    flows.clear()
    assert "sk-of-nobody" not in reply.body.decode()


async def test_a_bug_is_told_without_a_word_of_it(open_face):
    sidecar, _ = open_face
    reply = await get(sidecar, f"{BASE}/bug")
    assert reply.status == 500
    assert reply.json()["error"]["type"] == "internal_error"
    assert b"RuntimeError" not in reply.body
    assert b"sk-of-nobody" not in reply.body


@pytest.mark.parametrize("way", [REVERSE, LOCAL_H2], ids=str)
@pytest.mark.parametrize(("size", "status"), [(1024 * 1024, 200), (1024 * 1024 + 1, 413)])
async def test_bodies_have_a_bound(open_face, way, size, status):
    sidecar, _ = open_face
    reply = await sidecar.call(b"x" * size, way, path=f"{BASE}/seen")
    assert reply.status == status
    if status == 413:
        assert reply.json()["error"]["type"] == "validation_error"  # the style of the path
    else:
        assert reply.json()["body"] == size


async def test_a_chunked_body_past_the_bound_is_refused(open_face):
    sidecar, _ = open_face
    head = f"POST {BASE}/seen HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    answer = await raw(sidecar.address, head.encode() + chunk + b"1\r\nx\r\n0\r\n\r\n")
    assert b" 413 " in answer.split(b"\r\n")[0]


async def test_an_answer_does_not_wait_for_an_acknowledgement(open_face):
    """Its head and its body are two writes: without TCP_NODELAY each page takes 40 ms."""
    sidecar, _ = open_face
    connection = await client(sidecar.address, REVERSE, None)
    try:
        assert (
            await sidecar.call(b"", path="/v1/models", method="GET", over=connection)
        ).status == 200
        (inner,) = sidecar.sidecar.web._server.server_state.connections
        option = inner.transport.get_extra_info("socket").getsockopt(IPPROTO_TCP, TCP_NODELAY)
        assert option == 1
    finally:
        connection.close()


async def test_head_is_answered_as_get_without_a_body(open_face):
    sidecar, _ = open_face
    reader, writer = await asyncio.open_connection(*sidecar.address)
    writer.write(b"HEAD /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head
    assert body == b""
    writer.close()


@pytest.mark.parametrize("way", [REVERSE, LOCAL_H1, LOCAL_H2], ids=str)
async def test_streams_come_as_they_are_made(open_face, way):
    sidecar, pages = open_face
    connection = await client(sidecar.address, way, sidecar.ca)
    await connection.send("GET", f"{BASE}/stream", [("host", "wattline.local")], b"")
    pieces = connection.pieces()
    async with asyncio.timeout(10):
        assert await anext(pieces) == b"data: 1\n\n"
        pages.go.set()
        assert b"".join([piece async for piece in pieces]) == b"data: 2\n\n"
    assert connection.reply.clean
    connection.close()


@pytest.mark.parametrize("way", [REVERSE, LOCAL_H2], ids=str)
async def test_a_client_that_leaves_is_noticed(open_face, way):
    sidecar, pages = open_face
    connection = await client(sidecar.address, way, sidecar.ca)
    await connection.send("GET", f"{BASE}/stream", [("host", "wattline.local")], b"")
    async with asyncio.timeout(10):
        await anext(connection.pieces())
        connection.abort()
        await pages.gone.wait()


@pytest.mark.parametrize("way", [REVERSE, LOCAL_H1], ids=str)
async def test_websockets(open_face, way):
    """D-052's way: text both ways, long messages, and the client's close."""
    sidecar, pages = open_face
    socket = SocketClient(*await dial(sidecar.address, way, sidecar.ca))
    answer = await socket.open(f"{BASE}/echo", "wattline.local")
    assert isinstance(answer, AcceptConnection)
    assert b"x-request-id" in {name for name, _ in answer.extra_headers}
    for text in ("hello", "ü" * 70_000, ""):
        await socket.send(text)
        assert await socket.text() == text
    socket.writer.write(socket.wire.send(CloseConnection(code=1000)))
    assert isinstance(await socket.next(), CloseConnection)
    async with asyncio.timeout(10):
        await pages.gone.wait()
    socket.close()


async def test_a_message_has_a_bound(open_face):
    sidecar, _ = open_face
    socket = SocketClient(*await dial(sidecar.address, REVERSE, None))
    await socket.open(f"{BASE}/echo", "localhost")
    await socket.send("x" * (1024 * 1024 + 1))
    event = await socket.next()
    assert isinstance(event, CloseConnection)
    assert event.code == 1009
    socket.close()


async def test_a_websocket_of_another_site_is_refused(open_face):
    """Cross-site WebSocket hijacking."""
    sidecar, _ = open_face
    socket = SocketClient(*await dial(sidecar.address, REVERSE, None))
    answer = await socket.open(f"{BASE}/echo", "localhost", [("origin", "https://evil.test")])
    assert isinstance(answer, RejectConnection)
    assert answer.status_code == 403
    socket.close()


async def test_a_stop_closes_websockets_with_a_word(open_face):
    """1001 at once for one that is idle, after its work for one that works."""
    sidecar, pages = open_face
    idle, busy = [SocketClient(*await dial(sidecar.address, REVERSE, None)) for _ in range(2)]
    await idle.open(f"{BASE}/echo", "localhost")
    await busy.open(f"{BASE}/work", "localhost")
    await pages.began.wait()
    stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=20))
    event = await idle.next()
    assert isinstance(event, CloseConnection)
    assert event.code == 1001
    idle.answer_close(event)
    assert not stopping.done()
    pages.go.set()
    assert await busy.text() == "done"
    event = await busy.next()
    assert isinstance(event, CloseConnection)
    assert event.code == 1001
    busy.answer_close(event)
    async with asyncio.timeout(10):
        await stopping
    idle.close()
    busy.close()


async def test_a_stop_lets_requests_end_and_refuses_new_ones(open_face):
    sidecar, pages = open_face
    other = await client(sidecar.address, REVERSE, None)
    host = [("host", "localhost")]
    await other.send("GET", f"{BASE}/seen", host, b"")
    assert [piece async for piece in other.pieces()]
    asked = asyncio.ensure_future(get(sidecar, f"{BASE}/wait"))
    await pages.began.wait()
    stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=20))
    async with asyncio.timeout(30):
        while not sidecar.sidecar.parts.entrance.local.stopping:
            await asyncio.sleep(0.005)
    await other.send("GET", f"{BASE}/seen", host, b"")
    refused = b"".join([piece async for piece in other.pieces()])
    assert other.reply.status == 503
    assert json.loads(refused)["error"]["details"]["code"] == "shutting_down"
    pages.go.set()
    assert (await asked).json() == {"waited": "yes"}
    async with asyncio.timeout(10):
        await stopping
    other.close()


@pytest.mark.parametrize("way", [REVERSE, LOCAL_H1, LOCAL_H2], ids=str)
async def test_after_the_grace_a_page_that_said_nothing_is_refused(open_face, way):
    """A whole 503 in the path's style: its client may ask again elsewhere."""
    sidecar, pages = open_face
    asked = asyncio.ensure_future(get(sidecar, f"{BASE}/wait", way))
    await pages.began.wait()
    async with asyncio.timeout(30):
        await sidecar.sidecar.stop(grace=0.05)
        reply = await asked
    assert (reply.status, reply.clean) == (503, True)
    assert reply.json()["error"]["details"]["code"] == "shutting_down"
    assert reply.headers["retry-after"] == "1"


@pytest.mark.parametrize("way", [REVERSE, LOCAL_H1, LOCAL_H2], ids=str)
async def test_after_the_grace_a_stream_that_began_is_cut_off(open_face, way):
    """Its end is no clean one, so that nobody takes it for whole."""
    sidecar, _ = open_face
    begun = await client(sidecar.address, way, sidecar.ca)
    await begun.send("GET", f"{BASE}/stream", [("host", "localhost")], b"")
    pieces = begun.pieces()
    assert await anext(pieces) == b"data: 1\n\n"
    async with asyncio.timeout(30):
        await sidecar.sidecar.stop(grace=0.05)
        left = [piece async for piece in pieces]
    assert b"".join(left) == b""
    assert begun.reply.status == 200
    assert not begun.reply.clean
    begun.close()


async def test_after_the_grace_a_request_that_still_comes_in_is_refused(open_face):
    sidecar, _ = open_face
    await get(sidecar, f"{BASE}/seen")
    reader, writer = await asyncio.open_connection(*sidecar.address)
    head = f"POST {BASE}/seen HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf"
    writer.write(head.encode())
    local = sidecar.sidecar.layers.edge.pending
    async with asyncio.timeout(30):
        while not any(stream.takes_body() for stream in local.streams()):
            await asyncio.sleep(0)
        await sidecar.sidecar.stop(grace=0.05)
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
    writer.close()


async def test_the_last_bytes_of_a_page_are_forwarded_before_the_end(open_face, monkeypatch):
    """The web face has written its answer; mitmproxy comes to read it only when the face is drained."""
    sidecar, pages = open_face
    drained, drain = asyncio.Event(), sidecar.sidecar.web.drain
    take = ConnectionHandler.server_event

    async def late(handler, event):
        if isinstance(event, DataReceived) and event.connection is not handler.client:
            await drained.wait()
        await take(handler, event)

    async def told(grace):
        await drain(grace)
        drained.set()

    monkeypatch.setattr(ConnectionHandler, "server_event", late)
    monkeypatch.setattr(sidecar.sidecar.web, "drain", told)
    asked = asyncio.ensure_future(get(sidecar, f"{BASE}/wait"))
    await pages.began.wait()
    pages.go.set()
    async with asyncio.timeout(30):
        await sidecar.sidecar.stop(grace=0)
        reply = await asked
    assert (reply.status, reply.json(), reply.clean) == (200, {"waited": "yes"}, True)


async def test_a_client_that_reads_late_gets_all_of_a_page(open_face):
    """HTTP/2: what its window has no room for waits in mitmproxy, after the page is over everywhere else."""
    sidecar, pages = open_face
    slow = await client(sidecar.address, LOCAL_H2, sidecar.ca)
    await slow.send("GET", f"{BASE}/large", [("host", "localhost")], b"")
    layers = sidecar.sidecar.layers.edge.pending.layers
    async with asyncio.timeout(30):
        while not any(layer.has_backlog() for layer in list(layers)) or sidecar.sidecar.web.busy:
            await asyncio.sleep(0)
        stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=30))
        while not sidecar.sidecar.parts.entrance.local.stopping:
            await asyncio.sleep(0)
        body = b"".join([piece async for piece in slow.pieces()])
        await stopping
    assert len(body) == pages.large_bytes
    assert slow.reply.clean
    slow.close()


async def test_hurry_ends_the_grace(open_face):
    sidecar, pages = open_face
    asked = asyncio.ensure_future(get(sidecar, f"{BASE}/wait"))
    await pages.began.wait()
    stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=60))
    async with asyncio.timeout(30):
        while not sidecar.sidecar.parts.entrance.local.stopping:
            await asyncio.sleep(0.005)
        sidecar.sidecar.hurry()
        await stopping
        assert (await asked).status == 503


async def test_a_dead_web_face_is_our_fault_and_not_told_where(open_face):
    sidecar, _ = open_face
    await sidecar.sidecar.web.stop()
    reply = await get(sidecar, "/v1/models")
    assert reply.status == 500
    assert str(sidecar.sidecar.web.port) not in reply.body.decode()


async def test_unknown_pages_are_answered_in_the_style_of_their_neighbours(open_face):
    """Decision 12."""
    sidecar, _ = open_face
    reply = await get(sidecar, "/api/v1/nothing")
    assert reply.status == 404
    assert set(reply.json()["error"]) >= {"type", "message", "trace_id"}
    reply = await get(sidecar, "/v1/models/none/of/these")
    assert (reply.status, reply.json()["error"]["code"]) == (404, "model_not_found")
    reply = await sidecar.call(b"{}", path="/v1/models")
    assert (reply.status, reply.json()["error"]["code"]) == (405, "method_not_allowed")


async def test_an_intercepted_host_keeps_its_own_pages(open_face):
    """GET api.openai.com/v1/models is that host's, not ours."""
    sidecar, _ = open_face
    reply = await get(sidecar, "/v1/models", CONNECT_H2)
    assert "x-wattline-call" not in reply.headers
