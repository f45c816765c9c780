"""The pool against a server that misbehaves, over TCP and TLS, all on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import time
from collections.abc import Callable

import pytest

from kit import faulty as f
from kit.certs import authority
from kit.faulty import faulty
from wattline.base.origin import AuthStyle, Credential, Origin
from wattline.base.tasks import spawn
from wattline.rules.compiled.provider import Timeouts
from wattline.upstream.base import Broken, Incoming, Outgoing, Unsent
from wattline.upstream.guard import Listeners
from wattline.upstream.pool import AiohttpUpstream

PATIENT = Timeouts(connect=5, first_byte=5, idle=5, total=20)
SECRET = "sk-test-0123456789abcdef"


async def read(answer: Incoming) -> bytes:
    data = b"".join([piece async for piece in answer.pieces()])
    answer.close()
    return data


async def call(upstream, outgoing: Outgoing, timeouts: Timeouts = PATIENT) -> tuple[int, bytes]:
    answer = await upstream.send(outgoing, timeouts)
    return answer.status, await read(answer)


async def broken_by(
    upstream, outgoing: Outgoing, timeouts: Timeouts = PATIENT, names: str | None = None
) -> Broken:
    """The break, whose message names the origin (or `names`) and no secret."""
    with pytest.raises(Broken) as caught:
        await call(upstream, outgoing, timeouts)
    message = caught.value.message
    assert SECRET not in message
    assert (outgoing.origin.host if names is None else names) in message
    return caught.value


async def until_broken(answer: Incoming) -> tuple[bytes, Broken]:
    """What came before the break, and the break."""
    got = b""
    try:
        async for piece in answer.pieces():
            got += piece
    except Broken as broken:
        return got, broken
    raise AssertionError("the answer ended as if it were whole")


async def until(condition: Callable[[], bool]) -> None:
    """For what no event tells: the state of a socket's buffers."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def soon(event: asyncio.Event, seconds: float = 20) -> None:
    """What a peer must see at once, on a busy machine."""
    async with asyncio.timeout(seconds):
        await event.wait()


# Requests and answers


async def test_request_is_exactly_what_was_given(serve, upstream, to) -> None:
    """T7: host, framing and the credential are the only lines that the sender adds."""
    async with serve(f.good()) as server:
        assert await call(upstream, to(server.origin)) == (200, b'{"ok":true}')
        host = f"{server.origin.host}:{server.origin.port}".encode()
        assert server.received == (
            b"POST /v1/chat/completions HTTP/1.1\r\n"
            b"host: " + host + b"\r\n"
            b"content-type: application/json\r\naccept-encoding: identity\r\n"
            b"authorization: Bearer " + SECRET.encode() + b"\r\n"
            b"content-length: 13\r\n\r\n" + b'{"model":"m"}'
        )


async def test_answer_headers_are_lower_case_stripped_and_repeated(serve, upstream, to) -> None:
    headers = (("X-One", " a "), ("x-one", "b\xe9"), ("Content-Type", "text/plain"))
    async with serve(f.good(f.whole(b"", headers=headers))) as server:
        answer = await upstream.send(to(server.origin), PATIENT)
        assert answer.headers[:3] == (
            ("x-one", "a"),
            ("x-one", "b\xe9"),
            ("content-type", "text/plain"),
        )
        assert await read(answer) == b""


async def test_a_cancellation_says_whether_something_was_sent(serve, upstream, to, ca) -> None:
    """Before the connection is there nothing was; later something may have been."""
    asked = asyncio.Event()

    async def never(*_: object) -> list[str]:
        asked.set()
        await asyncio.Event().wait()
        return []

    waiting = AiohttpUpstream(tls=ca.client(), resolve=never)
    sending = spawn(waiting.send(to(Origin("http", "api.example", 80)), PATIENT), name="send")
    await soon(asked)
    sending.cancel("why")
    with pytest.raises(Unsent, match="why"):
        await sending
    await waiting.close()
    async with serve(f.hang_before_head()) as server:
        sending = spawn(upstream.send(to(server.origin), PATIENT), name="send")
        await until(lambda: bool(server.received))
        sending.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await sending
        assert not isinstance(caught.value, Unsent)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_a_request_without_a_body(serve, upstream, to, method) -> None:
    async with serve(f.good(f.whole(b"" if method == "HEAD" else b"x"))) as server:
        for _ in range(2):
            await call(upstream, to(server.origin, method=method, body=b""))
        assert server.connections == 1
        assert server.requests[0].values("content-length") == []


async def test_head_answer_with_a_length_and_no_body(serve, upstream, to) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n"
    async with serve(f.good(head)) as server:
        for _ in range(2):
            assert await call(upstream, to(server.origin, method="HEAD", body=b"")) == (200, b"")
        assert server.connections == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_statuses_without_a_body(serve, upstream, to, status) -> None:
    async with serve(f.good(f"HTTP/1.1 {status}\r\n\r\n".encode())) as server:
        for _ in range(2):
            assert await call(upstream, to(server.origin)) == (int(status[:3]), b"")
        assert server.connections == 1


async def test_twenty_calls_use_one_connection(serve, upstream, to) -> None:
    """D-007, E-123: kept alive; an answer read to its end gives its connection back."""
    async with serve(f.good()) as server:
        for _ in range(20):
            assert await call(upstream, to(server.origin)) == (200, b'{"ok":true}')
        assert (server.connections, len(server.requests)) == (1, 20)


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Unavailable", "400 Bad Request"])
async def test_error_answers_give_their_connection_back_too(serve, upstream, to, status) -> None:
    """Security 4.4 row 12 and 13: an error's body is small and read whole."""
    headers = (("retry-after", "7"),)
    async with serve(f.good(f.whole(b'{"error":{}}', status, headers))) as server:
        for _ in range(5):
            answer = await upstream.send(to(server.origin), PATIENT)
            assert answer.status == int(status[:3])
            assert ("retry-after", "7") in answer.headers
            assert await read(answer) == b'{"error":{}}'
        assert server.connections == 1


async def test_an_answer_not_read_to_its_end_drops_its_connection(serve, upstream, to) -> None:
    async with serve(f.then_stall(f.STREAM_HEAD + f.chunk(b"one"))) as server:
        answer = await upstream.send(to(server.origin), PATIENT)
        async for piece in answer.pieces():
            assert piece == b"one"
            break
        answer.close()
        answer.close()
        await soon(server.peers[0].gone)


async def test_calls_at_once_keep_their_answers_apart(serve, upstream, to) -> None:
    """Every answer names its request; connections are shared in time, never in flight."""

    async def echo(peer: f.Peer) -> None:
        while (seen := await peer.request()) is not None:
            await asyncio.sleep(0)
            await peer.send(f.whole(seen.body))

    async with serve(echo) as server:

        async def one(number: int) -> None:
            for turn in range(5):
                body = f"{number}/{turn}".encode()
                assert await call(upstream, to(server.origin, body=body)) == (200, body)

        await asyncio.gather(*(one(number) for number in range(16)))
        assert len(server.requests) == 80
        assert server.connections <= 16


async def test_per_host_bounds_connections(ca, serve, to) -> None:
    upstream = AiohttpUpstream(tls=ca.client(), per_host=2)
    async with serve(f.good()) as server:
        await asyncio.gather(*(call(upstream, to(server.origin)) for _ in range(10)))
        assert server.connections <= 2
    await upstream.close()


async def test_reading_can_stop_and_go_on(serve, upstream, to) -> None:
    """One reader takes the start of a body, another the rest."""
    gate = asyncio.Event()

    async def fault(peer: f.Peer) -> None:
        await peer.request()
        await peer.send(f.STREAM_HEAD + f.chunk(b"one"))
        await gate.wait()
        await peer.send(f.chunk(b"two") + f.END)
        await peer.until_gone()

    async with serve(fault) as server:
        answer = await upstream.send(to(server.origin), PATIENT)
        async for piece in answer.pieces():
            assert piece == b"one"
            break
        gate.set()
        assert await read(answer) == b"two"


# Faults before an answer: security 4.4 rows 1, 2, 3, 4, 5, 8


@pytest.mark.parametrize(
    ("scheme", "host"), [("http", "127.0.0.1"), ("https", "127.0.0.1"), ("http", "localhost")]
)
async def test_refused(upstream, to, scheme, host) -> None:
    """Security 4.4 row 1 (A-053)."""
    broken = await broken_by(upstream, to(f.refused_origin(scheme, host)))
    assert (broken.code, broken.sent, broken.reused) == ("refused", False, False)


async def test_name_without_address(ca, to) -> None:
    """Security 4.4 row 2 (A-053)."""

    async def nowhere(host: str, port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    upstream = AiohttpUpstream(tls=ca.client(), resolve=nowhere)
    broken = await broken_by(upstream, to(Origin("https", "no.such.test", 443)))
    assert (broken.code, broken.sent) == ("dns", False)
    await upstream.close()


@pytest.mark.parametrize("found", [[], ["not an address"], ["127.0.0.1", ""]])
async def test_name_that_resolves_to_nothing(ca, to, found) -> None:
    async def nothing(host: str, port: int) -> list[str]:
        return found

    upstream = AiohttpUpstream(tls=ca.client(), resolve=nothing)
    assert (await broken_by(upstream, to(Origin("http", "no.test", 80)))).code == "dns"
    await upstream.close()


async def test_tls_handshake_that_is_never_answered(upstream, to) -> None:
    """Security 4.4 row 3 (A-180): connect covers TLS."""
    async with f.silent_tcp() as server:
        began = time.monotonic()
        broken = await broken_by(
            upstream, to(server.origin), Timeouts(connect=0.2, first_byte=9, idle=9, total=9)
        )
        assert (broken.code, broken.sent) == ("connect_timeout", False)
        assert 0.15 < time.monotonic() - began < 2
        assert "0.2 s" in broken.message
        await soon(server.gone, 1)


async def test_resolver_that_never_answers(ca, to) -> None:
    async def stuck(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    upstream = AiohttpUpstream(tls=ca.client(), resolve=stuck)
    limits = Timeouts(connect=0.1, first_byte=9, idle=9, total=9)
    broken = await broken_by(upstream, to(Origin("http", "slow.test", 80)), limits)
    assert broken.code == "connect_timeout"
    await upstream.close()


async def test_total_covers_connecting(upstream, to) -> None:
    async with f.silent_tcp() as server:
        began = time.monotonic()
        await broken_by(
            upstream, to(server.origin), Timeouts(connect=9, first_byte=9, idle=9, total=0.2)
        )
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("kind", ["expired", "self_signed", "wrong_host", "unknown_ca"])
async def test_bad_certificates_see_no_byte(ca, tmp_path, to, kind) -> None:
    """Security 4.4 row 4, T25: no key goes to a server that can't prove its name."""
    signer = authority(tmp_path) if kind == "unknown_ca" else ca
    host = "other.test" if kind == "wrong_host" else "127.0.0.1"
    tls = signer.server(host, expired=kind == "expired", self_signed=kind == "self_signed")
    upstream = AiohttpUpstream(tls=ca.client())
    async with faulty(f.good(), tls=tls) as server:
        broken = await broken_by(upstream, to(server.origin))
        assert (broken.code, broken.sent) == ("tls", False)
        assert "certificate" in broken.message
        assert server.received == b""
    await upstream.close()


async def test_the_default_context_does_not_trust_the_test_ca(ca, to) -> None:
    """T25: verification is on without any argument."""
    upstream = AiohttpUpstream()
    async with faulty(f.good(), tls=ca.server("127.0.0.1")) as server:
        assert (await broken_by(upstream, to(server.origin))).code == "tls"
        assert server.received == b""
    await upstream.close()


async def test_https_to_a_plain_server(upstream, to) -> None:
    async with faulty(f.then_close(b"HTTP/1.1 400 no\r\n\r\n")) as server:
        origin = Origin("https", "127.0.0.1", server.origin.port)
        limits = Timeouts(connect=1, first_byte=1, idle=1, total=3)
        broken = await broken_by(upstream, to(origin), limits)
        assert broken.code in {"tls", "connect_timeout"}
        assert SECRET.encode() not in server.received


@pytest.mark.parametrize("fault", [f.close_before_head, f.reset_before_head])
async def test_ended_before_its_head(serve, upstream, to, fault) -> None:
    """Security 4.4 row 5: a fresh connection is not tried again, and the request was sent."""
    async with serve(fault()) as server:
        broken = await broken_by(upstream, to(server.origin))
        assert (broken.code, broken.sent, broken.reused) == ("reset", True, False)
        assert len(server.requests) == 1


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nx-slow: ", b"HTTP/1.1 100 Go\r\n\r\n"])
async def test_no_head_in_time(serve, upstream, to, start) -> None:
    """C-102: Security 4.4 row 8, B-148: first byte means the whole head."""
    async with serve(f.then_stall(start)) as server:
        broken = await broken_by(
            upstream, to(server.origin), Timeouts(connect=5, first_byte=0.15, idle=9, total=9)
        )
        assert (broken.code, broken.sent) == ("first_byte_timeout", True)
        await soon(server.peers[0].gone)


async def test_total_covers_the_head(serve, upstream, to) -> None:
    async with serve(f.hang_before_head()) as server:
        limits = Timeouts(connect=5, first_byte=9, idle=9, total=0.2)
        assert (await broken_by(upstream, to(server.origin), limits)).code == "total_timeout"


async def test_head_that_drips_is_cut_off(serve, upstream, to) -> None:
    """Bytes now and then don't renew the time for the head."""

    async def drip(peer: f.Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        while not peer.gone.is_set():
            await peer.send(b"x")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(peer.until_gone(), 0.02)

    async with serve(drip) as server:
        limits = Timeouts(connect=5, first_byte=0.2, idle=0.1, total=9)
        assert (await broken_by(upstream, to(server.origin), limits)).code == "first_byte_timeout"


# Faults inside an answer: rows 6, 7, 9, 10, 11


async def test_content_length_short(serve, upstream, to) -> None:
    """Security 4.4 row 6: what came is delivered, then the cut."""
    data = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + b"half"
    async with serve(f.then_close(data)) as server:
        answer = await upstream.send(to(server.origin), PATIENT)
        got, broken = await until_broken(answer)
        assert (got, broken.code, broken.sent) == (b"half", "cut", True)


async def test_chunked_without_its_end(serve, upstream, to) -> None:
    """Security 4.4 row 7: a FIN is no end of a chunked body."""
    async with serve(f.then_close(f.STREAM_HEAD + f.chunk(b"one") + f.chunk(b"two"))) as server:
        answer = await upstream.send(to(server.origin), PATIENT)
        got, broken = await until_broken(answer)
        assert (got, broken.code) == (b"onetwo", "cut")


@pytest.mark.parametrize(
    "head",
    [
        f.STREAM_HEAD + f.chunk(b"one"),
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none",
        b"HTTP/1.1 200 OK\r\n\r\none",
    ],
    ids=["chunked", "length", "until-close"],
)
async def test_reset_in_the_middle(upstream, to, head) -> None:
    """Security 4.4 rows 6 and 7; a reset is no clean end of a body that ends with its connection."""
    gate = asyncio.Event()
    async with faulty(f.then_reset(head, gate)) as server:
        answer = await upstream.send(to(server.origin), PATIENT)
        pieces = answer.pieces()
        assert await anext(pieces) == b"one"
        gate.set()
        with pytest.raises(Broken) as caught:
            await anext(pieces)
        assert caught.value.code == "cut"
        assert "reset" in caught.value.message
        with pytest.raises(Broken):
            await anext(pieces)


async def test_bytes_before_a_cut_are_not_lost(serve, upstream, to) -> None:
    """A usage event right before the cut is still metered, whoever reads late."""
    async with serve(f.then_close(f.STREAM_HEAD + f.chunk(b"data: usage\n\n"))) as server:
        answer = await upstream.send(to(server.origin), PATIENT)
        await until(lambda: answer._handler.transport is None)
        pieces = answer.pieces()
        assert await anext(pieces) == b"data: usage\n\n"
        with pytest.raises(Broken, match="incomplete"):
            await anext(pieces)


async def test_body_until_close_ends_cleanly(serve, upstream, to) -> None:
    """The dialect knows whether such a body was complete; here it is."""
    async with serve(f.then_close(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as server:
        assert await call(upstream, to(server.origin)) == (200, b"all of it")


async def test_http_1_0(serve, upstream, to) -> None:
    async with serve(f.then_close(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok")) as server:
        assert await call(upstream, to(server.origin)) == (200, b"ok")
        assert await call(upstream, to(server.origin)) == (200, b"ok")
        assert server.connections == 2


async def test_stall_in_the_middle(serve, upstream, to) -> None:
    """Security 4.4 row 9: idle."""
    async with serve(f.then_stall(f.STREAM_HEAD + f.chunk(b"one"))) as server:
        limits = Timeouts(connect=5, first_byte=5, idle=0.15, total=9)
        answer = await upstream.send(to(server.origin), limits)
        pieces = answer.pieces()
        assert await anext(pieces) == b"one"
        with pytest.raises(Broken) as caught:
            await anext(pieces)
        assert caught.value.code == "idle_timeout"
        await soon(server.peers[0].gone)


async def test_a_slow_reader_is_not_an_idle_upstream(serve, upstream, to) -> None:
    """Security 4.4 row 24: only time spent waiting for the upstream counts as idle."""
    gate = asyncio.Event()

    async def fault(peer: f.Peer) -> None:
        await peer.request()
        await peer.send(f.STREAM_HEAD + f.chunk(b"one"))
        await gate.wait()
        await peer.send(f.chunk(b"two") + f.END)
        await peer.until_gone()

    async with serve(fault) as server:
        limits = Timeouts(connect=5, first_byte=5, idle=0.1, total=9)
        answer = await upstream.send(to(server.origin), limits)
        pieces = answer.pieces()
        assert await anext(pieces) == b"one"
        await asyncio.sleep(0.35)
        gate.set()
        assert await read(answer) == b"two"


async def test_pieces_renew_idle_but_not_total(serve, upstream, to) -> None:
    """A-180: total counts from send to the last piece."""

    async def fault(peer: f.Peer) -> None:
        await peer.request()
        await peer.send(f.STREAM_HEAD)
        while not peer.gone.is_set():
            await peer.send(f.chunk(b"x"))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(peer.until_gone(), 0.03)

    async with serve(fault) as server:
        limits = Timeouts(connect=5, first_byte=5, idle=0.2, total=0.6)
        began = time.monotonic()
        broken = await broken_by(upstream, to(server.origin), limits)
        assert broken.code == "total_timeout"
        assert time.monotonic() - began > 0.4


async def test_a_complete_answer_read_late_is_no_timeout(serve, upstream, to) -> None:
    async with serve(f.good()) as server:
        limits = Timeouts(connect=5, first_byte=5, idle=0.05, total=0.3)
        answer = await upstream.send(to(server.origin), limits)
        await until(answer._payload.is_eof)
        await asyncio.sleep(0.4)
        assert await read(answer) == b'{"ok":true}'


@pytest.mark.parametrize("size", [1, 2, 7])
async def test_sliced_answers_are_the_same(serve, upstream, to, size) -> None:
    """Security 4.4 rows 10 and 11: any slicing gives the same bytes."""
    text = 'data: {"content":"héllo 🌍"}\r\n\r\n'.encode()
    raw = f.STREAM_HEAD + f.chunk(text[:19]) + f.chunk(text[19:]) + f.END
    async with serve(f.sliced(raw, size)) as server:
        for _ in range(2):
            assert await call(upstream, to(server.origin)) == (200, text)
        assert server.connections == 1


@pytest.mark.parametrize("count", [1, 100])
async def test_trailers_are_dropped(serve, upstream, to, count) -> None:
    async with serve(f.trailers(count)) as server:
        for _ in range(2):
            assert await call(upstream, to(server.origin)) == (200, b"hello")
        assert server.connections == 1


async def test_gzip_is_passed_as_it_is(serve, upstream, to) -> None:
    """Security 4.4 row 42: nothing is inflated here, so nothing can explode."""
    bomb = b"0" * 1_000_000
    async with serve(f.unasked_gzip(bomb)) as server:
        answer = await upstream.send(to(server.origin), PATIENT)
        assert ("content-encoding", "gzip") in answer.headers
        data = await read(answer)
        assert len(data) < 10_000
        assert gzip.decompress(data) == bomb


# Not HTTP: row 41, T18


@pytest.mark.parametrize(
    "fault",
    [
        f.garbage(),
        f.garbage(b"<html>hello</html>\r\n\r\n"),
        f.garbage(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
        f.garbage(b"HTTP/1.1 abc OK\r\n\r\n"),
        f.garbage(b"HTTP/9.9 200 OK\r\n\r\n"),
        f.garbage(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello"),
        f.garbage(b"HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello"),
        f.garbage(b"HTTP/1.1 200 OK\r\nx: a\rb\r\ncontent-length: 0\r\n\r\n"),
        f.garbage(b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 0\r\n\r\n"),
        f.garbage(b"HTTP/1.1 200 OK\r\nx: a\x1b[2Jb\r\ncontent-length: 0\r\n\r\n"),
        f.garbage(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
        f.endless_head(),
        f.endless_head(b"x: y\r\n"),
        f.endless_head(b"y" * 4096),
        f.informational_flood(),
        f.informational_flood(b"100 Continue"),
    ],
)
async def test_bad_answers(serve, upstream, to, fault) -> None:
    """Security 4.4 row 41, T18: bounded, told, and the connection ended."""
    async with serve(fault) as server:
        broken = await broken_by(upstream, to(server.origin))
        assert (broken.code, broken.sent) == ("bad_answer", True)
        await soon(server.peers[0].gone, 2)


async def test_a_few_interim_answers_are_skipped(serve, upstream, to) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" * 3
    async with serve(f.good(early + f.whole())) as server:
        for _ in range(2):
            assert await call(upstream, to(server.origin)) == (200, b'{"ok":true}')
        assert server.connections == 1


@pytest.mark.parametrize(
    "rest", [b"F" * 40 + b"\r\nabc", b"-5\r\nhello", b"zz\r\nhello\r\n", b"5\r\nhelloXX0\r\n\r\n"]
)
async def test_bad_chunks_break_at_once(serve, upstream, to, rest) -> None:
    """A broken framing is told when it is seen, not by the idle timeout."""
    async with serve(f.then_stall(f.STREAM_HEAD + f.chunk(b"one") + rest)) as server:
        broken = await broken_by(upstream, to(server.origin))
        assert broken.code in {"cut", "bad_answer"}
        await soon(server.peers[0].gone)


async def test_bad_chunk_later(serve, upstream, to) -> None:
    gate = asyncio.Event()

    async def fault(peer: f.Peer) -> None:
        await peer.request()
        await peer.send(f.STREAM_HEAD + f.chunk(b"one"))
        await gate.wait()
        await peer.send(b"F" * 40 + b"\r\n")
        await peer.until_gone()

    async with serve(fault) as server:
        answer = await upstream.send(to(server.origin), PATIENT)
        pieces = answer.pieces()
        assert await anext(pieces) == b"one"
        gate.set()
        with pytest.raises(Broken) as caught:
            await anext(pieces)
        assert caught.value.code == "cut"


async def test_redirects_are_answers(serve, upstream, to) -> None:
    """T7: a redirect is passed on, never followed, and its target sees no connection."""
    async with faulty(f.good()) as canary, serve(f.redirect_to(canary.origin)) as server:
        assert (await call(upstream, to(server.origin)))[0] == 307
        assert canary.connections == 0


async def test_cookies_are_not_kept(serve, upstream, to) -> None:
    """T30: one caller's cookie is not another's."""
    async with serve(f.good(f.whole(headers=(("set-cookie", "session=1"),)))) as server:
        for _ in range(3):
            await call(upstream, to(server.origin))
        assert b"cookie" not in server.received.lower()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
async def test_proxies_of_the_environment_are_ignored(
    serve, upstream, to, monkeypatch, name
) -> None:
    """Clients point HTTP_PROXY at the sidecar: obeying it here would be a loop."""
    async with faulty(f.good()) as canary, serve(f.good()) as server:
        monkeypatch.setenv(name, str(canary.origin))
        monkeypatch.setenv(name.lower(), str(canary.origin))
        assert (await call(upstream, to(server.origin)))[0] == 200
        assert canary.connections == 0


# The pool


@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_stale_connection_is_replaced_once(serve, upstream, to, ending) -> None:
    """Design 3: the same request once more on a fresh connection, POST too, and only once."""
    async with serve(f.stale_after(1, ending=ending)) as server:
        assert (await call(upstream, to(server.origin, body=b"first")))[0] == 200
        assert await call(upstream, to(server.origin, body=b"second")) == (200, b'{"ok":true}')
        seen = [(request.connection, request.body) for request in server.requests]
        assert seen == [(0, b"first"), (0, b"second"), (1, b"second")]


async def test_stale_upload_is_sent_again_from_its_start(serve, upstream, to) -> None:
    async with serve(f.stale_after(1)) as server:
        await call(upstream, to(server.origin))
        file = io.BytesIO(b"0123456789" * 20_000)
        assert (await call(upstream, to(server.origin, body=file)))[0] == 200
        assert [len(request.body) for request in server.requests] == [13, 200_000, 200_000]
        assert server.requests[1].body == server.requests[2].body


async def test_replacement_is_fresh_even_when_others_rest(serve, upstream, to) -> None:
    """All pooled connections may be as dead as the first: the second try takes none of them."""
    everyone = asyncio.Event()
    first = 0

    async def fault(peer: f.Peer) -> None:
        nonlocal first
        if await peer.request() is None:
            return
        if peer.number < 3:
            first += 1
            if first == 3:
                everyone.set()
            await everyone.wait()
            await peer.send(f.whole())
            await peer.request()
            await peer.finish()
            return
        await peer.send(f.whole())
        await peer.until_gone()

    async with serve(fault) as server:
        await asyncio.gather(*(call(upstream, to(server.origin)) for _ in range(3)))
        assert server.connections == 3
        assert (await call(upstream, to(server.origin, body=b"again")))[0] == 200
        seen = [request.connection for request in server.requests if request.body == b"again"]
        assert len(seen) == 2
        assert seen[1] == 3


async def test_fresh_connection_that_fails_too_is_told(serve, upstream, to) -> None:
    async def fault(peer: f.Peer) -> None:
        await peer.request()
        if peer.number == 0:
            await peer.send(f.whole())
            await peer.request()

    async with serve(fault) as server:
        await call(upstream, to(server.origin))
        broken = await broken_by(upstream, to(server.origin))
        assert (broken.code, broken.sent, broken.reused) == ("reset", True, False)
        assert len(server.requests) == 3


async def test_pooled_connection_that_fails_after_a_byte_is_not_replaced(
    serve, upstream, to
) -> None:
    async def fault(peer: f.Peer) -> None:
        await peer.request()
        await peer.send(f.whole())
        await peer.request()
        await peer.send(b"HTTP/1.1 2")
        await peer.finish()

    async with serve(fault) as server:
        await call(upstream, to(server.origin))
        broken = await broken_by(upstream, to(server.origin))
        assert (broken.code, broken.reused) == ("reset", True)
        assert len(server.requests) == 2


async def test_pooled_connection_that_times_out_is_not_replaced(serve, upstream, to) -> None:
    async def fault(peer: f.Peer) -> None:
        await peer.request()
        await peer.send(f.whole())
        await peer.request()
        await peer.until_gone()

    async with serve(fault) as server:
        await call(upstream, to(server.origin))
        limits = Timeouts(connect=5, first_byte=0.15, idle=5, total=9)
        broken = await broken_by(upstream, to(server.origin), limits)
        assert (broken.code, broken.reused) == ("first_byte_timeout", True)
        assert len(server.requests) == 2


async def test_late_failure_of_a_pooled_connection_is_not_stale(
    serve, upstream, to, monkeypatch
) -> None:
    """An upstream that thought for long may have done the work: it is not asked twice."""
    monkeypatch.setattr("wattline.upstream.pool.STALE_SECONDS", 0.05)

    async def fault(peer: f.Peer) -> None:
        await peer.request()
        await peer.send(f.whole())
        await peer.request()
        await asyncio.sleep(0.2)

    async with serve(fault) as server:
        await call(upstream, to(server.origin))
        broken = await broken_by(upstream, to(server.origin))
        assert (broken.code, broken.reused, len(server.requests)) == ("reset", True, 2)


@pytest.mark.parametrize(
    "surplus", [f.whole(b"poison"), b"H", b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r"]
)
async def test_bytes_that_nobody_asked_for_are_no_answer(serve, upstream, to, surplus) -> None:
    """A pool shared by clients must not shift answers: a connection with surplus bytes is ended."""

    async def fault(peer: f.Peer) -> None:
        await peer.request()
        await peer.send(f.whole(b"first"))
        await asyncio.sleep(0.05)
        await peer.send(surplus)
        await peer.until_gone()
        await good_after(peer)

    async def good_after(peer: f.Peer) -> None:
        peer.close()

    async def mixed(peer: f.Peer) -> None:
        await (fault if peer.number == 0 else f.good(f.whole(b"second")))(peer)

    async with serve(mixed) as server:
        assert await call(upstream, to(server.origin)) == (200, b"first")
        await soon(server.peers[0].gone, 2)
        assert await call(upstream, to(server.origin)) == (200, b"second")


async def test_two_answers_for_one_request(serve, upstream, to) -> None:
    async def mixed(peer: f.Peer) -> None:
        answers = f.whole(b"first") + f.whole(b"poison")
        await f.good(answers if peer.number == 0 else f.whole(b"second"))(peer)

    async with serve(mixed) as server:
        assert await call(upstream, to(server.origin)) == (200, b"first")
        assert await call(upstream, to(server.origin)) == (200, b"second")
        assert server.connections == 2


async def test_connection_close_is_obeyed(serve, upstream, to) -> None:
    async with serve(f.good(f.whole(headers=(("connection", "close"),)))) as server:
        for _ in range(3):
            assert (await call(upstream, to(server.origin)))[0] == 200
        assert server.connections == 3


async def test_keepalive_ends(ca, serve, to) -> None:
    upstream = AiohttpUpstream(tls=ca.client(), keepalive=0.05)
    async with serve(f.good()) as server:
        await call(upstream, to(server.origin))
        await soon(server.peers[0].gone, 2)
        await call(upstream, to(server.origin))
        assert server.connections == 2
    await upstream.close()


# Cancelling and closing


async def cancelled_until_gone(task: asyncio.Task[object], gone: asyncio.Event) -> float:
    """Seconds from cancelling a call to its upstream seeing it."""
    began = time.monotonic()
    task.cancel()
    await soon(gone, 5)
    took = time.monotonic() - began
    with pytest.raises(asyncio.CancelledError):
        await task
    return took


async def test_cancelling_send_closes_at_once(serve, upstream, to) -> None:
    """Security 4.4 row 22: the upstream sees it within 100 ms (the best of three: machines stall)."""
    took = []
    async with serve(f.hang_before_head()) as server:
        for number in range(3):
            server.arrived.clear()
            task = spawn(upstream.send(to(server.origin), PATIENT), name="call")
            await soon(server.arrived, 5)
            took.append(await cancelled_until_gone(task, server.peers[number].gone))
    assert min(took) < 0.1


async def test_cancelling_a_tls_handshake_closes_at_once(upstream, to) -> None:
    took = []
    for _ in range(3):
        async with f.silent_tcp() as server:
            task = spawn(upstream.send(to(server.origin), PATIENT), name="call")
            await soon(server.arrived, 5)
            took.append(await cancelled_until_gone(task, server.gone))
    assert min(took) < 0.1


async def test_cancelling_the_reader_closes_at_once(serve, upstream, to) -> None:
    """Security 4.4 row 23."""
    took = []
    async with serve(f.then_stall(f.STREAM_HEAD + f.chunk(b"one"))) as server:
        for number in range(3):
            answer = await upstream.send(to(server.origin), PATIENT)
            pieces = answer.pieces()
            assert await anext(pieces) == b"one"
            task = spawn(read(answer), name="reader")
            await until(lambda answer=answer: answer._payload._waiter is not None)
            took.append(await cancelled_until_gone(task, server.peers[number].gone))
    assert min(took) < 0.1


async def test_cancelling_an_upload_that_nobody_reads(upstream, to) -> None:
    async with faulty(f.never_read()) as server:
        file = io.BytesIO(bytes(30_000_000))
        task = spawn(upstream.send(to(server.origin, body=file), PATIENT), name="call")
        await soon(server.arrived, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        file.close()


async def test_an_upload_that_nobody_reads_times_out(serve, upstream, to) -> None:
    async with serve(f.never_read()) as server:
        file = io.BytesIO(bytes(30_000_000))
        limits = Timeouts(connect=5, first_byte=0.3, idle=5, total=9)
        broken = await broken_by(upstream, to(server.origin, body=file), limits)
        assert (broken.code, broken.sent) == ("first_byte_timeout", True)


@pytest.mark.parametrize("size", [0, 1, 65_536, 5_000_001])
async def test_uploads_arrive_whole(serve, upstream, to, size) -> None:
    """A-183: from a file, in blocks."""
    data = bytes(range(256)) * (size // 256 + 1)
    async with serve(f.good()) as server:
        file = io.BytesIO(data[:size])
        file.seek(0, 2)
        assert (await call(upstream, to(server.origin, body=file)))[0] == 200
        assert server.requests[0].body == data[:size]
        assert (await call(upstream, to(server.origin)))[0] == 200
        assert server.connections == 1


async def test_answer_before_the_upload_ended(serve, upstream, to) -> None:
    """Security 4.4 row 14: a 413 in the middle of an upload is an answer, not a break."""
    refusal = f.whole(b"too large", "413 Content Too Large")
    async with serve(f.early_answer(refusal)) as server:
        file = io.BytesIO(bytes(30_000_000))
        assert await call(upstream, to(server.origin, body=file)) == (413, b"too large")
        assert await call(upstream, to(server.origin, body=bytes(8_000_000))) == (413, b"too large")
        assert server.connections == 2
        assert await call(upstream, to(server.origin)) == (413, b"too large")
        assert server.connections == 3


async def test_upload_file_that_got_shorter(serve, upstream, to) -> None:
    class Shrinking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(size) if self.tell() < 65_536 else b""

    async with serve(f.hang_before_head()) as server:
        file = Shrinking(bytes(1_000_000))
        broken = await broken_by(upstream, to(server.origin, body=file))
        assert (broken.code, broken.sent) == ("unsendable", True)


async def test_closing_the_pool(ca, serve, to) -> None:
    """Idempotent; resting connections end, answers in flight break off, new calls are refused."""
    upstream = AiohttpUpstream(tls=ca.client())
    await upstream.close()
    upstream = AiohttpUpstream(tls=ca.client())
    async with serve(f.then_stall(f.STREAM_HEAD + f.chunk(b"one"))) as server:
        answer = await upstream.send(to(server.origin), PATIENT)
        pieces = answer.pieces()
        assert await anext(pieces) == b"one"
        waiting = spawn(anext(pieces), name="reader")  # type: ignore[arg-type]
        asking = spawn(upstream.send(to(server.origin), PATIENT), name="call")
        await asyncio.sleep(0)
        await upstream.close()
        await upstream.close()
        with pytest.raises(Broken):
            await waiting
        with contextlib.suppress(Broken):
            (await asking).close()
        await soon(server.peers[0].gone)
        assert (await broken_by(upstream, to(server.origin))).code == "unreachable"


async def test_backpressure_reaches_the_upstream(serve, upstream, to) -> None:
    """Security 4.4 row 24: a reader that stops stops the upstream, in bounded memory."""
    sent = 0

    async def flood(peer: f.Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(f.STREAM_HEAD)
        piece = f.chunk(bytes(65_536))
        for _ in range(800):
            await peer.send(piece)
            sent += 65_536
        await peer.send(f.END)
        await peer.until_gone()

    async with serve(flood) as server:
        answer = await upstream.send(to(server.origin), PATIENT)
        pieces = answer.pieces()
        first = len(await anext(pieces))
        before = -1
        async with asyncio.timeout(10):
            while before != sent:
                before = sent
                await asyncio.sleep(0.2)
        assert sent < 20_000_000
        assert answer._payload._size <= 500_000
        assert first + len(await read(answer)) == 800 * 65_536


async def test_many_tiny_chunks(serve, upstream, to) -> None:
    """CVE-2025-69229: a hundred thousand one-byte chunks cost little and lose nothing."""
    count = 100_000
    async with serve(f.good(f.STREAM_HEAD + f.chunk(b"x") * count + f.END)) as server:
        began = time.process_time()
        assert await call(upstream, to(server.origin)) == (200, b"x" * count)
        assert time.process_time() - began < 20


# What is never sent


async def test_own_listener_is_refused(ca, to) -> None:
    """Acceptance, "Loops": a provider whose URL leads back here is told so, by name and address."""

    async def here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with faulty(f.good()) as server:
        port = server.origin.port
        listeners = Listeners([("127.0.0.1", port)])
        upstream = AiohttpUpstream(tls=ca.client(), listeners=listeners, resolve=here)
        for host in ("127.0.0.1", "localhost", "a.provider.test", "::ffff:127.0.0.1", "0.0.0.0"):
            broken = await broken_by(upstream, to(Origin("http", host, port)))
            assert (broken.code, broken.sent) == ("own_listener", False)
        assert server.connections == 0
        await upstream.close()


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "bad host", "a\r\nb", ""])
async def test_hosts_that_are_none(upstream, to, host) -> None:
    with pytest.raises(Broken) as caught:
        await call(upstream, to(Origin("http", host, 80)))
    assert caught.value.code in {"forbidden_address", "unsendable"}


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": (("x-a", "b\r\nx-injected: 1"),)},
        {"headers": (("x-a", "b\nx-injected: 1"),)},
        {"headers": (("x-a", "b\x00"),)},
        {"headers": (("x-a", "snow ☃"),)},
        {"headers": (("x-a: 1\r\nx-b", "2"),)},
        {"headers": (("X-Upper", "2"),)},
        {"headers": (("", "2"),)},
        {"headers": (("host", "evil.test"),)},
        {"headers": (("content-length", "0"),)},
        {"headers": (("transfer-encoding", "chunked"),)},
        {"path": "/v1 HTTP/1.1\r\nx: y"},
        {"path": "http://evil.test/"},
        {"path": ""},
        {"path": "/a b"},
        {"path": "/ü"},
        {"method": "GET / HTTP/1.1\r\n"},
        {"method": ""},
    ],
)
async def test_unsendable_requests_are_not_sent(serve, upstream, to, changes) -> None:
    """Security 0.4: no request is split, whoever made the value."""
    async with serve(f.good()) as server:
        broken = await broken_by(upstream, to(server.origin, **changes))
        assert (broken.code, broken.sent) == ("unsendable", False)
        assert server.connections == 0


@pytest.mark.parametrize("bad", ["sk-with-newline\n", "sk\r\nx: y", "sk\x00"])
async def test_a_credential_with_a_line_end_says_where_to_look(serve, upstream, to, bad) -> None:
    async with serve(f.good()) as server:
        credential = Credential(server.origin, AuthStyle.X_API_KEY, bad)
        broken = await broken_by(upstream, to(server.origin, credential=credential))
        assert broken.code == "unsendable"
        assert "environment variable" in broken.message
        assert bad.strip() not in broken.message
        assert server.connections == 0


async def test_a_key_of_another_origin_is_not_sent(serve, upstream, to) -> None:
    """T7: not to another port, host or scheme of the same machine either."""
    async with serve(f.good()) as server:
        scheme, host, port = server.origin
        for other in (
            Origin(scheme, host, port + 1),
            Origin(scheme, "localhost", port),
            Origin("http" if scheme == "https" else "https", host, port),
        ):
            credential = Credential(other, AuthStyle.BEARER, SECRET)
            broken = await broken_by(upstream, to(server.origin, credential=credential))
            assert (broken.code, broken.sent) == ("credential_origin", False)
        assert server.connections == 0


# Through an outbound proxy


async def test_explicit_proxy_for_plain_http(ca, to) -> None:
    async with faulty(f.good()) as proxy:
        url = f"http://user:pass@127.0.0.1:{proxy.origin.port}"
        upstream = AiohttpUpstream(tls=ca.client(), proxy=url)
        for _ in range(2):
            status, _ = await call(upstream, to(Origin("http", "api.test", 80)))
            assert status == 200
        assert proxy.requests[0].lines[0] == b"POST http://api.test/v1/chat/completions HTTP/1.1"
        assert proxy.requests[0].values("host") == [b"api.test"]
        assert proxy.requests[0].values("proxy-authorization") == [b"Basic dXNlcjpwYXNz"]
        assert proxy.connections == 1
        await upstream.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_sidecar_is_not_its_own_proxy(ca, to, host) -> None:
    async with faulty(f.good()) as here:
        port = here.origin.port
        upstream = AiohttpUpstream(
            tls=ca.client(),
            listeners=Listeners([("127.0.0.1", port), ("::1", port)]),
            proxy=f"http://{host}:{port}",
        )
        broken = await broken_by(upstream, to(Origin("https", "api.test", 443)), PATIENT, "")
        assert broken.code == "own_listener"
        assert here.connections == 0
        await upstream.close()


async def test_explicit_proxy_for_https_sees_only_connect(ca, to) -> None:
    async with faulty(f.good(), tls=ca.server("127.0.0.1")) as server:

        async def relay(peer: f.Peer) -> None:
            await peer.request()
            reader, writer = await asyncio.open_connection("127.0.0.1", server.origin.port)
            await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")

            async def back() -> None:
                while data := await reader.read(65_536):
                    await peer.send(data)

            task = spawn(back(), name="back")
            try:
                while data := await peer._reader.read(65_536):
                    peer.received += data
                    writer.write(data)
            finally:
                task.cancel()
                writer.transport.abort()

        async with faulty(relay) as proxy:
            upstream = AiohttpUpstream(tls=ca.client(), proxy=str(proxy.origin))
            assert await call(upstream, to(server.origin)) == (200, b'{"ok":true}')
            assert proxy.received.startswith(b"CONNECT 127.0.0.1:")
            assert SECRET.encode() not in proxy.received
            assert len(server.requests) == 1
            await upstream.close()
