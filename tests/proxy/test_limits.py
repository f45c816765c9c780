"""Limits at the door through real sockets: windows over requests, their headers, and calls at one time."""

from __future__ import annotations

import asyncio
import json

import pytest

from kit.books import check_books, rows
from kit.chat_socket import Refused, chatting, connect
from kit.clients import CONNECT_H1, CONNECT_H2, REVERSE, WAYS, H1Client, Way, dial
from kit.sidecars import running
from wattline.base.clock import ManualClock

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
INFERENCE = "/api/v1/inference"
NAMES = ("limit", "remaining", "reset")
KEYED = """
auth:
  mode: keys
  keys: {ann: {key: "${ANN}", tier: paid}, bob: "${BOB}"}
"""
ENV = {"ANN": "key-of-ann-0123456789", "BOB": "key-of-bob-0123456789"}
PATIENT = "{connect: 30, first_byte: 60, idle: 60, total: 100}"
FRONT = "listen: {trusted_proxies: [127.0.0.1]}\n"


def window(calls, over, per="15m", scope="address"):
    return f"windows: {{w: {{calls: {calls}, per: {per}, scope: {scope}, over: {over}}}}}\n"


def standing(reply):
    """Limit, Remaining and Reset."""
    return tuple(int(reply.headers[f"x-ratelimit-{name}"]) for name in NAMES)


def unlimited(reply):
    return not any(f"x-ratelimit-{name}" in reply.headers for name in NAMES)


def bearer(name):
    return [("authorization", f"Bearer {ENV[name]}")]


def seen_by_a_proxy(address):
    return [("x-forwarded-for", f"203.0.113.9, {address}")]


async def get(sidecar, path, **more):
    return await sidecar.call(b"", method="GET", path=path, **more)


@pytest.fixture
def clock():
    return ManualClock()


async def test_a_hundred_requests_in_fifteen_minutes(tmp_path, clock):
    """D-078, D-081: of whatever kind, those that are refused too; each is told how many are left."""
    async with running(tmp_path, 1, extra=window(100, "requests"), clock=clock) as sidecar:
        begin = int(clock.wall())
        asks = [
            lambda: sidecar.call(CHAT),
            lambda: sidecar.call({**CHAT, "stream": True}),
            lambda: get(sidecar, "/v1/models"),
            lambda: get(sidecar, "/v1/nothing"),
            lambda: sidecar.call({"model": "m"}),
        ]
        statuses = []
        for number in range(100):
            reply = await asks[number % 5]()
            statuses.append(reply.status)
            assert standing(reply) == (100, 99 - number, begin + 900)
        assert statuses == [200, 200, 200, 404, 400] * 20
        clock.advance(100.0)
        for ask in asks:
            reply = await ask()
            assert (reply.status, reply.headers["retry-after"]) == (429, "800")
            assert standing(reply) == (100, 0, begin + 900)
        count = sidecar.upstreams[0].journal.count
        clock.advance(799.9)
        assert (await sidecar.call(CHAT)).status == 429
        clock.advance(0.1)
        assert (await sidecar.call(CHAT)).status == 200
        assert sidecar.upstreams[0].journal.count == count + 1
    assert len(rows(sidecar.state)) == 41
    check_books(sidecar)


@pytest.mark.parametrize("path", [INFERENCE, f"{INFERENCE}/stream"])
async def test_fifty_requests_to_inference(tmp_path, clock, path):
    """D-079, D-070, D-074: in the shape of its errors; other routes are not counted."""
    async with running(tmp_path, 1, extra=window(50, "inference"), clock=clock) as sidecar:
        for number in range(50):
            body = CHAT if number % 2 else b"{"
            reply = await sidecar.call(body, path=path)
            assert reply.status == (200 if number % 2 else 400)
            assert standing(reply)[:2] == (50, 49 - number)
        reply = await sidecar.call(CHAT, path=path)
        error = reply.json()["error"]
        assert (reply.status, error["code"], error["type"]) == (429, 429, "rate_limit")
        assert reply.headers["retry-after"] == "900"
        other = await sidecar.call(CHAT)
        assert other.status == 200
        assert unlimited(other)
    check_books(sidecar)


async def test_ten_tries_a_minute_to_log_in(tmp_path, clock):
    """E-081, E-110: by address, whatever is there; other pages are not counted."""
    async with running(tmp_path, 1, extra=window(10, "auth", "1m"), clock=clock) as sidecar:
        for number in range(10):
            reply = await sidecar.call({}, path="/api/v1/auth/login")
            assert reply.status != 429
            assert standing(reply)[:2] == (10, 9 - number)
        for path in ("/api/v1/auth/register", "/api/v1/auth/refresh", "/api/v1/auth/login?x=1"):
            reply = await sidecar.call({}, path=path)
            assert (reply.status, reply.headers["retry-after"]) == (429, "60")
            assert reply.json()["error"]["type"] == "rate_limit_error"
        assert unlimited(await get(sidecar, "/api/v1/models"))
        clock.advance(60.0)
        assert (await sidecar.call({}, path="/api/v1/auth/login")).status != 429


async def test_five_sockets_a_minute(tmp_path, clock):
    """D-080: the window of rules.yaml takes the place of the usual one, and counts every upgrade."""
    extra = window(3, "sockets", "1m")
    async with running(tmp_path, 1, extra=extra, clock=clock) as sidecar:
        for _ in range(3):
            async with chatting(sidecar) as chat:
                await chat.send(type="ping")
                assert await chat.hear() == {"type": "pong"}
        with pytest.raises(Refused) as caught:
            await connect(sidecar)
        assert caught.value.status == 429
        assert caught.value.headers["x-ratelimit-remaining"] == "0"
        assert (await get(sidecar, "/v1/models")).status == 200
        clock.advance(60.0)
        async with chatting(sidecar):
            pass


@pytest.mark.parametrize("window_of_rules", [True, False])
async def test_the_usual_five_sockets(tmp_path, clock, window_of_rules):
    """D-080: five a minute, unless rules.yaml says otherwise."""
    extra = window(9, "sockets", "1m") if window_of_rules else ""
    async with running(tmp_path, 1, extra=extra, clock=clock) as sidecar:
        for _ in range(9 if window_of_rules else 5):
            async with chatting(sidecar):
                pass
        with pytest.raises(Refused):
            await connect(sidecar)


async def test_windows_of_the_environment(tmp_path, clock):
    """D-025, D-026, E-023: both count, and the tightest answers."""
    env = {
        "RATE_LIMIT_WINDOW_MS": "60000",
        "RATE_LIMIT_MAX_REQUESTS": "5",
        "RATE_LIMIT_WINDOW": "15m",
        "RATE_LIMIT_MAX": "3",
    }
    async with running(tmp_path, 1, extra=KEYED, env={**env, **ENV}, clock=clock) as sidecar:
        for left in (2, 1, 0):
            reply = await sidecar.call(CHAT, headers=bearer("ANN"))
            assert (reply.status, standing(reply)[:2]) == (200, (3, left))
        reply = await sidecar.call(CHAT, headers=bearer("ANN"))
        assert (reply.status, reply.headers["retry-after"]) == (429, "900")
        # A refused request took no place, so the address has two more.
        assert standing(await sidecar.call(CHAT, headers=bearer("BOB")))[:2] == (5, 1)
        assert (await sidecar.call(CHAT, headers=bearer("BOB"))).status == 200
        reply = await sidecar.call(CHAT, headers=bearer("BOB"))
        assert (reply.status, reply.headers["retry-after"]) == (429, "60")


async def test_a_hundred_requests_of_each_user(tmp_path, clock):
    """E-080, E-083: users apart; who is not known is counted by address."""
    extra = KEYED + window(2, "requests", scope="principal")
    async with running(tmp_path, 1, extra=extra, env=ENV, clock=clock) as sidecar:
        for name in ("ANN", "BOB"):
            statuses = [(await sidecar.call(CHAT, headers=bearer(name))).status for _ in range(3)]
            assert statuses == [200, 200, 429]
        statuses = [(await sidecar.call(CHAT)).status for _ in range(3)]
        assert statuses == [401, 401, 429]


async def test_a_paid_tier_by_the_hour(tmp_path, clock):
    """E-082, E-083: those of a tier have its bound, and are told how they stand; others have none."""
    extra = KEYED + "tiers: {paid: {rph: 3}}\n"
    async with running(tmp_path, 1, extra=extra, env=ENV, clock=clock) as sidecar:
        for left in (2, 1, 0):
            reply = await sidecar.call({**CHAT, "stream": left == 1}, headers=bearer("ANN"))
            assert (reply.status, standing(reply)[:2]) == (200, (3, left))
        clock.advance(600.0)
        reply = await sidecar.call(CHAT, headers=bearer("ANN"))
        assert (reply.status, reply.headers["retry-after"]) == (429, "3000")
        assert standing(reply)[:2] == (3, 0)
        assert unlimited(await sidecar.call(CHAT, headers=bearer("BOB")))


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("stream", [False, True])
async def test_headers_on_each_way(tmp_path, clock, way, stream):
    """D-081: over HTTP/1 and HTTP/2, whole and streamed; over calls, requests, and both."""
    extra = (
        "windows:\n"
        "  calls: {calls: 5, per: 1m, scope: address}\n"
        "  requests: {calls: 4, per: 1m, scope: global, over: requests}\n"
    )
    async with running(tmp_path, 1, extra=extra, clock=clock) as sidecar:
        reply = await sidecar.call({**CHAT, "stream": stream}, way)
        assert reply.status == 200
        assert standing(reply) == (4, 3, int(clock.wall()) + 60)
        reply = await sidecar.call({**CHAT, "messages": 5}, way)
        assert (reply.status, standing(reply)[:2]) == (400, (4, 2))


async def test_nothing_is_told_where_nothing_is_counted(tmp_path):
    """By default there are no windows, and no headers of any."""
    async with running(tmp_path, 1) as sidecar:
        for reply in (
            await sidecar.call(CHAT),
            await sidecar.call({**CHAT, "stream": True}),
            await get(sidecar, "/v1/models"),
            await get(sidecar, "/v1/nothing"),
        ):
            assert unlimited(reply)


async def test_health_pages_are_never_counted(tmp_path, clock):
    """A probe must not use up a window, nor be refused by one."""
    async with running(tmp_path, 1, extra=window(1, "requests"), clock=clock) as sidecar:
        for path in ("/health", "/health/live", "/health/ready", "/version", "/"):
            assert (await get(sidecar, path)).status == 200
        assert (await sidecar.call(CHAT)).status == 200
        assert (await sidecar.call(CHAT)).status == 429
        assert (await get(sidecar, "/health")).status == 200


@pytest.mark.parametrize("cors", ["", "cors: {origins: ['https://app.example']}\n"])
async def test_preflights_are_never_counted(tmp_path, clock, cors):
    """Those that are refused neither."""
    headers = [("origin", "https://o.example"), ("access-control-request-method", "POST")]
    async with running(tmp_path, 1, extra=window(1, "requests") + cors, clock=clock) as sidecar:
        for _ in range(3):
            reply = await sidecar.call(b"", path="/v1/models", method="OPTIONS", headers=headers)
            assert reply.status == 403
        assert (await sidecar.call(CHAT)).status == 200


async def test_a_refused_upload_is_not_read(tmp_path, clock):
    """429 comes with the head, however much was to follow; with the same headers."""
    async with running(tmp_path, 1, extra=window(1, "requests"), clock=clock) as sidecar:
        assert (await sidecar.call(CHAT)).status == 200
        connection = H1Client(*await dial(sidecar.address, REVERSE, None))
        head = (
            "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: localhost\r\n"
            "content-type: multipart/form-data; boundary=x\r\ncontent-length: 104857600\r\n\r\n"
        )
        connection.writer.write(head.encode())
        answer = await asyncio.wait_for(connection.reader.readuntil(b"\r\n\r\n"), 10)
        assert answer.startswith(b"HTTP/1.1 429")
        assert b"x-ratelimit-remaining: 0\r\n" in answer
        connection.close()


async def test_a_body_that_is_too_large_is_told_with_headers(tmp_path, clock):
    extra = window(5, "requests") + "limits: {json_bytes: 1024}\n"
    async with running(tmp_path, 1, extra=extra, clock=clock) as sidecar:
        reply = await sidecar.call({**CHAT, "user": "x" * 200_000})
        assert (reply.status, standing(reply)[:2]) == (413, (5, 4))


# Addresses.


async def test_nobody_is_believed_about_an_address_by_default(tmp_path, clock):
    """T9: a hundred addresses of one client are one."""
    async with running(tmp_path, 1, extra=window(5, "requests"), clock=clock) as sidecar:
        statuses = [
            (await get(sidecar, "/v1/models", headers=seen_by_a_proxy(f"198.51.100.{n}"))).status
            for n in range(7)
        ]
        assert statuses == [200] * 5 + [429] * 2


@pytest.mark.parametrize("over", ["requests", "calls"])
async def test_a_proxy_in_front_says_whose_request_it_is(tmp_path, clock, over):
    """D-005, D-078: each of its clients has a window of its own; what clients write changes nothing."""
    async with running(tmp_path, 1, extra=FRONT + window(2, over), clock=clock) as sidecar:
        for address in ("198.51.100.1", "198.51.100.2", "2001:db8::1"):
            statuses = [
                (await sidecar.call(CHAT, headers=seen_by_a_proxy(address))).status
                for _ in range(3)
            ]
            assert statuses == [200, 200, 429]
        assert (await sidecar.call(CHAT, headers=seen_by_a_proxy("2001:db8::ffff"))).status == 429
        assert (await sidecar.call(CHAT)).status == 200


@pytest.mark.parametrize("way", [CONNECT_H1, CONNECT_H2, Way("wattline.local")], ids=str)
async def test_what_comes_through_a_tunnel_says_nothing_of_addresses(tmp_path, clock, way):
    """The client wrote it itself, inside of TLS."""
    async with running(tmp_path, 1, extra=FRONT + window(2, "requests"), clock=clock) as sidecar:
        statuses = [
            (await sidecar.call(CHAT, way, headers=seen_by_a_proxy(f"198.51.100.{n}"))).status
            for n in range(3)
        ]
        assert statuses == [200, 200, 429]


# Calls at one time, and their time.


async def test_one_call_too_many_is_answered_503(tmp_path):
    """D-029, D-077: at once, and told to come again; pages are no calls."""
    env = {"MAX_CONCURRENT_REQUESTS": "3"}
    async with running(tmp_path, 1, env=env, timeouts=PATIENT) as sidecar:
        upstream = sidecar.upstreams[0]
        upstream.always("stall_head")
        asked = [asyncio.ensure_future(sidecar.call(CHAT)) for _ in range(3)]
        await upstream.journal.wait_for(lambda entry: entry.stalled, count=3)
        reply = await sidecar.call(CHAT)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.json()["error"]["code"] == "too_many_calls"
        error = (await sidecar.call(CHAT, path=INFERENCE)).json()["error"]
        assert (error["code"], error["type"]) == (503, "internal")
        assert (await get(sidecar, "/v1/models")).status == 200
        async with chatting(sidecar) as chat:
            await chat.ask()
            heard = await chat.until("error", "end")
            assert heard[-1]["type"] == "error"
        upstream.release()
        assert [reply.status for reply in await asyncio.gather(*asked)] == [200] * 3
        upstream.clear()
        assert (await sidecar.call(CHAT)).status == 200
        assert sidecar.sidecar.parts.calls.answers.under_way == 0
    assert len(rows(sidecar.state)) == 4
    check_books(sidecar)


async def test_a_place_is_given_back_by_whoever_leaves(tmp_path):
    """D-029: a client that goes, a call that fails, a stream that breaks off."""
    extra = "limits: {concurrent: 1}\n"
    async with running(tmp_path, 1, extra=extra, timeouts=PATIENT) as sidecar:
        upstream = sidecar.upstreams[0]
        for fault, stream in (("500", False), ("cut:2", True), ("html", True)):
            upstream.script([fault])
            await sidecar.call({**CHAT, "stream": stream})
        upstream.script(["stall_head"])
        asked = asyncio.ensure_future(sidecar.call(CHAT))
        await upstream.journal.wait_for(lambda entry: entry.stalled)
        assert (await sidecar.call(CHAT)).status == 503
        asked.cancel()
        await upstream.journal.wait_for(lambda entry: entry.stalled and entry.ended is not None)
        assert (await sidecar.call(CHAT)).status == 200


async def test_a_call_has_so_much_time(tmp_path):
    """D-030: milliseconds, all attempts together."""
    async with running(tmp_path, 2, env={"REQUEST_TIMEOUT": "700"}) as sidecar:
        for upstream in sidecar.upstreams:
            upstream.always("stall_head")
        began = asyncio.get_running_loop().time()
        reply = await sidecar.call(CHAT, path=INFERENCE)
        took = asyncio.get_running_loop().time() - began
        assert (reply.status, reply.json()["error"]["type"]) == (502, "openrouter")
        assert 0.6 < took < 15
        assert sidecar.upstreams[1].journal.count == 0


async def test_a_provider_has_so_much_time_for_its_head(tmp_path):
    """B-148: milliseconds; then the next one is asked."""
    env = {"UPSTREAM_TIMEOUT_MS": "400"}
    async with running(tmp_path, 2, timeouts="{connect: 1}", env=env) as sidecar:
        sidecar.upstreams[0].script(["stall_head"])
        reply = await sidecar.call(CHAT)
        assert (reply.status, reply.headers["x-wattline-provider"]) == (200, "p1")
    failed, complete = rows(sidecar.state)
    assert (failed["error"], complete["state"]) == ("first_byte_timeout", "complete")
    assert 300 < failed["total_ms"] < 20_000


async def test_no_window_holds_a_key(tmp_path):
    """B-136: windows are kept by ids and addresses, so there is nothing to hash."""
    extra = KEYED + window(9, "requests", scope="principal") + "tiers: {paid: {rpm: 9}}\n"
    env = {**ENV, "RATE_LIMIT_HASH_SECRET": "anygpt-rate-limit"}
    async with running(tmp_path, 1, extra=extra, env=env) as sidecar:
        for name in ENV:
            assert (await sidecar.call(CHAT, headers=bearer(name))).status == 200
        counters = sidecar.sidecar.parts.memory.windows._counters
        keys = json.dumps([list(kept) for kept in counters.values()])
        assert "ann" in keys
        assert not any(secret in keys for secret in ENV.values())
