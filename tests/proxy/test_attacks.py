"""Attacks with HTTP/1 syntax, HTTP/2 frames, paths and web pages, through real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import batched

import h2.exceptions
import h2.settings
import pytest

from kit.attacks import CALLS, CHAT, GOOD, Frames, code, neighbour, raw, request, statuses
from kit.books import check_books
from kit.clients import CONNECT_H1, CONNECT_H2
from kit.faulty import faulty, good, whole
from kit.sidecars import running
from wattline.service.entrance.decision import Verdict
from wattline.service.entrance.reception import Reception

CHUNKED = b"transfer-encoding: chunked"


def chunks(body: bytes = GOOD, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n0\r\n%s\r\n" % (len(body), extension, body, trailer)


def chunked(body: bytes, *headers: bytes, **more) -> bytes:
    return request(*(headers or (CHUNKED,)), body=body, length=False, **more)


def line(text: bytes, **more) -> bytes:
    return request(line=text, **more)


async def test_a_head_that_cant_be_trusted_is_told_in_our_own_words(tmp_path):
    async with running(tmp_path, 1) as sidecar:
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(request(CHUNKED))
        async with asyncio.timeout(10):
            answer = await reader.read(65536)
        writer.close()
    assert b"Send one Content-Length, or Transfer-Encoding: chunked." in answer
    assert b"validate_inbound_headers" not in answer
    assert b"option" not in answer


REFUSED = {
    "both lengths": (request(CHUNKED), 400),
    "two codings": (chunked(chunks(), CHUNKED, CHUNKED), 400),
    "coding after a no-break space": (chunked(chunks(), b"transfer-encoding: \xa0chunked"), 400),
    "unknown coding": (chunked(chunks(), b"transfer-encoding: xchunked"), 400),
    "coding that is not chunked": (chunked(GOOD, b"transfer-encoding: gzip"), 400),
    "chunked in 1.0": (chunked(chunks(), line=b"POST /v1/chat/completions HTTP/1.0"), 400),
    "length +5": (request(b"content-length: +5", length=False), 400),
    "length -1": (request(b"content-length: -1", length=False), 400),
    "length 1_0": (request(b"content-length: 1_0", length=False), 400),
    "length 5, 5": (request(b"content-length: 5, 5", length=False), 400),
    "length 0x10": (request(b"content-length: 0x10", length=False), 400),
    "length 010": (request(b"content-length: 010", length=False), 400),
    "length empty": (request(b"content-length: ", length=False), 400),
    "length of 5000 digits": (request(b"content-length: " + b"9" * 5000, length=False), 400),
    "length beyond all": (request(b"content-length: " + b"9" * 19, length=False), 413),
    "two lengths": (request(b"content-length: 5"), 400),
    "two equal lengths": (request(b"content-length: %d" % len(GOOD)), 400),
    "folded header": (request(b"x-a: b", b" c"), 400),
    "folded first header": (request(b" x: y"), 400),
    "bare CR": (request(b"x-a: b\rc"), 400),
    "CR and a header": (request(b"x-a: y\rcontent-length: 5"), 400),
    "NUL in a value": (request(b"x-a: b\0c"), 400),
    "NUL in a name": (request(b"x\0a: b"), 400),
    "NUL in the path": (line(b"POST /v1/chat/compl\0etions HTTP/1.1"), 400),
    "space before the colon": (request(b"x-a : b"), 400),
    "length with space before the colon": (request(b"content-length : 5"), 400),
    "no colon": (request(b"foo"), 400),
    "no name": (request(b": foo"), 400),
    "name beyond ASCII": (request(b"x-\xc3\xa9: b"), 400),
    "HTTP/1.32": (line(b"POST /v1/chat/completions HTTP/1.32"), 400),
    "HTTP/2.0 in text": (line(b"POST /v1/chat/completions HTTP/2.0"), 505),
    "HTTP/3 in text": (line(b"POST /v1/chat/completions HTTP/3"), 400),
    "HTTP/0.9": (b"GET /health\r\n\r\n", 400),
    "small http": (line(b"POST /v1/chat/completions http/1.1"), 400),
    "space in the path": (line(b"POST /v1/chat /completions HTTP/1.1"), 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "asterisk": (line(b"OPTIONS * HTTP/1.1", body=b""), 400),
    "OPTIONS": (line(b"OPTIONS /v1/chat/completions HTTP/1.1", body=b""), 405),
    "HEAD of a call": (line(b"HEAD /v1/chat/completions HTTP/1.1", body=b""), 405),
    "TRACE": (line(b"TRACE /v1/chat/completions HTTP/1.1"), 405),
    "long method": (line(b"A" * 5000 + b" /v1/chat/completions HTTP/1.1"), 405),
    "method of symbols": (line(b'G=":<>(e),[T];?" /v1/chat/completions HTTP/1.1'), 405),
    "another host": (line(b"POST http://evil.invalid/v1/chat/completions HTTP/1.1"), 502),
    "another host, https": (line(b"POST https://evil.invalid/ HTTP/1.1"), 502),
    "another scheme": (line(b"POST ftp://api.openai.com/v1/chat/completions HTTP/1.1"), 400),
    "user in the URL": (line(b"POST http://api.openai.com@127.0.0.1/v1/ HTTP/1.1"), 400),
    "authority form": (line(b"POST api.openai.com:443 HTTP/1.1"), 400),
    "two hosts": (request(b"host: evil.test"), 400),
    "no host": (request(host=None), 400),
    "empty host": (request(host=b""), 400),
    "host with a path": (request(host=b"127.0.0.1/v1"), 400),
    "host with a query": (request(host=b"127.0.0.1?x"), 400),
    "host with a user": (request(host=b"a@127.0.0.1"), 400),
    "host with a space": (request(host=b"127.0.0.1 evil"), 400),
    "host with a list": (request(host=b"127.0.0.1,evil.test"), 400),
    "host with a bad port": (request(host=b"127.0.0.1:99999"), 400),
    "half an IPv6 host": (request(host=b"[::1"), 400),
    "WebSocket of our own": (
        request(
            b"upgrade: websocket",
            b"connection: upgrade",
            b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
            b"sec-websocket-version: 13",
            line=b"GET /v1/realtime HTTP/1.1",
            body=b"",
        ),
        400,
    ),
    "chunk size 0x5": (chunked(b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk size 0_5": (chunked(b"0_5\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk size +5": (chunked(b"+5\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk size -5": (chunked(b"-5\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk size empty": (chunked(b"\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk size of 21 digits": (chunked(b"f" * 21 + b"\r\nhello"), 400),
    "chunk longer than it says": (chunked(b"5\r\nhelloXX0\r\n\r\n"), 400),
    "trailers": (chunked(chunks(trailer=b"x-a: b\r\n")), 400),
    "trailers with a length": (chunked(chunks(trailer=b"content-length: 5\r\n")), 400),
}


@pytest.mark.parametrize("names", list(batched(REFUSED, 10)), ids=lambda names: names[0])
async def test_requests_that_are_no_http_are_answered_and_go_nowhere(tmp_path, names):
    """0.4, 0.5: one clear answer, nothing upstream, and the next connection is served."""
    async with running(tmp_path, 1) as sidecar:
        for number, name in enumerate(names):
            data, status = REFUSED[name]
            answer = await raw(sidecar.address, data, quiet=0.1)
            assert statuses(answer)[:1] == [status], (name, answer)
            assert all(other >= 400 for other in statuses(answer)), name
            assert b"mitmproxy" not in answer, name
            assert len(sidecar.upstreams[0].journal.requests) == number, name
            assert (await sidecar.call(CHAT)).status == 200, name


TAKEN = {
    "chunked": chunked(chunks()),
    "CHUNKED": chunked(chunks(), b"transfer-encoding: CHUNKED"),
    "chunk extensions": chunked(chunks(extension=b";a=b")),
    "line ends of LF alone": request().replace(b"\r\n", b"\n"),
    "HTTP/1.0": line(b"POST /v1/chat/completions HTTP/1.0"),
    "100,000 empty lines before": b"\r\n" * 100_000 + request(),
    "Expect": request(b"expect: 100-continue"),
    "h2c": request(
        b"upgrade: h2c",
        b"connection: upgrade, http2-settings",
        b"http2-settings: AAMAAABkAAQCAAAAAAIAAAAA",
    ),
    "WebSocket at a call": request(b"upgrade: websocket", b"connection: upgrade"),
    "Connection names a header": request(
        b"connection: close, authorization", b"authorization: Bearer x"
    ),
    "IPv6 host": request(host=b"[::1]:80"),
    "host of a magic name": request(host=b"wattline.local"),
    "host with a final dot": request(host=b"localhost."),
}


@pytest.mark.parametrize("name", TAKEN)
async def test_odd_requests_that_have_one_meaning_are_calls(tmp_path, name):
    """What can be read in one way only is built anew for the upstream: none of its oddness arrives."""
    async with running(tmp_path, 1) as sidecar:
        answer = await raw(sidecar.address, TAKEN[name])
        assert statuses(answer) == [200], answer
        (seen,) = sidecar.upstreams[0].journal.requests
        names = [name for name, _ in seen.headers]
        assert len(names) == len(set(names))
        assert not {"upgrade", "http2-settings", "expect", "transfer-encoding"} & set(names)
        assert (await sidecar.call(CHAT)).status == 200
    check_books(sidecar)


async def test_two_calls_in_one_segment_are_two_calls(tmp_path):
    """Pipelining: each answered, in order, each with its own row."""
    async with running(tmp_path, 1) as sidecar:
        answer = await raw(sidecar.address, request() + request(), quiet=1)
        assert statuses(answer) == [200, 200]
        assert len(sidecar.upstreams[0].journal.requests) == 2
    check_books(sidecar)


async def test_garbage_after_a_call_is_no_second_call(tmp_path):
    async with running(tmp_path, 1) as sidecar:
        answer = await raw(sidecar.address, request() + b"GARBAGE\0\r\n\r\n", quiet=1)
        assert statuses(answer) == [200, 400]
        assert len(sidecar.upstreams[0].journal.requests) == 1


async def test_a_smuggled_call_in_a_refused_body_is_none(tmp_path):
    """The body of a request that was refused is never read as a request."""
    async with running(tmp_path, 1) as sidecar:
        for outer in [b"POST /nope HTTP/1.1", b"BREW / HTTP/1.1", b"GET /health HTTP/1.1"]:
            answer = await raw(sidecar.address, request(line=outer, body=request()))
            assert len(statuses(answer)) == 1
        assert not sidecar.upstreams[0].journal.requests


async def test_what_follows_a_call_meanwhile_is_not_held_without_bound(tmp_path):
    """A client that pours data in while its call waits is cut off, not stored."""
    async with running(tmp_path, 1, timeouts="{first_byte: 30}") as sidecar:
        sidecar.upstreams[0].script(["stall_head"])
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(request())
        while not sidecar.upstreams[0].journal.requests:
            await asyncio.sleep(0.01)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(20):
                for _ in range(400):
                    writer.write(b"x" * 100_000)
                    await writer.drain()
                assert not await reader.read(100)
        writer.transport.abort()
        sidecar.upstreams[0].script(["ok"])
        assert (await sidecar.call(CHAT)).status == 200


@pytest.mark.parametrize("path", [CALLS, "/v1/audio/transcriptions", "/nope"])
@pytest.mark.parametrize("dripping", [True, False])
async def test_bodies_have_a_deadline(tmp_path, path, dripping):
    """A body that drips for ever, or stops half way, ends after `limits.body_seconds`."""
    async with running(tmp_path, 1, extra="limits: {body_seconds: 0.4}\n") as sidecar:
        reader, writer = await asyncio.open_connection(*sidecar.address)
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 60000\r\n\r\n"
        writer.write(head.encode() + b"{")

        async def drip():
            while dripping:
                writer.write(b" ")
                await asyncio.sleep(0.05)

        task = asyncio.ensure_future(drip())
        async with asyncio.timeout(10):
            answer = await reader.read(65536)
            assert statuses(answer) == [408], answer
            assert code(answer) == "body_timeout"
            assert not await reader.read(100)
        task.cancel()
        writer.close()
        assert not sidecar.upstreams[0].journal.requests
        assert (await sidecar.call(CHAT)).status == 200


# HTTP/2


def pseudo(**changes: str) -> list[tuple[str, str]]:
    fields = {"method": "POST", "scheme": "https", "authority": "api.openai.com", "path": CALLS}
    return [(f":{name}", value) for name, value in (fields | changes).items()]


BAD_FIELDS = {
    "CRLF in a value": [*pseudo(), ("x-a", "b\r\nx-evil: 1")],
    "LF in a value": [*pseudo(), ("x-a", "b\nx-evil: 1")],
    "NUL in a value": [*pseudo(), ("x-a", "b\0c")],
    "CRLF in a name": [*pseudo(), ("x-a\r\nx-evil", "1")],
    "CRLF in the path": pseudo(path=f"{CALLS} HTTP/1.1\r\nx-evil: 1\r\n\r\n"),
    "space in the path": pseudo(path=f"{CALLS} x"),
    "CRLF in the method": pseudo(method="POST / HTTP/1.1\r\nx-evil: 1"),
    "CRLF in the authority": pseudo(authority="api.openai.com\r\nx-evil: 1"),
    "two paths": [*pseudo(), (":path", "/v1/embeddings")],
    "two methods": [*pseudo(), (":method", "GET")],
    "no path": [pair for pair in pseudo() if pair[0] != ":path"],
    "no method": [pair for pair in pseudo() if pair[0] != ":method"],
    "empty path": pseudo(path=""),
    "path of another host": pseudo(path="http://evil.test/"),
    "pseudo-header at the end": [*pseudo()[:3], ("x-a", "b"), *pseudo()[3:]],
    "unknown pseudo-header": [*pseudo(), (":evil", "1")],
    "protocol": [*pseudo(method="CONNECT"), (":protocol", "websocket")],
    "upper case": [*pseudo(), ("X-A", "b")],
    "connection": [*pseudo(), ("connection", "close")],
    "transfer-encoding": [*pseudo(), ("transfer-encoding", "chunked")],
    "upgrade": [*pseudo(), ("upgrade", "websocket")],
    "te": [*pseudo(), ("te", "gzip")],
    "length too small": [*pseudo(), ("content-length", "5")],
    "length too large": [*pseudo(), ("content-length", str(len(GOOD) + 1))],
    "two lengths": [*pseudo(), ("content-length", str(len(GOOD))), ("content-length", "5")],
    "length of 5000 digits": [*pseudo(), ("content-length", "9" * 5000)],
    "length in other digits": [*pseudo(), ("content-length", "\u0665")],
    "host beside another authority": [*pseudo(), ("host", "evil.test")],
}


@pytest.mark.parametrize("names", list(batched(BAD_FIELDS, 10)), ids=lambda names: names[0])
async def test_http2_tricks_reach_nobody(tmp_path, names):
    """CVE-2025-57804 and its kind: the stream or the connection ends, the next one is served."""
    async with running(tmp_path, 1) as sidecar:
        for number, name in enumerate(names):
            async with Frames.open(sidecar) as frames:
                stream = frames.call(pseudo=BAD_FIELDS[name])
                with contextlib.suppress(h2.exceptions.ProtocolError):
                    status = await frames.until_over(stream)
                    assert status == 0 or status >= 400, (name, frames.body)
            assert len(sidecar.upstreams[0].journal.requests) == number, name
            assert (await sidecar.call(CHAT)).status == 200, name


@pytest.mark.parametrize("path", [CALLS, "/v1/audio/transcriptions"])
async def test_http2_bodies_have_a_deadline_too(tmp_path, path):
    """The stream is answered; its connection goes on."""
    async with running(tmp_path, 1, extra="limits: {body_seconds: 0.4}\n") as sidecar:
        async with Frames.open(sidecar) as frames:
            stream = frames.headers(pseudo(path=path), end=False)
            frames.wire.send_data(stream, b"{")
            frames.flush()
            assert await frames.until_over(stream) == 408
            assert b"body_timeout" in frames.body[stream]
            other = frames.call()
            assert await frames.until_over(other) == 200
        assert len(sidecar.upstreams[0].journal.requests) == 1


async def test_data_after_the_end_and_beyond_the_length_end_the_stream(tmp_path):
    """DATA after END_STREAM and DATA over content-length: no second call comes of them."""
    async with running(tmp_path, 1) as sidecar:
        async with Frames.open(sidecar) as frames:
            stream = frames.headers([*pseudo(), ("content-length", "5")], end=False)
            frames.wire.send_data(stream, GOOD, end_stream=True)
            frames.flush()
            with contextlib.suppress(h2.exceptions.ProtocolError):
                assert await frames.until_over(stream) in {0, 400}
        assert not sidecar.upstreams[0].journal.requests
        async with Frames.open(sidecar) as frames:
            stream = frames.call()
            late = len(GOOD).to_bytes(3) + b"\0\1" + stream.to_bytes(4) + GOOD
            frames.writer.write(late)
            with contextlib.suppress(h2.exceptions.ProtocolError):
                await frames.until_over(stream)
        assert len(sidecar.upstreams[0].journal.requests) <= 1
        assert (await sidecar.call(CHAT)).status == 200


async def test_an_hpack_bomb_is_refused(tmp_path):
    """CVE-2016-6581: one large header, named again 20,000 times by a byte each."""
    async with running(tmp_path, 1) as sidecar, Frames.open(sidecar) as frames:
        big = b"\x40\x03x-a" + b"\x7f\x81\x1e" + b"a" * 4000  # literal, into the table
        block = b"\x83\x87\x84" + big + b"\xbe" * 16_000
        frame = len(block).to_bytes(3) + b"\1\5" + (1).to_bytes(4) + block
        frames.writer.write(frame)
        with contextlib.suppress(h2.exceptions.ProtocolError):
            async with asyncio.timeout(10):
                while not frames.gone:
                    await frames.read()
        assert not frames.status
        assert (await sidecar.call(CHAT)).status == 200


async def test_a_flood_of_continuations_ends(tmp_path):
    """CVE-2024-24549 and its kind: a head in endless pieces is cut off."""
    async with running(tmp_path, 1) as sidecar, Frames.open(sidecar) as frames:
        piece = b"\x00\x03x-a\x7f\x81\x1e" + b"a" * 4000
        frames.writer.write(len(piece).to_bytes(3) + b"\1\0" + (1).to_bytes(4) + piece)
        sent = 0
        with contextlib.suppress(ConnectionError, h2.exceptions.ProtocolError):
            async with asyncio.timeout(20):
                for _ in range(2000):
                    frame = len(piece).to_bytes(3) + b"\x09\0" + (1).to_bytes(4) + piece
                    frames.writer.write(frame)
                    await frames.writer.drain()
                    sent += 1
                while not frames.gone:
                    await frames.read()
        assert not frames.status
        assert (await sidecar.call(CHAT)).status == 200


@pytest.mark.slow
async def test_rapid_reset_holds_nobody(tmp_path):
    """CVE-2023-44487: 2,000 streams opened and reset at once; a neighbour is served in a second."""
    patient = "{connect: 10, first_byte: 10, idle: 10, total: 20}"  # the neighbour's time is checked below
    async with running(tmp_path, 1, check=False, timeouts=patient) as sidecar:
        async with neighbour(sidecar) as record, Frames.open(sidecar) as frames:
            with contextlib.suppress(h2.exceptions.ProtocolError, ConnectionError):
                for number in range(2000):
                    stream = frames.headers(pseudo(), end=False)
                    frames.wire.send_data(stream, GOOD, end_stream=True)
                    frames.wire.reset_stream(stream, 8)
                    frames.flush()
                    if number % 50 == 49:
                        await frames.writer.drain()
                        await asyncio.sleep(0)
                while not frames.gone and len(record.seconds) < 10:
                    async with asyncio.timeout(10):
                        await asyncio.sleep(0.05)
        record.check()


async def test_a_window_of_nothing_holds_only_its_own_call(tmp_path):
    """A client with a window of 0, then of 1 byte: its answer waits, its neighbours do not."""
    window = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
    async with running(tmp_path, 1) as sidecar, Frames.open(sidecar, {window: 0}) as frames:
        stream = frames.call()
        assert (await sidecar.call(CHAT)).status == 200
        while stream not in frames.status:
            await frames.read()
        assert not frames.body.get(stream)
        frames.acknowledge = False
        for _ in range(20):
            frames.wire.increment_flow_control_window(1, stream)
            frames.flush()
            before = len(frames.body.get(stream, b""))
            async with asyncio.timeout(30):
                while len(frames.body.get(stream, b"")) == before:
                    await frames.read()
        frames.wire.increment_flow_control_window(65_535, stream)
        frames.flush()
        assert await frames.until_over(stream) == 200
    check_books(sidecar)


# Paths

TRICKS = [
    "/v1//chat/completions",
    "//v1/chat/completions",
    "/v1/chat//completions",
    "/v1/chat/completions/",
    "/v1/chat/completions//",
    "/v1/./chat/completions",
    "/./v1/chat/completions",
    "/v1/chat/./completions",
    "/v1/chat/completions/.",
    "/v1/../v1/chat/completions",
    "/../v1/chat/completions",
    "/v1/chat/x/../completions",
    "/v1/chat/completions/..",
    "/v1/chat/completions/x/..",
    "/v1%2fchat/completions",
    "/v1%2Fchat%2Fcompletions",
    "/%76%31/chat/completions",
    "/v1/%63hat/completions",
    "/v1/chat/completion%73",
    "/v1/chat/completions%00",
    "/v1/chat/completions%0a",
    "/v1/chat/completions%0d%0ax: y",
    "/v1/chat/completions%20",
    "/v1/chat/completions%09",
    "/v1/chat/completions%3f",
    "/v1/chat/completions%23",
    "/v1/chat/completions%2e",
    "/v1/%2e%2e/v1/chat/completions",
    "/v1/%2e/chat/completions",
    "/v1/chat/completions%",
    "/v1/chat/completions%zz",
    "/v1/chat/completions%252f",
    "/v1/chat%252fcompletions",
    "/v1/chat/completions;x=y",
    "/v1;x/chat/completions",
    "/v1/chat;/completions",
    "/v1/chat/completions#x",
    "/v1/chat\\completions",
    "\\v1\\chat\\completions",
    "/v1\\..\\v1/chat/completions",
    "/V1/chat/completions",
    "/v1/Chat/Completions",
    "/v1/CHAT/COMPLETIONS",
    "/v1/chat/completions.",
    "/v1/chat/completions..",
    "/v1./chat/completions",
    "/v1/chat./completions",
    "/v1/chat/completions.json",
    "/v1/chat/completions~",
    "/v1/chat/completions,",
    "/v1/chat/completions:batch",
    "/v1/chat/completions&x",
    "/v1/chat/completions=",
    "/v1/chat/completions'",
    '/v1/chat/completions"',
    "/v1/chat/completions|",
    "/v1/chat/completions?",
    "/v1/chat/completions?x=/../y",
    "/v1/chat/completions?api-version=1&x=%2f%2e",
    "/v1/chat/completions?x#y",
    "/v1/chat/comple\xadtions",
    "/v1/chat/completions\xa0",
    "/v1/chat/completions\u200b".encode().decode("latin-1"),
    "/openai//v1/chat/completions",
    "/openai/v1/chat/completions/",
    "/v1/v1/chat/completions",
    "/v2/chat/completions",
    "/chat/completions/",
    "/CHAT/completions",
    "/v1/embeddings/",
    "/v1/Embeddings",
    "/v1/audio/transcriptions/",
]
OWN_KEY = "sk-clients-own-key-1234567890"


async def test_no_way_of_writing_a_path_gets_a_free_call(tmp_path):
    """T12 on our own address: metered or refused."""
    async with running(tmp_path, 1) as sidecar:
        for path in TRICKS:
            before = len(sidecar.upstreams[0].journal.requests)
            line = f"POST {path} HTTP/1.1".encode("latin-1")
            data = request(f"authorization: Bearer {OWN_KEY}".encode(), line=line)
            answer = await raw(sidecar.address, data, quiet=0.02)
            seen = sidecar.upstreams[0].journal.requests[before:]
            assert all(s.attempt and OWN_KEY not in repr(s.headers) for s in seen)
            assert len(seen) == statuses(answer).count(200), (path, answer)
            assert statuses(answer)
    check_books(sidecar)


async def test_no_way_of_writing_a_path_gets_a_key_of_ours_for_free(tmp_path, monkeypatch):
    """T12 on an intercepted host: metered, refused, or passed on with the client's own key."""
    passed = watch_passing(monkeypatch)
    async with running(tmp_path, 1) as sidecar:
        for path in TRICKS:
            before, passed_before = len(sidecar.upstreams[0].journal.requests), len(passed)
            async with Frames.open(sidecar) as frames:
                stream = frames.call(("authorization", f"Bearer {OWN_KEY}"), path=path)
                status = 0
                with contextlib.suppress(h2.exceptions.ProtocolError):
                    status = await frames.until_over(stream)
            seen = sidecar.upstreams[0].journal.requests[before:]
            assert all(s.attempt and OWN_KEY not in repr(s.headers) for s in seen)
            assert len(seen) == (status == 200), path
            assert status in {0, 200, 400} or len(passed) > passed_before, (path, status)
    assert passed
    check_books(sidecar)


def watch_passing(monkeypatch) -> list[tuple[str, str]]:
    """What would be passed on; it is refused instead: no test connects to the internet."""
    passed: list[tuple[str, str]] = []
    receive = Reception.receive

    def watched(self, head):
        decision = receive(self, head)
        if decision.verdict is Verdict.PASS:
            passed.append((head.host, head.path))
            raise RuntimeError("passed on")
        return decision

    monkeypatch.setattr(Reception, "receive", watched)
    return passed


async def test_http1_in_a_tunnel_is_for_the_host_that_was_named(tmp_path, monkeypatch):
    """A path that is no call goes on to the intercepted host; it is not one of ours."""
    passed = watch_passing(monkeypatch)
    async with running(tmp_path, 1) as sidecar:
        for way in [CONNECT_H2, CONNECT_H1]:
            for path in ["/v1/models", "/health"]:
                await sidecar.call(b"", way, path=path, method="GET")
                assert passed.pop() == ("api.openai.com", path)


# Web pages


FOREIGN = ["https://evil.test", "null", "http://localhost.evil.test", "http://127.0.0.1.evil.test"]


@pytest.mark.parametrize("origin", [*FOREIGN, "http://localhost@evil.test", "file://", ""])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
async def test_a_form_of_another_site_spends_nothing(tmp_path, origin, kind):
    """T6: a simple request that needs no preflight."""
    async with running(tmp_path, 1) as sidecar:
        headers = [f"origin: {origin}".encode(), f"content-type: {kind}".encode()]
        answer = await raw(sidecar.address, request(*headers))
        assert (statuses(answer), code(answer)) == ([403], "foreign_origin")
        assert b"access-control-allow" not in answer.lower()
        answer = await raw(sidecar.address, request(b"sec-fetch-site: cross-site"))
        assert statuses(answer) == [403]
        assert not sidecar.upstreams[0].journal.requests


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_page_behind_the_proxy_gets_no_key_of_ours(tmp_path, origin, monkeypatch):
    """A browser that uses the sidecar as its proxy shows us pages that call an intercepted host: they
    go on as they came."""
    passed = watch_passing(monkeypatch)
    async with running(tmp_path, 1) as sidecar:
        await sidecar.call(CHAT, CONNECT_H2, headers=[("origin", origin)])
        assert passed == [("api.openai.com", CALLS)]
        assert not sidecar.upstreams[0].journal.requests


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:80"])
async def test_pages_of_this_machine_may_call(tmp_path, origin):
    async with running(tmp_path, 1) as sidecar:
        answer = await raw(sidecar.address, request(f"origin: {origin}".encode()))
        assert statuses(answer) == [200]


async def test_a_preflight_of_another_site_gets_no_permission(tmp_path):
    async with running(tmp_path, 1) as sidecar:
        data = request(
            b"origin: https://evil.test",
            b"access-control-request-method: POST",
            b"access-control-request-headers: content-type",
            line=b"OPTIONS /v1/chat/completions HTTP/1.1",
            body=b"",
        )
        answer = await raw(sidecar.address, data)
        assert statuses(answer) == [403]
        assert b"access-control-allow" not in answer.lower()


STRANGE_HOSTS = [
    "evil.test",
    "evil.test:8088",
    "127.0.0.1.evil.test",
    "localhost.evil.test",
    "evillocalhost",
    "wattline.local.evil.test",
    "2130706433",
    "0x7f000001",
    "127.1",
    "xapi.openai.com",
]


@pytest.mark.parametrize("path", [CALLS, "/health", "/", "/v1/models"])
async def test_a_name_that_was_made_to_point_here_is_not_served(tmp_path, path):
    """T4: DNS rebinding. The page is of the same origin then, so only its Host tells."""
    async with running(tmp_path, 1) as sidecar:
        for host in STRANGE_HOSTS:
            method = b"POST" if path == CALLS else b"GET"
            data = request(line=method + f" {path} HTTP/1.1".encode(), host=host.encode())
            answer = await raw(sidecar.address, data, quiet=0.05)
            assert (statuses(answer), code(answer)) == ([421], "unknown_host"), host
        assert not sidecar.upstreams[0].journal.requests


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]:8088", "localhost", "LOCALHOST:1", "wattline.local", "a.localhost"],
)
async def test_the_sidecars_own_names_are_served(tmp_path, host):
    async with running(tmp_path, 1) as sidecar:
        assert statuses(await raw(sidecar.address, request(host=host.encode()))) == [200]
        data = request(host=b"api.openai.com")
        assert statuses(await raw(sidecar.address, data)) == [200]


async def test_with_keys_any_host_is_served(tmp_path):
    """A key tells callers from pages; the name may be one of the operator's."""
    key = "wl-alice-0123456789abcdef0123456789"
    extra = "auth: {mode: keys, keys: {alice: '${ALICE}'}}\n"
    async with running(tmp_path, 1, extra=extra, env={"ALICE": key}) as sidecar:
        data = request(f"authorization: Bearer {key}".encode(), host=b"llm.internal.test")
        assert statuses(await raw(sidecar.address, data)) == [200]
        assert statuses(await raw(sidecar.address, request(host=b"llm.internal.test"))) == [401]


@pytest.mark.parametrize(
    "header", ["proxy-authorization", "proxy-connection", "x-wattline-attempt"]
)
async def test_what_was_meant_for_the_proxy_is_not_passed_on(tmp_path, header):
    """The caller's key for this proxy must not reach the host behind it."""
    key = "wl-alice-0123456789abcdef0123456789"
    async with faulty(good(whole(b"ok"))) as canary:
        port = canary.origin.port
        extra = (
            f"tunnel: {{policy: listed, hosts: [127.0.0.1], ports: [{port}]}}\n"
            "auth: {mode: keys, keys: {alice: '${ALICE}'}}\n"
        )
        async with running(tmp_path, 1, extra=extra, env={"ALICE": key}) as sidecar:
            data = request(
                f"proxy-authorization: Bearer {key}".encode(),
                *([] if header == "proxy-authorization" else [f"{header}: {key}".encode()]),
                b"authorization: Bearer of-the-client",
                line=f"GET http://127.0.0.1:{port}/x HTTP/1.1".encode(),
                host=f"127.0.0.1:{port}".encode(),
                body=b"",
            )
            assert statuses(await raw(sidecar.address, data)) == [200]
        assert b"of-the-client" in canary.received
        assert key.encode() not in canary.received
        assert b"proxy-" not in canary.received.lower()
