"""Attacks by an upstream: what a hostile or broken provider can do to the client, the meter, the memory."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import resource

import pytest

from kit.attacks import CHAT, neighbour, raw, request, statuses
from kit.books import rows
from kit.faulty import (
    STREAM_HEAD,
    chunk,
    endless_head,
    faulty,
    garbage,
    good,
    huge_chunk_size,
    informational_flood,
    redirect_to,
    then_close,
    trailers,
    unasked_gzip,
    whole,
)
from kit.sidecars import rules, running

KEY = "sk-secret-of-upstream-0000"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "up0",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    ],
    "usage": USAGE,
}
BODY = json.dumps(ANSWER).encode()


def delta(text: str, **more) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    event = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "up0"}
    return b"data: " + json.dumps({**event, "choices": [choice], **more}).encode() + b"\n\n"


def usage_event(usage: object, **more) -> bytes:
    event = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "up0"}
    return (
        b"data: " + json.dumps({**event, "choices": [], "usage": usage, **more}).encode() + b"\n\n"
    )


STOP = delta("").replace(b'"finish_reason": null', b'"finish_reason": "stop"')
DONE = b"data: [DONE]\n\n"


def streamed(*events: bytes) -> bytes:
    return STREAM_HEAD + b"".join(chunk(event) for event in events) + b"0\r\n\r\n"


@contextlib.asynccontextmanager
async def against(tmp_path, fault, **more):
    """A sidecar whose only provider is the attacker."""
    async with faulty(fault) as server:
        text = rules([f"http://127.0.0.1:{server.origin.port}/v1"], **more)
        async with running(tmp_path, 0, text=text, env={"KEY_0": KEY}) as sidecar:
            yield sidecar, server


HOSTILE = {
    "CR in a header": good(
        whole(BODY, headers=(("content-type", "application/json"), ("x-a", "b\rx: 1")))
    ),
    "NUL in a header": good(whole(BODY, headers=(("x-a", "b\0c"),))),
    "space before the colon": good(whole(BODY, headers=(("x-a ", "b"),))),
    "two lengths": good(whole(BODY, headers=(("content-length", "5"),))),
    "length and chunks": good(whole(BODY, headers=(("transfer-encoding", "chunked"),))),
    "length -1": good(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
    "length too large": then_close(whole(BODY).replace(b"content-length: ", b"content-length: 9")),
    "status 99": good(whole(BODY, status="99 Odd")),
    "status 1000": good(whole(BODY, status="1000 Odd")),
    "status 600": good(whole(BODY, status="600 Odd")),
    "status of words": good(whole(BODY, status="OK 200")),
    "HTTP/9.9": good(whole(BODY).replace(b"HTTP/1.1", b"HTTP/9.9")),
    "101": good(b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"),
    "204 to a call": good(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "endless head": endless_head(),
    "endless header line": endless_head(b"y" * 65_536),
    "a flood of 103": informational_flood(),
    "a flood of 100": informational_flood(b"100 Continue"),
    "no HTTP": garbage(),
    "endless status line": garbage(b"HTTP/1.1 200 " + b"a" * 500_000),
    "huge chunk": huge_chunk_size(),
    "gzip unasked, no JSON": unasked_gzip(b"x"),
    "gzip unasked": unasked_gzip(BODY),
    "gzip bomb": unasked_gzip(b"\0" * 50_000_000),
    "deep JSON": good(whole(b"[" * 100_000)),
    "duplicate keys": good(whole(BODY[:-1] + b',"usage":{},"choices":[]}')),
    "JSON is a number": good(whole(b"1")),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_hostile_answer_becomes_an_error(tmp_path, name, stream):
    """T18: no answer of it reaches the client but as an error of ours; the books are right."""
    async with against(tmp_path, HOSTILE[name]) as (sidecar, _):
        data = request(body=json.dumps({**CHAT, "stream": stream}).encode())
        answer = await raw(sidecar.address, data)
        assert len(statuses(answer)) == 1, answer
        assert statuses(answer)[0] >= 500, answer
        head = answer.partition(b"\r\n\r\n")[0]
        assert b"evil" not in head
        assert b"\r" not in head.replace(b"\r\n", b"")
        assert KEY.encode() not in answer
        for row in rows(sidecar.state):
            assert row["state"] == "failed", dict(row)


async def test_a_folded_header_stays_one_header(tmp_path):
    folded = (("content-type", "application/json"), ("x-a", "b\r\n x-evil: 1"))
    async with against(tmp_path, good(whole(BODY, headers=folded))) as (sidecar, _):
        reply = await sidecar.call(CHAT)
        assert "x-evil" not in reply.headers


async def test_trailers_of_an_answer_are_dropped(tmp_path):
    async with against(tmp_path, trailers(3)) as (sidecar, _):
        answer = await raw(sidecar.address, request())
        assert len(statuses(answer)) == 1
        assert b"x-trailer" not in answer.lower()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_redirects_are_not_followed(tmp_path, status):
    """The key stays where it belongs."""
    async with (
        faulty(good(whole(BODY))) as other,
        against(tmp_path, redirect_to(other.origin, status)) as (sidecar, _),
    ):
        answer = await raw(sidecar.address, request())
        assert statuses(answer)[0] >= 300
        assert not other.received


async def test_headers_of_ours_can_not_be_forged(tmp_path):
    """`x-wattline-*` and `set-cookie` of an upstream are dropped; nothing about hops passes."""
    forged = (
        ("x-wattline-provider", "forged"),
        ("X-Wattline-Energy", "0"),
        ("x-wattline-attempts", "99"),
        ("set-cookie", "a=b"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=999"),
        ("alt-svc", 'h3=":443"'),
        ("strict-transport-security", "max-age=99999"),
        ("x-echo", f"Bearer {KEY}"),
        ("content-type", "application/json"),
    )
    async with against(tmp_path, good(whole(BODY, headers=forged))) as (sidecar, _):
        reply = await sidecar.call(CHAT)
        assert reply.status == 200
        assert "forged" not in repr(reply.headers)
        assert reply.headers["x-wattline-attempts"] == "1"
        for name in ("set-cookie", "keep-alive", "alt-svc", "strict-transport-security", "x-echo"):
            assert name not in reply.headers
        assert KEY not in repr(reply.headers)


async def test_a_key_in_the_reason_phrase_stays_there(tmp_path):
    async with against(tmp_path, good(whole(b"{}", status=f"400 {KEY}"))) as (sidecar, _):
        answer = await raw(sidecar.address, request())
        assert statuses(answer) == [400]
        assert KEY.encode() not in answer


FORGED = {
    "prompt_tokens": 3,
    "completion_tokens": 2,
    "total_tokens": 5,
    "energy": 0,
    "energy_micro": 0,
}


@pytest.mark.parametrize("stream", [False, True])
async def test_energy_is_ours_to_say(tmp_path, stream):
    """T17: an upstream's own `usage.energy` is replaced; the ledger says the same as the answer."""
    answer = (
        streamed(delta("hi"), STOP, usage_event(FORGED), DONE)
        if stream
        else whole(json.dumps({**ANSWER, "usage": FORGED}).encode())
    )
    async with against(tmp_path, good(answer)) as (sidecar, _):
        reply = await sidecar.call({**CHAT, "stream": stream})
        assert reply.status == 200
        last = reply.events[-2] if stream else reply.json()
        (row,) = rows(sidecar.state)
        assert (row["prompt"], row["completion"]) == (3, 2)
        assert row["energy"] > 0
        assert float(last["usage"]["energy"]) * 1_000_000 == pytest.approx(row["energy"])
        assert reply.body.count(b'"energy"') == 1


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -3, "completion_tokens": 2},
        {"prompt_tokens": 2**63, "completion_tokens": 2},
        {"prompt_tokens": 10**400, "completion_tokens": 2},
        {"prompt_tokens": "3", "completion_tokens": 2},
        {"prompt_tokens": 3.5, "completion_tokens": 2},
        {"prompt_tokens": True, "completion_tokens": 2},
        {"prompt_tokens": [3], "completion_tokens": {}},
        [],
        "none",
        7,
        {},
    ],
    ids=str,
)
@pytest.mark.parametrize("stream", [False, True])
async def test_usage_that_is_none_is_not_booked_as_the_providers(tmp_path, usage, stream):
    """T17: refused, estimated and flagged; nothing negative or absurd is owed."""
    answer = (
        streamed(delta("hi"), STOP, usage_event(usage), DONE)
        if stream
        else whole(json.dumps({**ANSWER, "usage": usage}).encode())
    )
    async with against(tmp_path, good(answer)) as (sidecar, _):
        reply = await sidecar.call({**CHAT, "stream": stream})
        (row,) = rows(sidecar.state)
        assert row["source"] != "provider", dict(row)
        if reply.status == 200:
            assert 0 < row["prompt"] < 1000
            assert 0 <= row["completion"] < 1000


async def test_events_after_the_end_are_not_passed_on(tmp_path):
    """T17: neither text nor a cheaper usage after `[DONE]`."""
    late = {"prompt_tokens": 0, "completion_tokens": 0}
    answer = streamed(delta("hi"), STOP, usage_event(USAGE), DONE, delta("evil"), usage_event(late))
    async with against(tmp_path, good(answer)) as (sidecar, _):
        reply = await sidecar.call({**CHAT, "stream": True})
        assert reply.clean
        assert b"evil" not in reply.body
        assert reply.body.endswith(DONE)
        (row,) = rows(sidecar.state)
        assert (row["prompt"], row["completion"]) == (3, 2)


SPLITS = {
    "in one event": [delta(f"the key is {KEY}!")],
    "in a field of the usage event": [delta("x")],
    "in a comment": [b": " + KEY.encode() + b"\n\n", delta("x")],
    "in an event's name": [b"event: " + KEY.encode() + b"\n" + delta("x")],
}


@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_an_echoed_key_does_not_pass_a_stream(tmp_path, name, size):
    """T8: however the upstream cuts it into pieces, wherever it puts it."""
    where = "usage" in name
    tail = usage_event(USAGE, system_fingerprint=KEY) if where else usage_event(USAGE)
    data = b"".join(SPLITS[name]) + STOP + tail + DONE
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    async with against(tmp_path, good(streamed(*pieces))) as (sidecar, _):
        reply = await sidecar.call({**CHAT, "stream": True})
        assert reply.status == 200
        assert KEY.encode() not in reply.body


async def test_an_event_of_10_mb_is_an_error(tmp_path):
    """It is not held without bound, and the client learns that its answer is not whole."""
    answer = streamed(delta("hi"), delta("x" * 10_000_000), STOP, DONE)
    async with against(tmp_path, good(answer)) as (sidecar, _):
        reply = await sidecar.call({**CHAT, "stream": True})
        assert not reply.clean or len(reply.body) > 10_000_000
        (row,) = rows(sidecar.state)
        assert row["state"] in {"truncated", "complete"}


@pytest.mark.slow
async def test_a_million_tiny_events_hold_nobody(tmp_path):
    """A neighbour is served meanwhile, from the same upstream."""
    piece = chunk(b": x\n\n" * 1000)

    async def flood(peer):
        seen = await peer.request()
        if seen is None or (
            b'"stream": true' not in seen.body and b'"stream":true' not in seen.body
        ):
            await peer.send(whole(BODY))
            return
        await peer.send(STREAM_HEAD + chunk(delta("hi")))
        for _ in range(1000):
            await peer.send(piece)
        await peer.send(chunk(STOP + usage_event(USAGE) + DONE) + b"0\r\n\r\n")

    async with against(tmp_path, flood) as (sidecar, _):
        async with neighbour(sidecar) as record:
            reply = await sidecar.call({**CHAT, "stream": True})
            assert reply.clean
        record.check(stall=0.8)  # the flood runs on the same loop


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True])
async def test_an_endless_answer_is_not_stored(tmp_path, stream):
    """200 MB of answer to a client that reads: memory stays where it was."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def endless(peer):
        await peer.request()
        await peer.send(
            STREAM_HEAD
            if stream
            else STREAM_HEAD.replace(b"text/event-stream", b"application/json")
        )
        piece = chunk(delta("x" * 60_000) if stream else b" " * 60_000)
        for _ in range(200_000_000 // len(piece)):
            await peer.send(piece)

    async with against(tmp_path, endless) as (sidecar, _):
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(request(body=json.dumps({**CHAT, "stream": stream}).encode()))
        got = 0
        async with asyncio.timeout(60):
            while data := await reader.read(1 << 20):
                got += len(data)
        writer.close()
        assert got > 100_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # kB


async def test_gzip_of_an_error_is_readable_or_says_what_it_is(tmp_path):
    """An upstream that packs although it was told not to: the client can read the error."""
    packed = gzip.compress(b'{"error":{"message":"bad","type":"invalid_request_error"}}')
    headers = (("content-type", "application/json"), ("content-encoding", "gzip"))
    answer = whole(packed, status="400 Bad Request", headers=headers)
    async with against(tmp_path, good(answer)) as (sidecar, _):
        reply = await sidecar.call(CHAT)
        assert reply.status == 400
        body = reply.body
        if reply.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert json.loads(body)["error"]["message"]
