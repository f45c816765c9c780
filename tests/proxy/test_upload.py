"""Uploads through the sidecar: large ones, their model's name, failover, and what is refused."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import h11
import pytest

from kit.books import rows
from kit.clients import CONNECT_H1, CONNECT_H2, REVERSE, H1Client, Reply, Way, client
from kit.processes import SidecarProcess
from kit.receivers import Receiver
from kit.sidecars import running
from wattline.store.audit import audit

MIB = 1024 * 1024
PATH = "/v1/audio/transcriptions"
BOUNDARY = "----wattline-test-7MA4YWxkTrZu0gW"
TYPE = ("content-type", f"multipart/form-data; boundary={BOUNDARY}")
BIG = 300_000_000
BLOCK = random.Random(1).randbytes(MIB)
TARGET = "openai/whisper-large-v3-turbo"
CHAIN = """version: 1
health: {{breaker: false}}
limits: {{upload_bytes: {limit}}}
intercept: [api.openai.com]
providers:
{providers}
models:
{models}
  whisper-1: {{provider: p0, name: {target}, rate: '2.0', chain: [{chain}]}}
rules:
  - {{name: by-model, when: {{}}, try: model}}
"""


def chain(urls, limit=300 * MIB):
    """`whisper-1` at each of the URLs in order, under a name of its own at each."""
    providers, models, names = [], [], []
    for index, url in enumerate(urls):
        providers.append(
            f"  p{index}: {{url: {url}/v1, key: '${{KEY_{index}}}', dialect: openai,"
            " timeouts: {connect: 2, first_byte: 20, idle: 20, total: 60}}"
        )
        names.append(f"m{index}")
        models.append(f"  m{index}: {{provider: p{index}, name: {name(index)}, rate: '2.0'}}")
    return CHAIN.format(
        limit=limit,
        providers="\n".join(providers),
        models="\n".join(models),
        target=TARGET,
        chain=", ".join(names),
    )


def name(index):
    return TARGET if index == 0 else f"whisper-of-p{index}"


def audio(size) -> Iterator[bytes]:
    for _ in range(size // MIB):
        yield BLOCK
    yield BLOCK[: size % MIB]


def form(model, size, *, model_first=False) -> Iterator[bytes]:
    """The body in blocks: the file, and text fields after or before it."""
    part = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="%s"'
    fields = b"".join(
        f"{part % key}\r\n\r\n{value}\r\n".encode()
        for key, value in (("model", model), ("language", "en"))
    )
    if model_first:
        yield fields
    yield f'{part % "file"}; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n'.encode()
    yield from audio(size)
    yield b"\r\n"
    if not model_first:
        yield fields
    yield f"--{BOUNDARY}--\r\n".encode()


def digest(blocks):
    sha, size = hashlib.sha256(), 0
    for block in blocks:
        sha.update(block)
        size += len(block)
    return sha.hexdigest(), size


async def upload(
    address, blocks, size, *, chunked=False, way: Way = REVERSE, ca=None, headers=(TYPE,)
) -> Reply:
    """Send a body of `size` bytes in blocks; stop sending when the answer is here."""
    connection = await client(address, way, ca)
    assert isinstance(connection, H1Client)
    framing = ("transfer-encoding", "chunked") if chunked else ("content-length", str(size))
    host = way.connect or "localhost"
    head = h11.Request(method="POST", target=PATH, headers=[("host", host), *headers, framing])
    connection.writer.write(connection.wire.send(head) or b"")

    async def send() -> None:
        for block in blocks:
            for data in connection.wire.send_with_data_passthrough(h11.Data(data=block)) or []:
                connection.writer.write(data)
            await connection.writer.drain()
        connection.writer.write(connection.wire.send(h11.EndOfMessage()) or b"")

    async def read() -> None:
        async for _ in connection.pieces():
            pass

    sending, reading = asyncio.ensure_future(send()), asyncio.ensure_future(read())
    try:
        async with asyncio.timeout(60):
            await reading
        return connection.reply
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        connection.abort()


@asynccontextmanager
async def receivers(tmp_path, count, **more):
    """A sidecar in this process before raw upstreams."""
    async with AsyncExitStack() as stack:
        found = [await stack.enter_async_context(Receiver()) for _ in range(count)]
        text = chain([one.url for one in found], **more)
        env = {f"KEY_{index}": f"sk-secret-of-receiver-{index:04d}" for index in range(count)}
        sidecar = await stack.enter_async_context(running(tmp_path, 0, text=text, env=env))
        yield sidecar, found


def assert_arrived(request, model, size, *, model_first=False):
    wanted, length = digest(form(model, size, model_first=model_first))
    assert request.line == f"POST {PATH} HTTP/1.1"
    assert (request.size, request.digest, request.whole) == (length, wanted, True)
    assert request.headers["content-length"] == str(length)
    assert "transfer-encoding" not in request.headers
    assert request.headers["content-type"] == TYPE[1]


@pytest.mark.slow
async def test_300_mb_cost_no_memory(tmp_path):
    """A-009, A-186, A-032: all bytes arrive, with the target's model, and are never held."""
    async with Receiver() as upstream:
        path = tmp_path / "rules.yaml"
        path.write_text(chain([upstream.url]))
        process = SidecarProcess(path, tmp_path / "state", {"KEY_0": "sk-secret-of-receiver-0000"})
        await process.start()
        try:
            # The first call loads what is loaded lazily: that is no memory of an upload.
            blocks, size = form("whisper-1", 3 * MIB), digest(form("whisper-1", 3 * MIB))[1]
            assert (await upload(process.address, blocks, size)).status == 200
            idle = peak = process.resident()
            size = digest(form("whisper-1", BIG))[1]
            sending = asyncio.ensure_future(upload(process.address, form("whisper-1", BIG), size))
            while not sending.done():
                peak = max(peak, process.resident())
                await asyncio.wait([sending], timeout=0.01)
            reply = await sending
            assert (reply.status, reply.json()["text"]) == (200, "it arrived"), reply.body
            assert reply.headers["x-wattline-model"] == TARGET
            assert_arrived(upstream.requests[1], TARGET, BIG)
            assert peak - idle < 60 * MIB, f"{(peak - idle) / MIB:.0f} MiB over idle"
            assert open_spools(process.process.pid) == 0
        finally:
            await process.stop()
    assert [row["state"] for row in rows(tmp_path / "state")] == ["complete"] * 2
    assert audit(tmp_path / "state" / "ledger.sqlite").ok


def open_spools(process):
    """Deleted files that a process still has open: an upload's, if it was not closed."""
    links = []
    for link in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(str(link.readlink()))
    return sum(link.endswith(" (deleted)") for link in links)


@pytest.mark.parametrize("model_first", [False, True], ids=["model-last", "model-first"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("size", [0, 70_000, 3 * MIB])
async def test_an_upload_arrives_with_the_targets_model(tmp_path, size, chunked, model_first):
    """A-032: `whisper-1` becomes the target's name; all else is as it was sent."""
    async with receivers(tmp_path, 1) as (sidecar, (upstream,)):
        length = digest(form("whisper-1", size))[1]
        blocks = form("whisper-1", size, model_first=model_first)
        reply = await upload(sidecar.address, blocks, length, chunked=chunked)
        assert reply.status == 200, reply.body
        assert_arrived(upstream.requests[0], TARGET, size, model_first=model_first)
        auth = upstream.requests[0].headers["authorization"]
        assert auth == "Bearer sk-secret-of-receiver-0000"
    (row,) = rows(sidecar.state)
    assert (row["requested"], row["model"], row["state"]) == ("whisper-1", TARGET, "complete")


async def test_an_upload_through_an_intercepted_tunnel(tmp_path):
    """The client speaks to api.openai.com over TLS; the upload goes to the target."""
    async with receivers(tmp_path, 1) as (sidecar, (upstream,)):
        size = 2 * MIB
        length = digest(form("whisper-1", size))[1]
        blocks = form("whisper-1", size)
        reply = await upload(sidecar.address, blocks, length, way=CONNECT_H1, ca=sidecar.ca)
        assert reply.status == 200, reply.body
        assert_arrived(upstream.requests[0], TARGET, size)


async def test_an_upload_over_http2(tmp_path):
    async with receivers(tmp_path, 1) as (sidecar, (upstream,)):
        size = 2 * MIB
        connection = await client(sidecar.address, CONNECT_H2, sidecar.ca)
        body = b"".join(form("whisper-1", size))
        await connection.send("POST", PATH, [("host", "api.openai.com"), TYPE], body)
        async with asyncio.timeout(20):
            async for _ in connection.pieces():
                pass
        assert connection.reply.status == 200
        connection.close()
        assert_arrived(upstream.requests[0], TARGET, size)


@pytest.mark.parametrize("after", [0, 100_000, 4 * MIB], ids=["at-once", "midway", "at-its-end"])
@pytest.mark.parametrize("status", [503, 429])
async def test_an_upload_fails_over(tmp_path, status, after):
    """A-070: the next target gets all of it from its start, with its own model and key; also when
    the first one answers while it is still being sent to."""
    size = 3 * MIB
    async with receivers(tmp_path, 2) as (sidecar, (first, second)):
        first.refuse.append((status, after))
        length = digest(form("whisper-1", size))[1]
        reply = await upload(sidecar.address, form("whisper-1", size), length)
        assert reply.status == 200, reply.body
        assert reply.headers["x-wattline-provider"] == "p1"
        assert reply.headers["x-wattline-model"] == name(1)
        assert_arrived(second.requests[0], name(1), size)
        assert second.requests[0].headers["authorization"] == "Bearer sk-secret-of-receiver-0001"
        if after > size:
            assert_arrived(first.requests[0], TARGET, size)
    states = [(row["provider"], row["state"], row["error"]) for row in rows(sidecar.state)]
    assert states == [("p0", "failed", f"http_{status}"), ("p1", "complete", None)]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_over_the_limit_is_refused_at_once(tmp_path, chunked):
    """A-009: 413, when the head says so, or else after as many bytes; no row, nothing upstream."""
    async with receivers(tmp_path, 1, limit=2 * MIB) as (sidecar, (upstream,)):
        sent = []
        length = digest(form("whisper-1", BIG))[1]
        blocks = noted(form("whisper-1", BIG), sent)
        reply = await upload(sidecar.address, blocks, length, chunked=chunked)
        assert reply.status == 413, reply.body
        error = reply.json()["error"]
        assert error["code"] == "body_too_large"
        assert str(2 * MIB) in error["message"]
        assert sum(sent) < 40 * MIB, "it went on reading"
        assert not upstream.requests
        # Just the limit passes.
        size = 2 * MIB - digest(form("whisper-1", 0))[1]
        reply = await upload(sidecar.address, form("whisper-1", size), 2 * MIB)
        assert reply.status == 200
    assert len(rows(sidecar.state)) == 1


BROKEN = {
    "empty": b"",
    "no form": b"hello",
    "cut": b"".join(form("whisper-1", 5_000))[:-40],
    "another boundary": b"".join(form("whisper-1", 5_000)).replace(b"7MA4", b"8MA4"),
    "model twice": b"".join(form("whisper-1", 10)).replace(b'name="language"', b'name="model"'),
    "no model": b"".join(form("whisper-1", 10)).replace(b'name="model"', b'name="modal"'),
    "65 parts": b"".join(
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="f{n}"\r\n\r\nx\r\n'.encode()
        for n in range(65)
    )
    + f"--{BOUNDARY}--\r\n".encode(),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_form_is_the_clients_mistake(tmp_path, case):
    """400 in the dialect of the path; no row, nothing upstream."""
    async with receivers(tmp_path, 1) as (sidecar, (upstream,)):
        reply = await upload(sidecar.address, [BROKEN[case]], len(BROKEN[case]))
        assert reply.status == 400, reply.body
        assert reply.json()["error"]["type"] == "invalid_request_error"
        assert not upstream.requests
    assert rows(sidecar.state) == []


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 415),
        ("multipart/mixed; boundary=x", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=a; boundary=b", 400),
        (None, 415),
    ],
)
async def test_what_is_no_form_is_refused(tmp_path, kind, status):
    async with receivers(tmp_path, 1) as (sidecar, (upstream,)):
        body = b"".join(form("whisper-1", 100))
        headers = [("content-type", kind)] if kind else []
        reply = await upload(sidecar.address, [body], len(body), headers=headers)
        assert reply.status == status, reply.body
        assert not upstream.requests


@pytest.mark.parametrize("way", [REVERSE, CONNECT_H1, CONNECT_H2], ids=str)
async def test_a_client_that_leaves_in_its_upload_leaves_no_file(tmp_path, way):
    """Before the call begins: what came so far is given back at once."""
    async with receivers(tmp_path, 1) as (sidecar, (upstream,)):
        connection = await client(sidecar.address, way, sidecar.ca)
        before = await spools()
        body = b"".join(form("whisper-1", 3 * MIB))
        if isinstance(connection, H1Client):
            head = [
                ("host", way.connect or "localhost"),
                TYPE,
                ("content-length", str(len(body) * 2)),
            ]
            request = h11.Request(method="POST", target=PATH, headers=head)
            connection.writer.write((connection.wire.send(request) or b"") + body)
            await connection.writer.drain()
        else:
            pairs = [(":method", "POST"), (":scheme", "https"), (":path", PATH)]
            pairs += [(":authority", "api.openai.com"), TYPE]
            stream = connection.wire.get_next_available_stream_id()
            connection.wire.send_headers(stream, pairs)
            await push(connection, stream, body)
        assert await spools(before + 1) == before + 1
        connection.abort()
        assert await spools(before) == before
        assert not upstream.requests
    assert rows(sidecar.state) == []


async def push(connection, stream, body):
    """All of a body, as the windows let it, without an end."""
    while body:
        size = min(
            len(body),
            connection.wire.max_outbound_frame_size,
            connection.wire.local_flow_control_window(stream),
        )
        connection.wire.send_data(stream, body[:size])
        body = body[size:]
        connection.flush()
        await asyncio.sleep(0 if size else 0.001)


async def spools(wanted=None):
    """Files of uploads that this process has open; waits a while for a wanted number."""
    deadline = asyncio.get_running_loop().time() + (30 if wanted is not None else 0)
    while True:
        found = open_spools("self")
        if found == wanted or asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("size", [2 * MIB + 1, 10**19])
async def test_an_announced_size_over_the_limit_is_refused_before_its_body(tmp_path, size):
    """A-009: the head is enough to say no."""
    async with receivers(tmp_path, 1, limit=2 * MIB) as (sidecar, (upstream,)):
        before = await spools()
        reply = await upload(sidecar.address, nothing_more(), size)
        assert reply.status == 413
        assert reply.headers["connection"] == "close"
        assert await spools(before) == before
        assert not upstream.requests


def nothing_more() -> Iterator[bytes]:
    """The first bytes of a body whose rest never comes."""
    yield b"--"


async def test_a_client_that_asks_first_is_told_to_go_on(tmp_path):
    """`Expect: 100-continue`, as curl sends it for uploads."""
    async with receivers(tmp_path, 1) as (sidecar, (upstream,)):
        body = b"".join(form("whisper-1", 3 * MIB))
        reader, writer = await asyncio.open_connection(*sidecar.address)
        head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {TYPE[1]}\r\n"
        head += f"content-length: {len(body)}\r\nexpect: 100-continue\r\n\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(20):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
            writer.write(body)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert_arrived(upstream.requests[0], TARGET, 3 * MIB)
        assert "expect" not in upstream.requests[0].headers


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_a_refused_request_is_not_read_to_its_end(tmp_path, chunked):
    """Who has no key can't fill our memory: 401 long before a body of 300 MB is here."""
    async with Receiver() as upstream:
        text = chain([upstream.url]) + "\nauth: {mode: keys, keys: {ann: '${ANN}'}}\n"
        env = {"KEY_0": "sk-secret-of-receiver-0000", "ANN": "key-of-ann-0123456789"}
        async with running(tmp_path, 0, text=text, env=env) as sidecar:
            sent = []
            length = digest(form("whisper-1", BIG))[1]
            blocks = noted(form("whisper-1", BIG), sent)
            reply = await upload(sidecar.address, blocks, length, chunked=chunked)
            assert reply.status == 401, reply.body
            assert reply.headers["connection"] == "close"
            assert sum(sent) < 40 * MIB, "it went on reading"
            # A small body costs no connection.
            body = b"".join(form("whisper-1", 10_000))
            reply = await upload(sidecar.address, [body], len(body), chunked=chunked)
            assert (reply.status, reply.headers.get("connection")) == (401, None)
        assert not upstream.requests


def noted(blocks, sent):
    """The blocks, each one's size noted as it is taken."""
    for block in blocks:
        sent.append(len(block))
        yield block


async def test_sound_in_json_is_as_large_as_rules_let_it_be(tmp_path):
    """A-009: 32 MiB of JSON unless rules.yaml says more; it takes 300 MB too, which are held in memory then."""
    sound = {"format": "wav", "data": "A" * (33 * MIB)}
    content = [{"type": "input_audio", "input_audio": sound}]
    body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    times = "{connect: 2, first_byte: 20, idle: 20, total: 60}"
    async with running(tmp_path, 1, timeouts=times) as sidecar:
        reply = await sidecar.call(body)
        assert (reply.status, reply.json()["error"]["code"]) == (413, "body_too_large")
        sidecar.rules.write_text(sidecar.rules.read_text() + "limits: {json_bytes: 300000000}\n")
        await sidecar.sidecar.books.fresh()
        assert (await sidecar.call(body)).status == 200
        (entry,) = sidecar.upstreams[0].journal.requests
        assert len(entry.body) > 33 * MIB


async def test_no_time_of_a_call_counts_while_its_body_comes_in(tmp_path):
    """A-183: a slow client has `limits.body_seconds` for its body, whatever its call and providers have."""
    times = "{connect: 1, first_byte: 1, idle: 1, total: 1}"
    async with running(tmp_path, 1, timeouts=times, extra="limits: {deadline: 1}\n") as sidecar:
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}"
        )
        reader, writer = await asyncio.open_connection(*sidecar.address)
        async with asyncio.timeout(20):
            writer.write(f"{head}\r\n\r\n".encode())
            for start in range(0, len(body), 8):
                await asyncio.sleep(0.2)
                writer.write(body[start : start + 8])
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.close()
