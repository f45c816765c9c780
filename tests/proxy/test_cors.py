"""Pages of other origins, through real sockets: which may call, and what a browser is told."""

from __future__ import annotations

import pytest

from kit.books import check_books
from kit.chat_socket import Refused, chatting, connect
from kit.clients import REVERSE, Way
from kit.raw_http import ask
from kit.sidecars import running

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
APP, OTHER = "https://app.example", "https://other.example"
LISTED = f"cors: {{origins: ['{APP}', 'http://localhost:3000']}}\n"
ALLOW = "access-control-allow-origin"
KEY = "key-of-ann-0123456789"
KEYED = 'auth: {mode: keys, keys: {ann: "${ANN}"}}\n'
ANYBODY = KEYED + "cors: {origins: ['*']}\n"
BEARER = [("authorization", f"Bearer {KEY}")]
PATHS = (
    "/v1/chat/completions",
    "/v1/models",
    "/api/v1/inference",
    "/v1/messages",
    "/ws",
    "/health",
    "/nothing",
)


def of(origin, *more):
    return [("origin", origin), *more]


async def preflight(sidecar, origin=APP, path="/v1/chat/completions", **more):
    headers = [
        ("access-control-request-method", more.pop("asked", "POST")),
        ("access-control-request-headers", "authorization, x-anything"),
    ]
    return await sidecar.call(
        b"", path=path, method="OPTIONS", headers=of(origin, *headers, *more.pop("more", ()))
    )


async def get(sidecar, path, origin=APP, **more):
    return await sidecar.call(b"", path=path, method="GET", headers=of(origin), **more)


def shared(reply):
    """Only the headers that a browser looks at."""
    return {k: v for k, v in reply.headers.items() if k.startswith("access-control-")}


@pytest.mark.parametrize("path", PATHS)
async def test_a_browser_asks_before_it_sends(tmp_path, path):
    """A-010, D-006: for calls and pages, without a key, and nothing is done."""
    async with running(tmp_path, 1, extra=LISTED) as sidecar:
        reply = await preflight(sidecar, path=path)
        assert (reply.status, reply.body) == (204, b"")
        assert reply.headers[ALLOW] == APP
        assert "POST" in reply.headers["access-control-allow-methods"]
        assert reply.headers["access-control-allow-headers"] == "authorization, x-anything"
        assert reply.headers["access-control-max-age"] == "600"
        assert "access-control-allow-credentials" not in reply.headers
        assert "access-control-allow-private-network" not in reply.headers
        for origin in (OTHER, "null", f"{APP}.evil.test", f"{APP}:8443", "http://app.example"):
            reply = await preflight(sidecar, origin, path)
            assert (reply.status, shared(reply)) == (403, {})
        assert sidecar.upstreams[0].journal.count == 0


async def test_what_a_preflight_asks_is_not_repeated_blindly(tmp_path):
    async with running(tmp_path, 1, extra=LISTED) as sidecar:
        for names in ("a b", "x;y", "a,,b", "x" * 5000):
            reply = await sidecar.call(
                b"",
                method="OPTIONS",
                headers=of(
                    APP,
                    ("access-control-request-method", "POST"),
                    ("access-control-request-headers", names),
                ),
            )
            assert reply.status == 204
            assert names not in reply.headers["access-control-allow-headers"]
        private = [("access-control-request-private-network", "true")]
        reply = await preflight(sidecar, more=private)
        assert reply.headers["access-control-allow-private-network"] == "true"


async def test_a_plain_options_is_no_preflight(tmp_path):
    async with running(tmp_path, 1, extra=LISTED) as sidecar:
        reply = await sidecar.call(b"", method="OPTIONS", headers=of(APP))
        assert reply.status == 405
        assert reply.headers[ALLOW] == APP


async def test_every_answer_can_be_read_by_a_page_that_may(tmp_path):
    """Calls, streams, pages, errors of the gate, of a page and of the call, and refusals before a body."""
    extra = LISTED + "limits: {json_bytes: 2048}\n"
    async with running(tmp_path, 1, extra=extra) as sidecar:
        upstream = sidecar.upstreams[0]
        told = of(APP)
        upstream.script(["ok", "ok", "500", "401"])
        replies = [
            await sidecar.call(CHAT, headers=told),
            await sidecar.call({**CHAT, "stream": True}, headers=told),
            await sidecar.call(CHAT, headers=told),
            await sidecar.call(CHAT, headers=told),
            await sidecar.call({"model": "m"}, headers=told),
            await sidecar.call(b"{", headers=told),
            await sidecar.call({**CHAT, "user": "x" * 200_000}, headers=told),
            await get(sidecar, "/v1/models"),
            await get(sidecar, "/v1/models/nothing"),
            await get(sidecar, "/nothing"),
            await get(sidecar, "/v1/../x"),
            await get(sidecar, "/health"),
        ]
        statuses = [reply.status for reply in replies]
        assert statuses == [200, 200, 500, 500, 400, 400, 413, 200, 404, 404, 400, 200]
        for reply in replies:
            assert reply.headers[ALLOW] == APP, reply
            assert "Origin" in reply.headers["vary"]
            exposed = reply.headers["access-control-expose-headers"]
            for name in ("x-wattline-provider", "x-ratelimit-reset", "x-request-id"):
                assert name in exposed
    check_books(sidecar)


async def test_other_pages_are_refused_as_ever(tmp_path):
    """T6: an origin that is not listed, `null`, two origins, and a cross-site request that hides its own."""
    async with running(tmp_path, 1, extra=LISTED) as sidecar:
        cross = [("sec-fetch-site", "cross-site")]
        for headers in (of(OTHER), of("null"), of(APP, *of(OTHER)), of(APP, *of(APP)), cross):
            for path, method in (("/v1/chat/completions", "POST"), ("/v1/models", "GET")):
                reply = await sidecar.call(CHAT, path=path, method=method, headers=headers)
                assert (reply.status, shared(reply)) == (403, {})
        assert (await sidecar.call(CHAT, headers=of(APP, *cross))).status == 200
        assert sidecar.upstreams[0].journal.count == 1


@pytest.mark.parametrize("extra", ["", KEYED])
async def test_by_default_no_page_of_others_may_call(tmp_path, extra):
    """Local pages may, as any program of this machine; they read no answers."""
    env = {"ANN": KEY}
    async with running(tmp_path, 1, extra=extra, env=env) as sidecar:
        assert (await sidecar.call(CHAT, headers=of(APP, *BEARER))).status == 403
        assert (await preflight(sidecar)).status == 403
        local = await sidecar.call(CHAT, headers=of("http://localhost:5173", *BEARER))
        assert (local.status, shared(local)) == (200, {})
        assert (await preflight(sidecar, "http://localhost:5173")).status == 405


async def test_a_local_page_that_is_listed_may_read(tmp_path):
    async with running(tmp_path, 1, extra=LISTED) as sidecar:
        reply = await sidecar.call(CHAT, headers=of("http://localhost:3000"))
        assert reply.headers[ALLOW] == "http://localhost:3000"
        reply = await sidecar.call(CHAT, headers=of("http://localhost:3001"))
        assert (reply.status, shared(reply)) == (200, {})


async def test_every_page_may_call_with_a_key(tmp_path):
    """A-010: wide open, which needs keys; no cookie is ever asked for."""
    async with running(tmp_path, 1, extra=ANYBODY, env={"ANN": KEY}) as sidecar:
        for origin in (APP, OTHER, "null"):
            assert (await preflight(sidecar, origin)).headers[ALLOW] == "*"
            reply = await sidecar.call(CHAT, headers=of(origin, *BEARER))
            assert (reply.status, reply.headers[ALLOW]) == (200, "*")
            assert "access-control-allow-credentials" not in reply.headers
            reply = await sidecar.call(CHAT, headers=of(origin))
            assert (reply.status, reply.headers[ALLOW]) == (401, "*")


async def test_cookies_may_come_along(tmp_path):
    """Some pages insist; nothing here reads one."""
    extra = f"cors: {{origins: ['{APP}'], credentials: true}}\n"
    async with running(tmp_path, 1, extra=extra) as sidecar:
        for reply in (await preflight(sidecar), await sidecar.call(CHAT, headers=of(APP))):
            assert reply.headers[ALLOW] == APP
            assert reply.headers["access-control-allow-credentials"] == "true"


async def test_programs_are_told_nothing_of_origins(tmp_path):
    async with running(tmp_path, 1, extra=LISTED) as sidecar:
        assert shared(await sidecar.call(CHAT)) == {}


async def test_names_that_point_here_are_refused_all_the_same(tmp_path):
    """DNS rebinding: in open mode a listed origin does not change whose name this is."""
    async with running(tmp_path, 1, extra=LISTED) as sidecar:
        host, port = sidecar.address
        wire = await ask(f"http://{host}:{port}", "/v1/models", CHAT, headers={"origin": APP})
        assert wire.status == 421


@pytest.mark.parametrize("way", [REVERSE, Way("wattline.local")], ids=str)
async def test_sockets_of_listed_pages(tmp_path, way):
    """T29: a WebSocket has no preflight; the origin is all there is."""
    host = "wattline.local" if way.connect else "localhost"
    async with running(tmp_path, 1, extra=LISTED) as sidecar:
        async with chatting(sidecar, way, headers=of(APP)) as chat:
            await chat.send(type="ping")
            assert await chat.hear() == {"type": "pong"}
        with pytest.raises(Refused) as caught:
            await connect(sidecar, way, headers=of(OTHER), host=host)
        assert caught.value.status == 403
    async with running(tmp_path, 1) as sidecar:
        with pytest.raises(Refused):
            await connect(sidecar, way, headers=of(APP), host=host)


SAFE = (
    "content-security-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "origin-agent-cluster",
    "referrer-policy",
    "x-content-type-options",
    "x-dns-prefetch-control",
    "x-download-options",
    "x-frame-options",
    "x-permitted-cross-domain-policies",
    "x-xss-protection",
)


async def test_a_browser_makes_no_more_of_an_answer_than_it_is(tmp_path):
    """D-006: the headers that Helmet sets, on pages and on what the gate answers itself."""
    async with running(tmp_path, 1) as sidecar:
        for path in ("/health", "/version", "/", "/v1/models", "/v1/models/no", "/no", "/v1/../x"):
            reply = await sidecar.call(b"", path=path, method="GET")
            assert set(SAFE) <= set(reply.headers), path
            assert reply.headers["cache-control"] == "no-store"
            assert "x-powered-by" not in reply.headers
            assert "server" not in reply.headers
