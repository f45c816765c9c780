"""What earlier calls made, asked about later: videos and responses, mostly through the official SDK."""

from __future__ import annotations

import asyncio
import io
import ssl
from contextlib import asynccontextmanager

import openai
import pytest

from kit.books import check_books, rows
from kit.clients import CONNECT_H1, CONNECT_H2, REVERSE, client
from kit.sidecars import QUICK, Running, rules, running
from wattline.app.sidecar import Sidecar
from wattline.base.clock import ManualClock
from wattline.base.settings import Settings
from wattline.demo.kept import VIDEO
from wattline.demo.provider import DemoProvider
from wattline.service.entrance.decision import RequestHead, Verdict
from wattline.wire.http import Use

# OpenAI's own videos are over; others speak the same API.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unread_data:DeprecationWarning"),  # aiohttp's own, on itself
]

KEYS = "auth: {mode: keys, keys: {ann: '${ANN}', bob: '${BOB}'}}\n"
PEOPLE = {"ANN": "key-of-ann-0123456789", "BOB": "key-of-bob-0123456789"}
SOON = "VIDEO_REQUEST_CACHE_TTL_MS"
HOSTILE = [
    ("..", 400),
    (".", 400),
    ("a%2fb", 400),
    ("a%00", 400),
    ("%2e%2e", 400),
    ("a;b", 400),
    ("a\\b", 400),
    ("a//b", 400),
    ("a/../b", 400),
    ("x/content/..", 400),
    (".hidden", 404),
    ("-x", 404),
    ("a@b", 404),
    ("a:b", 404),
    ("a" * 257, 404),
    ("a/contents", 404),
    ("a/content/", 404),
    ("a/", 404),
    ("a" * 256, 404),
    ("generations", 405),
]


@asynccontextmanager
async def sdk(sidecar, way="base-url", key="sk-none"):
    """The async client, as a base URL or through the intercepting proxy."""
    host, port = sidecar.address
    options = {"trust_env": False}
    url = f"http://{host}:{port}/v1"
    if way != "base-url":
        url = "https://api.openai.com/v1"
        options["proxy"] = f"http://{host}:{port}"
        options["verify"] = ssl.create_default_context(cafile=str(sidecar.ca))
    http = openai.DefaultAsyncHttpxClient(**options)
    async with openai.AsyncOpenAI(
        base_url=url, api_key=key, http_client=http, max_retries=0
    ) as found:
        yield found


@pytest.fixture(params=["base-url", "https-proxy"])
def way(request):
    return request.param


async def ask(sidecar, path, method="GET", way=REVERSE, body=b"", headers=()):
    """One request with just these headers."""
    connection = await client(sidecar.address, way, sidecar.ca)
    host = way.connect or "localhost"
    try:
        await connection.send(method, path, [("host", host), *headers], body)
        async for _ in connection.pieces():
            pass
        return connection.reply
    finally:
        connection.close()


def lookups(sidecar):
    return [row for row in rows(sidecar.state) if row["operation"] == "lookup"]


async def test_a_video_from_its_making_to_its_end(tmp_path, way):
    """B-025, B-026: queued, polled, downloaded, deleted; the model's name is the target's."""
    async with running(tmp_path, 1) as sidecar, sdk(sidecar, way) as api:
        made = await api.videos.create(model="m", prompt="a cat", seconds="8")
        assert (made.status, made.model, made.seconds) == ("queued", "up0", "8")
        assert [(await api.videos.retrieve(made.id)).status for _ in range(3)] == [
            "in_progress",
            "completed",
            "completed",
        ]
        content = await api.videos.download_content(made.id, variant="video")
        assert content.content == VIDEO
        assert content.response.headers["content-type"] == "video/mp4"
        journal = sidecar.upstreams[0].journal.requests
        assert journal[-1].method == "GET"
        assert not journal[-1].body
        assert (await api.videos.delete(made.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await api.videos.retrieve(made.id)
    first, *others = rows(sidecar.state)
    assert (first["operation"], first["state"], first["source"]) == (
        "videos",
        "complete",
        "estimated",
    )
    assert "no_usage" in first["flags"]
    for row in others[:-1]:
        assert (row["operation"], row["state"], row["energy"]) == ("lookup", "complete", 0)
        assert (row["prompt"], row["completion"], row["source"]) == (0, 0, "counted")
        assert row["hold"] == row["estimate"] == 0
    assert others[-1]["state"] == "failed"
    check_books(sidecar)


@pytest.mark.parametrize("path", ["/v1/videos", "/v1/videos/generations"])
async def test_a_video_asked_for_in_json(tmp_path, path):
    """B-025: JSON as well as a form."""
    async with running(tmp_path, 1) as sidecar:
        reply = await sidecar.call({"model": "m", "prompt": "a cat"}, path=path)
        assert reply.status == 200, reply.body
        assert reply.json()["model"] == "up0"
        found = await ask(sidecar, f"/v1/videos/{reply.json()['id']}?x=1&y[]=2")
        assert found.json()["status"] == "in_progress"
        too_large = b'{"x":"' + b"x" * (33 * 1024 * 1024) + b'"}'
        reply = await sidecar.call(too_large, path=path)
        assert reply.status == 413
    check_books(sidecar)


async def test_a_response_and_what_it_was_asked(tmp_path, way):
    """Kept responses of the Responses API."""
    async with running(tmp_path, 1) as sidecar, sdk(sidecar, way) as api:
        made = await api.responses.create(model="m", input="hello")
        again = await api.responses.retrieve(made.id)
        assert again.output_text == made.output_text
        assert not hasattr(again.usage, "energy"), "it was paid for already"
        items = await api.responses.input_items.list(made.id, limit=5, order="asc")
        assert len(items.data) == 1
        await api.responses.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            await api.responses.retrieve(made.id)
        behind = await api.responses.create(model="m", input="hello", background=True)
        assert (await api.responses.cancel(behind.id)).status == "cancelled"
    assert {row["energy"] for row in lookups(sidecar)} == {0, None}
    check_books(sidecar)


async def test_a_response_that_its_provider_did_not_keep(tmp_path):
    """`store: false`: there is nothing to ask about."""
    async with running(tmp_path, 1) as sidecar, sdk(sidecar) as api:
        made = await api.responses.create(model="m", input="hello", store=False)
        with pytest.raises(openai.NotFoundError, match="No response"):
            await api.responses.retrieve(made.id)
        assert len(sidecar.upstreams[0].journal.requests) == 1


async def test_a_streamed_response_is_known_from_its_first_event(tmp_path, way):
    """Even when its client leaves before its end."""
    async with running(tmp_path, 1) as sidecar, sdk(sidecar, way) as api:
        stream = await api.responses.create(model="m", input="hello", stream=True)
        async for event in stream:
            if event.type == "response.output_text.delta":
                break
        await stream.close()
        (seen,) = sidecar.upstreams[0].journal.requests
        again = await api.responses.retrieve(f"resp_demo{seen.number:08d}")
        assert again.output_text
    check_books(sidecar)


async def test_it_goes_to_the_provider_that_made_it_and_to_no_other(tmp_path, way):
    """Made by the second after the first failed; asked of the second alone, with its own key."""
    async with running(tmp_path, 2) as sidecar, sdk(sidecar, way) as api:
        first, second = sidecar.upstreams
        first.script(["500"])
        made = await api.videos.create(model="m", prompt="a cat")
        assert made.model == "up1"
        raw = await api.videos.with_raw_response.retrieve(made.id)
        assert raw.headers["x-wattline-provider"] == "p1"
        seen = second.journal.requests[-1]
        assert seen.path == f"/v1/videos/{made.id}"
        assert seen.header("authorization") == "Bearer sk-secret-of-upstream-0001"
        second.always("503", path=f"/v1/videos/{made.id}")
        with pytest.raises(openai.InternalServerError, match="All providers unavailable"):
            await api.videos.retrieve(made.id)
        assert len(first.journal.requests) == 1
    assert [row["provider"] for row in lookups(sidecar)] == ["p1", "p1"]
    check_books(sidecar)


async def test_what_another_caller_made_is_not_there(tmp_path):
    """Not even the second time, and not by making one of the same name."""
    async with running(tmp_path, 1, extra=KEYS, env=PEOPLE) as sidecar:
        async with (
            sdk(sidecar, key=PEOPLE["ANN"]) as ann,
            sdk(sidecar, key=PEOPLE["BOB"]) as bob,
        ):
            made = await ann.videos.create(model="m", prompt="a cat")
            for _ in range(2):
                with pytest.raises(openai.NotFoundError, match="for the caller that made it"):
                    await bob.videos.retrieve(made.id)
                with pytest.raises(openai.NotFoundError):
                    await bob.videos.delete(made.id)
            assert (await ann.videos.retrieve(made.id)).id == made.id
            with pytest.raises(openai.AuthenticationError):
                async with sdk(sidecar, key="key-of-nobody") as nobody:
                    await nobody.videos.retrieve(made.id)
        assert len(sidecar.upstreams[0].journal.requests) == 2
    assert [row["principal"] for row in rows(sidecar.state)] == ["ann", "ann"]
    check_books(sidecar)


async def test_two_callers_whose_providers_give_the_same_id(tmp_path):
    """Each is led to its own."""
    async with (
        running(tmp_path, 2, extra=KEYS, env=PEOPLE) as sidecar,
        sdk(sidecar, key=PEOPLE["ANN"]) as ann,
        sdk(sidecar, key=PEOPLE["BOB"]) as bob,
    ):
        one = await ann.videos.create(model="m0", prompt="a cat")
        other = await bob.videos.create(model="m1", prompt="a cat")
        assert one.id == other.id
        for api, name in ((ann, "p0"), (bob, "p1"), (ann, "p0")):
            raw = await api.videos.with_raw_response.retrieve(one.id)
            assert raw.headers["x-wattline-provider"] == name
    check_books(sidecar)


@asynccontextmanager
async def with_clock(tmp_path, clock, env):
    upstream = DemoProvider(QUICK, allow_faults=True)
    path = tmp_path / "rules.yaml"
    path.write_text(rules([f"{await upstream.start()}/v1"]))
    settings = Settings(path, tmp_path / "state", "127.0.0.1", 0, env={"KEY_0": "sk-0", **env})
    sidecar = Sidecar(settings, clock=clock, mark_attempts=True)
    try:
        await sidecar.start()
        yield Running(sidecar, [upstream], settings.state, path)
    finally:
        await sidecar.stop(grace=0)
        await upstream.stop()


@pytest.mark.parametrize(("env", "seconds"), [({}, 3600.0), ({SOON: "90000"}, 90.0)])
async def test_it_is_remembered_for_so_long(tmp_path, env, seconds):
    """B-149: an hour, or what the operator says."""
    clock = ManualClock()
    async with with_clock(tmp_path, clock, env) as sidecar:
        made = await sidecar.call({"model": "m", "prompt": "a cat"}, path="/v1/videos/generations")
        path = f"/v1/videos/{made.json()['id']}"
        clock.advance(seconds - 1)
        assert (await ask(sidecar, path)).status == 200
        clock.advance(2)
        reply = await ask(sidecar, path)
        assert reply.status == 404
        assert f"{seconds:g} s" in reply.json()["error"]["message"]
        assert len(sidecar.upstreams[0].journal.requests) == 2
    check_books(sidecar)


async def test_it_is_remembered_over_a_restart(tmp_path):
    """B-149: the ledger knows it, with the time that is left."""
    clock = ManualClock()
    upstream = DemoProvider(QUICK, allow_faults=True)
    path = tmp_path / "rules.yaml"
    path.write_text(rules([f"{await upstream.start()}/v1"]) + KEYS)
    env = {"KEY_0": "sk-secret-of-upstream-0000", **PEOPLE}
    settings = Settings(path, tmp_path / "state", "127.0.0.1", 0, env=env)
    ann, bob = ((("authorization", f"Bearer {key}"),) for key in PEOPLE.values())
    paths = []
    async with Sidecar(settings, clock=clock) as sidecar:
        here = Running(sidecar, [upstream], settings.state, path)
        body = {"model": "m", "prompt": "a cat"}
        made = await here.call(body, path="/v1/videos/generations", headers=list(ann))
        paths.append(f"/v1/videos/{made.json()['id']}")
        body = {"model": "m", "input": "hello", "stream": True}
        reply = await here.call(body, path="/v1/responses", headers=list(ann))
        paths.append(f"/v1/responses/{reply.events[0]['response']['id']}")
    clock.advance(3590)
    async with Sidecar(settings, clock=clock) as sidecar:
        here = Running(sidecar, [upstream], settings.state, path)
        for found in paths:
            assert (await ask(here, found, headers=ann)).status == 200
            assert (await ask(here, found, headers=bob)).status == 404
        clock.advance(20)
        for found in paths:
            assert (await ask(here, found, headers=ann)).status == 404
    await upstream.stop()


@pytest.mark.parametrize(("made", "status"), HOSTILE, ids=lambda v: str(v)[:20])
async def test_hostile_ids_lead_nowhere(tmp_path, made, status):
    """T12: no row, nothing upstream."""
    async with running(tmp_path, 1) as sidecar:
        for collection in ("videos", "responses") if made != "generations" else ("videos",):
            reply = await ask(sidecar, f"/v1/{collection}/{made}")
            assert reply.status == status, reply.body
            assert reply.json()["error"]["message"]
        assert not sidecar.upstreams[0].journal.requests
    assert rows(sidecar.state) == []


@pytest.mark.parametrize(
    "query",
    ["?a=b%0d%0ax", "?a=<", "?" + "a" * 1025, "?a=%zz", "?a='"],
    ids=["line end", "bracket", "long", "half", "quote"],
)
async def test_hostile_queries_are_refused_or_stay_encoded(tmp_path, query):
    async with running(tmp_path, 1) as sidecar:
        made = await sidecar.call({"model": "m", "prompt": "a cat"}, path="/v1/videos/generations")
        reply = await ask(sidecar, f"/v1/videos/{made.json()['id']}{query}")
        assert reply.status == (200 if "%0d" in query else 400), reply.body
    check_books(sidecar)


@pytest.mark.parametrize("way", [REVERSE, CONNECT_H1, CONNECT_H2], ids=str)
async def test_a_caller_that_gives_its_key_in_the_query_keeps_it_from_the_provider(tmp_path, way):
    async with running(tmp_path, 1) as sidecar:
        made = await sidecar.call({"model": "m", "prompt": "a cat"}, path="/v1/videos/generations")
        path = f"/v1/videos/{made.json()['id']}"
        reply = await ask(sidecar, f"{path}?x=1&key=sk-mine&y=2", way=way)
        assert reply.status == 200, reply.body
        reply = await ask(sidecar, f"{path}?%6bey=sk-mine", way=way)
        assert reply.status == 200, reply.body
    assert all("sk-mine" not in seen.path for seen in sidecar.upstreams[0].journal.requests)


async def test_a_provider_that_knows_it_no_more(tmp_path):
    """Its 404 is the client's, whatever it names, and nobody is blamed."""
    async with running(tmp_path, 1) as sidecar:
        made = await sidecar.call({"model": "m", "prompt": "a cat"}, path="/v1/videos/generations")
        path = f"/v1/videos/{made.json()['id']}"
        sidecar.upstreams[0].always("404-model", path=path)
        assert (await ask(sidecar, path)).status == 404
        sidecar.upstreams[0].always("401", path=path)
        reply = await ask(sidecar, path)
        assert reply.status == 500
        assert "http_401" in reply.json()["error"]["message"]
    check_books(sidecar)


async def test_methods_that_a_path_does_not_take(tmp_path):
    async with running(tmp_path, 1) as sidecar:
        made = await sidecar.call({"model": "m", "prompt": "a cat"}, path="/v1/videos/generations")
        path = f"/v1/videos/{made.json()['id']}"
        for method, more in (("POST", ""), ("PUT", ""), ("PATCH", ""), ("DELETE", "/content")):
            reply = await ask(sidecar, path + more, method, body=b"{}")
            assert reply.status == 404, (method, more)
    assert len(rows(sidecar.state)) == 1


def head(path, method="GET"):
    return RequestHead("r", method, "api.openai.com", 443, path, (), "127.0.0.1", Use.FORWARD, None)


async def test_what_was_made_without_us_is_its_own_hosts(tmp_path):
    """Through CONNECT: a client's own key goes on to the host that it named, as before."""
    async with running(tmp_path, 1) as sidecar:
        reception = sidecar.sidecar.parts.entrance.reception
        for path in ("/v1/responses/resp_theirs", "/v1/videos/video_theirs/content"):
            assert reception.receive(head(path)).verdict is Verdict.PASS
        assert (
            reception.receive(head("/v1/responses/resp_theirs/cancel", "POST")).verdict
            is Verdict.PASS
        )
        made = (await sidecar.call({"model": "m", "input": "hello"}, path="/v1/responses")).json()
        decision = reception.receive(head(f"/v1/responses/{made['id']}"))
        assert decision.verdict is Verdict.CALL
        assert decision.route.subject == made["id"]


async def test_lookups_count_in_windows_over_callers(tmp_path):
    extra = "windows: {slow: {per: 1h, calls: 3, scope: principal}}\n"
    async with running(tmp_path, 1, extra=extra) as sidecar:
        made = await sidecar.call({"model": "m", "prompt": "a cat"}, path="/v1/videos/generations")
        path = f"/v1/videos/{made.json()['id']}"
        found = [(await ask(sidecar, path)).status for _ in range(4)]
        assert found == [200, 200, 429, 429]
    assert len(rows(sidecar.state)) == 3
    check_books(sidecar)


async def test_a_provider_that_is_gone_from_the_rules(tmp_path):
    """It is told, and nobody else is asked."""
    async with running(tmp_path, 2) as sidecar:
        made = await sidecar.call({"model": "m0", "prompt": "cat"}, path="/v1/videos/generations")
        urls = [f"{upstream.url}/v1" for upstream in sidecar.upstreams]
        text = rules(urls).replace("p0", "other").replace("name: up0", "name: gone")
        sidecar.rules.write_text(text)
        await sidecar.sidecar.books.fresh()
        reply = await ask(sidecar, f"/v1/videos/{made.json()['id']}")
        assert reply.status == 503, reply.body
    assert len(rows(sidecar.state)) == 1


class Slow:
    """An upstream whose content comes in two halves, the second when it is let."""

    def __init__(self) -> None:
        self.more = asyncio.Event()
        self.seen: list[str] = []

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.seen.append(head)
                length = head.lower().partition("content-length: ")[2].split("\r\n")[0]
                await reader.readexactly(int(length or 0))
                await self.answer(head, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def answer(self, head, writer):
        start = b"HTTP/1.1 200 OK\r\ncontent-type: "
        if head.startswith("GET"):
            writer.write(start + b"video/mp4\r\ncontent-length: 200000\r\n\r\n" + b"a" * 100_000)
            await writer.drain()
            await self.more.wait()
            writer.write(b"b" * 100_000)
        else:
            body = b'{"request_id":"d97415a1-5796"}'
            writer.write(start + b"application/json\r\ncontent-length: %d\r\n\r\n" % len(body))
            writer.write(body)


async def test_content_is_passed_on_as_it_comes(tmp_path):
    """B-026: and an id by xAI's name for it."""
    upstream = Slow()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    text = rules([f"http://{host}:{port}/v1"])
    env = {"KEY_0": "sk-secret-of-upstream-0000"}
    async with server, running(tmp_path, 0, text=text, env=env) as sidecar:
        made = await sidecar.call({"model": "m", "prompt": "a cat"}, path="/v1/videos/generations")
        assert made.json() == {"request_id": "d97415a1-5796"}
        connection = await client(sidecar.address, REVERSE, sidecar.ca)
        await connection.send(
            "GET", "/v1/videos/d97415a1-5796/content", [("host", "localhost")], b""
        )
        got = b""
        async for piece in connection.pieces():
            got += piece
            if got:
                upstream.more.set()
        assert got == b"a" * 100_000 + b"b" * 100_000
        connection.close()
    assert "content-type" not in upstream.seen[-1].lower().split("\r\n\r\n")[0]
    (row,) = lookups(sidecar)
    assert (row["state"], row["energy"], row["source"]) == ("complete", 0, "counted")


async def test_a_form_with_a_picture(tmp_path, way):
    """B-025: `input_reference`, an upload."""
    async with running(tmp_path, 1) as sidecar, sdk(sidecar, way) as api:
        made = await api.videos.create(
            model="m",
            prompt="a cat",
            input_reference=("a.png", io.BytesIO(b"\x89PNG"), "image/png"),
        )
        assert made.model == "up0"
        polled = await api.videos.poll(made.id, poll_interval_ms=1)
        assert polled.status == "completed"
    check_books(sidecar)
