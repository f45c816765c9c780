"""Google's Interactions API through its own SDK: made, streamed, asked about again."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import httpx2
import pytest
from aiohttp import web
from google import genai
from google.genai import types

from kit.books import rows
from kit.clients import CONNECT_H1, REVERSE, client
from kit.sidecars import running

KEY = "AIza-secret-of-google-0000"
USAGE = {"total_input_tokens": 20, "total_output_tokens": 30, "total_tokens": 50}
RULES = """version: 1
health: {{breaker: false}}
intercept: [generativelanguage.googleapis.com]
providers:
  google: {{url: {url}/v1beta, key: '${{KEY_0}}', dialect: gemini, timeouts: {times}}}
  other: {{url: {url}/v1, key: '${{KEY_0}}', dialect: openai}}
models:
  m: {{provider: google, name: gemini-3-flash, rate: '2.0', chain: [o, m]}}
  o: {{provider: other, name: gpt, rate: '2.0'}}
rules:
  - {{name: by-model, when: {{}}, try: model}}
"""
TIMES = "{connect: 1, first_byte: 2, idle: 2, total: 20}"


class Google:
    """What it keeps, and what it was sent."""

    def __init__(self) -> None:
        self.kept: dict[str, dict] = {}
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((request.method, request.path_qs, headers, raw))
        if request.method != "POST":
            id_ = request.match_info["id"]
            kept = self.kept.get(id_) if request.method == "GET" else self.kept.pop(id_, None)
            if kept is None:
                error = {"error": {"code": 404, "message": "none", "status": "NOT_FOUND"}}
                return web.json_response(error, status=404)
            return web.json_response(kept if request.method == "GET" else {})
        body = json.loads(raw)
        id_ = f"v1_{len(self.kept)}"
        steps = [{"type": "model_output", "content": [{"type": "text", "text": "hello"}]}]
        made = {"id": id_, "model": body["model"], "status": "completed", "steps": steps}
        made |= {"usage": USAGE, "object": "interaction"}
        self.kept[id_] = made
        return await self.stream(request, made) if body.get("stream") else web.json_response(made)

    async def stream(self, request: web.Request, made: dict) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await reply.prepare(request)
        begun = {"id": made["id"], "model": made["model"], "status": "in_progress"}
        for event in (
            {"event_type": "interaction.created", "interaction": begun},
            {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}},
            {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "hello"}},
            {"event_type": "step.stop", "index": 0},
            {"event_type": "interaction.completed", "interaction": made},
        ):
            name = event["event_type"]
            await reply.write(f"event: {name}\ndata: {json.dumps(event)}\n\n".encode())
        await reply.write(b"event: done\ndata: [DONE]\n\n")
        return reply


@asynccontextmanager
async def google(tmp_path):
    upstream = Google()
    app = web.Application()
    app.router.add_post("/v1beta/interactions", upstream.answer)
    app.router.add_route("*", "/v1beta/interactions/{id}", upstream.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    text = RULES.format(url=url, times=TIMES)
    try:
        async with running(tmp_path, 0, text=text, env={"KEY_0": KEY}) as sidecar:
            yield sidecar, upstream
    finally:
        await runner.cleanup()


async def test_the_official_client(tmp_path):
    """B-033: whole, streamed, asked about again, deleted; with our key, the target's model, and energy."""
    async with google(tmp_path) as (sidecar, upstream), httpx2.AsyncClient(trust_env=False) as http:
        host, port = sidecar.address
        options = types.HttpOptions(
            base_url=f"http://{host}:{port}", httpx_async_client=http, timeout=10_000
        )
        api = genai.Client(api_key="sk-none", http_options=options).aio.interactions
        made = await api.create(model="m", input="hello")
        assert made.usage.total_tokens == 50
        again = await api.get(made.id)
        assert again.id == made.id
        events = [event async for event in await api.create(model="m", input="x", stream=True)]
        assert events[0].event_type == "interaction.created"
        assert events[-1].interaction.usage.total_output_tokens == 30
        assert (await api.get(events[0].interaction.id)).status == "completed"
        await api.delete(made.id)
    for _, _, headers, raw in upstream.seen:
        assert headers["x-goog-api-key"] == KEY
        assert b"sk-none" not in raw
        assert not raw or json.loads(raw)["model"] == "gemini-3-flash"
    found = [(row["operation"], row["provider"], row["energy"]) for row in rows(sidecar.state)]
    paid = ("interactions", "google", 37_500_000)
    free = ("lookup", "google", 0)
    assert found == [paid, free, paid, free, free]
    assert {row["state"] for row in rows(sidecar.state)} == {"complete"}


@pytest.mark.parametrize("way", [REVERSE, CONNECT_H1], ids=str)
async def test_energy_on_the_wire(tmp_path, way):
    """B-033: in the whole answer's usage, in the completed event's, not in a lookup's."""
    if way.connect:
        way = type(way)("generativelanguage.googleapis.com")
    path = "/v1beta/interactions" if way.connect else "/v1/interactions"
    async with google(tmp_path) as (sidecar, _):
        whole = await sidecar.call({"model": "m", "input": "x"}, way, path=path)
        assert whole.json()["usage"] == USAGE | {"energy": 37.5}
        body = {"model": "m", "input": "x", "stream": True}
        stream = await sidecar.call(body, way, path=path)
        assert stream.events[-1] == "[DONE]"
        assert stream.events[-2]["interaction"]["usage"] == USAGE | {"energy": 37.5}
        connection = await client(sidecar.address, way, sidecar.ca)
        asked = f"{path}/{whole.json()['id']}"
        await connection.send("GET", asked, [("host", way.connect or "localhost")], b"")
        async for _ in connection.pieces():
            pass
        assert connection.reply.json()["usage"] == USAGE
        connection.close()


async def test_mistakes_are_told_in_googles_words(tmp_path):
    async with google(tmp_path) as (sidecar, upstream):
        for body, status in (({}, 400), ({"model": 1}, 400), ({"model": "nobody"}, 404)):
            reply = await sidecar.call(body, path="/v1/interactions")
            assert reply.status == reply.json()["error"]["code"] == status
        connection = await client(sidecar.address, REVERSE, sidecar.ca)
        await connection.send("GET", "/v2/interactions/v1_0", [("host", "localhost")], b"")
        async for _ in connection.pieces():
            pass
        assert connection.reply.json()["error"]["status"] == "NOT_FOUND"
        connection.close()
        assert not upstream.seen
    assert rows(sidecar.state) == []
