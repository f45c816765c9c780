"""Lists of models in each API's shape, through real sockets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import anthropic
import openai
import pytest
from aiohttp import web

from kit.clients import REVERSE
from kit.sidecars import running

SHIPPED = (Path(__file__).parents[2] / "rules.yaml").read_text()
RULES = """
version: 1
providers:
  big: {{url: "{url}/v1", key: "${{KEY_BIG}}"}}
  claude:
    url: {url}/claude/v1
    key: ${{KEY_CLAUDE}}
    auth: x-api-key
    dialect: anthropic
    headers: {{anthropic-version: "2023-06-01"}}
    models: [{{id: claude-x, tier: large, context: 200000}}]
  goo: {{url: "{url}/goo/v1beta", key: "${{KEY_GOO}}", auth: x-goog-api-key, dialect: gemini}}
  home: {{url: "{url}/home", dialect: ollama}}
  gone: {{url: "https://gone.test/v1", key: "${{KEY_GONE}}", models: [{{id: never}}]}}
models:
  main: {{provider: big, name: maker/one, rate: 2, chain: [main, claude-x]}}
  main_go: {{provider: big, name: maker/two, rate: 4}}
  lost: {{provider: gone, name: never}}
rules: [{{name: by-model, try: model}}]
"""
KEYS = {
    "KEY_BIG": "sk-of-big-0123456789",
    "KEY_CLAUDE": "sk-of-claude-0123456789",
    "KEY_GOO": "sk-of-goo-0123456789",
}
BIG = [
    {
        "id": "maker/one",
        "name": "Maker: One",
        "created": 1700000000,
        "description": "The first, for code",
        "context_length": 128000,
        "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
        "supported_parameters": ["temperature", "tools"],
        "architecture": {"input_modalities": ["text", "image"]},
        "top_provider": {"max_completion_tokens": 4096, "is_moderated": True},
    },
    {"id": "maker/two", "object": "model", "created": 1700000001},
    {"id": "maker/three", "context_length": 1000000},
]


class Maker:
    """All four kinds of lists on one port, with what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.broken: set[str] = set()
        self.hold: asyncio.Event | None = None

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        told = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.path_qs, told))
        if self.hold is not None:
            await self.hold.wait()
        if request.path in self.broken:
            return web.Response(status=500, text="sk-echoed-secret-0123456789")
        return web.json_response(
            {
                "/v1/models": {"object": "list", "data": BIG},
                "/claude/v1/models": {
                    "data": [
                        {
                            "type": "model",
                            "id": "claude-x",
                            "display_name": "Claude X",
                            "created_at": "2025-02-19T00:00:00Z",
                        }
                    ],
                    "has_more": False,
                },
                "/goo/v1beta/models": {
                    "models": [
                        {
                            "name": "models/gem-1",
                            "displayName": "Gem 1",
                            "inputTokenLimit": 1048576,
                            "outputTokenLimit": 8192,
                            "supportedGenerationMethods": ["generateContent"],
                        }
                    ]
                },
                "/home/api/tags": {"models": [{"name": "tiny:1b", "model": "tiny:1b"}]},
            }[request.path]
        )

    def count(self, path: str) -> int:
        return sum(asked.startswith(path) for asked, _ in self.asked)


@asynccontextmanager
async def making():
    """A running one, and its port."""
    maker = Maker()
    runner = web.ServerRunner(web.Server(maker.answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield maker, site._server.sockets[0].getsockname()[1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def made(tmp_path, env=None, extra=""):
    async with making() as (maker, port):
        text = RULES.format(url=f"http://127.0.0.1:{port}") + extra
        async with running(tmp_path, 0, text=text, env={**KEYS, **(env or {})}) as sidecar:
            yield sidecar, maker


@pytest.fixture
async def shop(tmp_path):
    async with made(tmp_path) as (sidecar, maker):
        yield sidecar, maker


async def get(sidecar, path, headers=()):
    return await sidecar.call(b"", REVERSE, path=path, method="GET", headers=list(headers))


IDS = ["main", "main_go", "claude-x", "big/maker/three", "goo/gem-1", "home/tiny:1b"]


async def test_openai_shape_and_its_aliases(shop):
    """B-039, B-084: what can be called now; not what has no key."""
    sidecar, _ = shop
    for path in (
        "/v1/models",
        "/v1/chat/completions/models",
        "/v1/chat/completion/models",
        "/openai/v1/models",
        "/v4/openai/v1/models",
        "/v6/api/v1/models",
    ):
        reply = await get(sidecar, path)
        told = reply.json()
        assert (reply.status, told["object"]) == (200, "list")
        assert [model["id"] for model in told["data"]] == IDS
    first = told["data"][0]
    assert first == {
        "id": "main",
        "object": "model",
        "created": 1700000000,
        "owned_by": "big",
        "name": "Maker: One",
        "provider_count": 2,
        "capabilities": ["chat", "vision", "function-calling"],
        "context_length": 128000,
        "max_completion_tokens": 4096,
    }


async def test_the_sdks_of_openai_and_anthropic(shop):
    """Ids with slashes, as their SDKs encode them."""
    sidecar, _ = shop
    host, port = sidecar.address
    async with openai.AsyncOpenAI(base_url=f"http://{host}:{port}/v1", api_key="x") as client:
        assert [model.id async for model in client.models.list()] == IDS
        assert (await client.models.retrieve("big/maker/three")).id == "big/maker/three"
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("none")
    async with anthropic.AsyncAnthropic(base_url=f"http://{host}:{port}", api_key="x") as client:
        found = [model async for model in client.models.list(limit=2)]
        assert [model.id for model in found] == IDS
        assert found[2].created_at.year == 2025
        assert (await client.models.retrieve("claude-x")).display_name == "Claude X"
        with pytest.raises(anthropic.NotFoundError):
            await client.models.retrieve("none")


async def test_anthropics_pages(shop):
    sidecar, _ = shop
    version = [("anthropic-version", "2023-06-01")]
    told = (await get(sidecar, "/v1/models?limit=2&after_id=main_go", version)).json()
    assert [model["id"] for model in told["data"]] == IDS[2:4]
    assert (told["has_more"], told["first_id"], told["last_id"]) == (True, IDS[2], IDS[3])
    told = (await get(sidecar, f"/v3/v1/models?limit=2&before_id={IDS[3]}", version)).json()
    assert [model["id"] for model in told["data"]] == IDS[1:3]
    for query in (
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=x",
        "after_id=none",
        "limit=1&limit=2",
    ):
        reply = await get(sidecar, f"/v1/models?{query}", version)
        assert reply.status == 400
        assert reply.json()["type"] == "error"


async def test_gemini_shape(shop):
    sidecar, _ = shop
    told = (await get(sidecar, "/v1beta/models?pageSize=5")).json()
    assert [m["name"] for m in told["models"]] == [f"models/{name}" for name in IDS[:5]]
    rest = (
        await get(sidecar, f"/v1beta/models?pageSize=5&pageToken={told['nextPageToken']}")
    ).json()
    assert [m["name"] for m in rest["models"]] == [f"models/{IDS[5]}"]
    assert "nextPageToken" not in rest
    one = (await get(sidecar, "/v1beta/models/goo/gem-1")).json()
    assert (one["inputTokenLimit"], one["outputTokenLimit"]) == (1048576, 8192)
    reply = await get(sidecar, "/v1beta/models?pageSize=0")
    assert (reply.status, reply.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_ollama_shape(shop):
    sidecar, _ = shop
    for prefix in ("", "/v5"):
        told = (await get(sidecar, f"{prefix}/api/tags")).json()
        assert [model["name"] for model in told["models"]] == IDS
    assert set((await get(sidecar, "/api/version")).json()) == {"version"}
    assert (await get(sidecar, "/api/ps")).json() == {"models": []}
    for body in ({"model": "main"}, {"name": "main"}, {"model": "main:latest"}):
        shown = (await sidecar.call(body, path="/api/show")).json()
        assert shown["model_info"]["remote.context_length"] == 128000
        assert shown["capabilities"] == ["completion", "tools", "vision"]
    for body, status in [({"model": "none"}, 404), ({"model": 1}, 400), ([], 400), (b"{", 400)]:
        reply = await sidecar.call(body, path="/api/show")
        assert reply.status == status
        assert isinstance(reply.json()["error"], str)


async def test_records_and_pages(shop):
    """D-043, D-044."""
    sidecar, _ = shop
    told = (await get(sidecar, "/api/v1/models?limit=1")).json()
    assert told["pagination"] == {"total": 6, "limit": 1, "offset": 0, "hasMore": True}
    assert told["data"][0] == {
        "id": "main",
        "name": "Maker: One",
        "description": "The first, for code",
        "context_length": 128000,
        "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
        "supported_parameters": ["temperature", "tools"],
        "is_moderated": True,
        "max_completion_tokens": 4096,
        "provider": "big",
        "tier": None,
        "tokens_per_energy": 2.0,
        "available": True,
    }
    told = (await get(sidecar, "/api/v1/models?limit=100&offset=5")).json()
    assert ([m["id"] for m in told["data"]], told["pagination"]["hasMore"]) == ([IDS[5]], False)
    assert (await get(sidecar, "/api/v1/models?offset=100000")).json()["data"] == []
    told = (await get(sidecar, "/api/v1/models?provider=Claude")).json()
    assert [model["id"] for model in told["data"]] == ["main", "claude-x"]
    told = (await get(sidecar, "/api/v1/models?search=CODE")).json()
    assert [model["id"] for model in told["data"]] == ["main"]
    told = (await get(sidecar, "/api/v1/models?search=main_")).json()
    assert [model["id"] for model in told["data"]] == ["main_go"]  # `_` is no wildcard


async def test_one_model(shop):
    """D-045, D-046, D-047, decision 9: literals, then endings, then the id with its slashes."""
    sidecar, _ = shop
    for name in ("big/maker/three", "big%2Fmaker%2Fthree"):
        told = (await get(sidecar, f"/api/v1/models/{name}")).json()
        assert told["data"]["id"] == "big/maker/three"
    told = (await get(sidecar, "/api/v1/models/main/parameters")).json()
    assert told == {"data": {"model": "main", "supported_parameters": ["temperature", "tools"]}}
    told = (await get(sidecar, "/api/v1/models/main/pricing")).json()
    price = {"prompt": "0.0000025", "completion": "0.00001"}
    assert told == {"data": {"model": "main", "pricing": price}}
    for path in ("none", "none/parameters", "big/none/pricing", "parameters", "top/x", "lost"):
        reply = await get(sidecar, f"/api/v1/models/{path}")
        assert (reply.status, reply.json()["error"]["code"]) == (404, 404)


async def test_top_search_and_providers(shop):
    """D-048, D-049, D-050, D-051."""
    sidecar, _ = shop
    told = (await get(sidecar, "/api/v1/models/top?limit=3")).json()
    assert [m["id"] for m in told["data"]] == ["goo/gem-1", "big/maker/three", "claude-x"]
    told = (await get(sidecar, "/api/v1/models/search?q=maker&limit=1")).json()
    assert ([m["id"] for m in told["data"]], told["query"], told["total"]) == (["main"], "maker", 2)
    told = (await get(sidecar, "/api/v1/models/providers")).json()
    assert told == {"data": ["big", "claude", "goo", "home"]}
    told = (await get(sidecar, "/api/v1/models/providers/goo")).json()
    assert ([m["id"] for m in told["data"]], told["provider"]) == (["goo/gem-1"], "goo")
    assert (await get(sidecar, "/api/v1/models/providers/gone")).status == 404


async def test_names_of_the_service_that_has_openrouter_alone(tmp_path):
    """D-020, D-043, D-045, D-046, D-047, D-049, D-050, D-051: the ids are OpenRouter's own, by which it is called, and
    whose models they are can be asked for.
    """
    async with making() as (_, port):
        env = {"OPENROUTER_API_KEY": "k", "OPENROUTER_BASE_URL": f"http://127.0.0.1:{port}/v1"}
        async with running(tmp_path, 0, text=SHIPPED, env=env) as sidecar:

            async def told(path):
                return (await get(sidecar, f"/api/v1/models{path}")).json()

            ids = ["maker/one", "maker/two", "maker/three"]
            assert [model["id"] for model in (await told("?provider=maker"))["data"]] == ids
            assert set(ids) < {m["id"] for m in (await told("?provider=openrouter"))["data"]}
            found = (await told("/maker/one"))["data"]
            assert (found["id"], found["provider"]) == ("maker/one", "openrouter")
            price = {"prompt": "0.0000025", "completion": "0.00001"}
            assert (await told("/maker/one/pricing"))["data"] == {
                "model": "maker/one",
                "pricing": price,
            }
            words = {"model": "maker/one", "supported_parameters": ["temperature", "tools"]}
            assert (await told("/maker/one/parameters"))["data"] == words
            assert (await told("/search?q=for%20code"))["data"][0]["id"] == "maker/one"
            assert (await told("/providers"))["data"] == ["maker", "openrouter"]
            known = await told("/providers/maker")
            assert ([m["id"] for m in known["data"]], known["provider"]) == (ids, "maker")
            explained = await sidecar.call(
                {"model": "maker/one", "messages": [{"role": "user", "content": "Hi"}]},
                path="/api/v1/inference",
                headers=[("x-wattline-explain", "1")],
            )
            assert "openrouter/maker/one" in explained.body.decode()
            assert (await get(sidecar, "/api/v1/models/maker/none")).status == 404


async def test_how_many_are_told(tmp_path):
    """D-043, D-048, D-049: 50, 10 and 20 where nobody says how many; at most 100."""
    async with running(tmp_path, 0, text=SHIPPED) as sidecar:

        async def told(path):
            return (await get(sidecar, f"/api/v1/models{path}")).json()

        page = await told("")
        total = page["pagination"]["total"]
        assert page["pagination"] == {"total": total, "limit": 50, "offset": 0, "hasMore": True}
        assert len(page["data"]) == 50
        assert 50 < total == len((await told("?limit=100"))["data"]) < 100
        last = await told(f"?offset={total - 1}")
        assert (len(last["data"]), last["pagination"]["hasMore"]) == (1, False)
        assert len((await told("/top"))["data"]) == 10
        found = await told("/search?q=o")
        assert len(found["data"]) == 20 < found["total"]


async def test_providers_with_their_state(shop):
    """E-047: those without a key too, with the reason."""
    sidecar, _ = shop
    told = (await get(sidecar, "/api/v1/providers")).json()["providers"]
    found = {provider["id"]: provider for provider in told}
    assert list(found) == ["big", "claude", "goo", "home", "gone"]
    assert found["big"]["status"] == "active"
    assert found["big"]["models"] == ["maker/one", "maker/two", "maker/three"]
    assert found["big"]["capabilities"] == ["chat", "vision", "function-calling"]
    assert found["gone"]["status"] == "unavailable"
    assert "KEY_GONE" in found["gone"]["reason"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("models?limit=-1", "limit"),
        ("models?limit=0", "limit"),
        ("models?limit=101", "limit"),
        ("models?limit=1000000000", "limit"),
        ("models?limit=1e9", "limit"),
        ("models?limit=garbage", "limit"),
        ("models?limit=", "limit"),
        ("models?limit=1&limit=2", "limit"),
        ("models?offset=-1", "offset"),
        ("models?offset=1000000000", "offset"),
        (f"models?offset={'9' * 5000}", None),
        ("models?search=%25", "search"),
        ("models?search=a%25b", "search"),
        ("models?search=a*", "search"),
        ("models?search=", "search"),
        ("models?search=%00", "search"),
        ("models?search=%27%20OR%201%3D1--", "search"),
        ("models?search=%FF", "search"),
        (f"models?search={'a' * 101}", "search"),
        ("models?provider=%3Cscript%3E", "provider"),
        ("models/top?limit=0", "limit"),
        ("models/search", "q"),
        ("models/search?q=", "q"),
        ("models/search?q=%25", "q"),
        ("models/search?q=a&limit=-1", "limit"),
    ],
)
async def test_bad_parameters_are_named(shop, query, field):
    """D-070, D-072, D-006: 400 with details, and never the value."""
    sidecar, maker = shop
    reply = await get(sidecar, f"/api/v1/{query}")
    error = reply.json()["error"]
    assert reply.status == 400
    assert error["type"] == "validation"
    if field is not None:
        assert error["details"]["field"] == field
        assert error["details"]["message"]
    assert not maker.asked


async def test_each_key_goes_to_its_own_origin_only(shop):
    """And nothing of the client's goes along."""
    sidecar, maker = shop
    await get(sidecar, "/v1/models", [("authorization", "Bearer of-the-client-0123456789")])
    found = {path.partition("?")[0]: headers for path, headers in maker.asked}
    assert found["/v1/models"]["authorization"] == f"Bearer {KEYS['KEY_BIG']}"
    assert found["/claude/v1/models"]["x-api-key"] == KEYS["KEY_CLAUDE"]
    assert found["/claude/v1/models"]["anthropic-version"] == "2023-06-01"
    assert found["/goo/v1beta/models"]["x-goog-api-key"] == KEYS["KEY_GOO"]
    assert "authorization" not in found["/home/api/tags"]
    assert "of-the-client" not in str(maker.asked)


async def test_lists_are_asked_for_once_an_hour_and_on_demand(shop):
    """D-007, E-120."""
    sidecar, maker = shop
    assert not maker.asked  # nobody wanted to know
    await asyncio.gather(*(get(sidecar, "/v1/models") for _ in range(10)))
    await get(sidecar, "/api/v1/providers")
    assert maker.count("/v1/models") == 1
    await sidecar.sidecar.parts.catalog.refresh()
    assert maker.count("/v1/models") == 2


async def test_a_provider_that_fails_is_left_out_quietly(shop):
    """Its models of rules.yaml stay; its answer is not told."""
    sidecar, maker = shop
    maker.broken = {"/v1/models", "/goo/v1beta/models"}
    reply = await get(sidecar, "/v1/models")
    assert [m["id"] for m in reply.json()["data"]] == ["main", "main_go", "claude-x", IDS[5]]
    assert b"sk-echoed" not in (await get(sidecar, "/api/v1/providers")).body


async def test_a_provider_that_hangs_holds_nobody_for_long(shop, monkeypatch):
    monkeypatch.setattr("wattline.service.catalog.reports.PATIENCE_SECONDS", 0.05)
    sidecar, maker = shop
    maker.hold = asyncio.Event()
    reply = await get(sidecar, "/v1/models")
    assert [m["id"] for m in reply.json()["data"]] == ["main", "main_go", "claude-x"]
    maker.hold.set()


async def test_models_can_be_switched_off(tmp_path):
    """B-125; and with one API's routes its lists."""
    async with made(tmp_path, {"ENABLE_MODELS_ROUTES": "false"}) as (sidecar, _):
        for path in ("/v1/models", "/v1/models/main", "/api/v1/models", "/api/tags"):
            assert (await get(sidecar, path)).status == 404
        assert (await get(sidecar, "/api/v1/providers")).status == 200


async def test_one_apis_lists_can_be_switched_off(tmp_path):
    """B-123."""
    async with made(tmp_path, {"ENABLE_OLLAMA_ROUTES": "false"}) as (sidecar, _):
        assert (await get(sidecar, "/api/tags")).status == 404
        assert (await get(sidecar, "/v1/models")).status == 200


async def test_what_rests_is_listed_last(shop):
    """What would be answered now comes first."""
    sidecar, _ = shop
    now = sidecar.sidecar.clock.monotonic()
    sidecar.sidecar.parts.memory.resting.rest("claude", now + 60, "asked to wait")
    sidecar.sidecar.parts.memory.resting.rest("big", now + 60, "asked to wait")
    told = (await get(sidecar, "/api/v1/models")).json()["data"]
    assert [model["id"] for model in told][:2] == ["goo/gem-1", "home/tiny:1b"]
    assert [model["available"] for model in told] == [True] * 2 + [False] * 4
    states = (await get(sidecar, "/api/v1/providers")).json()["providers"]
    assert [p["status"] for p in states][:3] == ["resting", "resting", "active"]


async def test_a_caller_is_told_only_of_what_it_may_call(tmp_path):
    """A rule that denies a tier a model takes it out of that caller's list."""
    extra = """
auth: {mode: keys, keys: {ann: {key: "${ANN}", tier: gold}, bob: {key: "${BOB}", tier: tin}}}
"""
    keys = {"ANN": "key-of-ann-0123456789", "BOB": "key-of-bob-0123456789"}
    async with made(tmp_path, keys, extra) as (sidecar, _):
        text = sidecar.rules.read_text().replace(
            "rules: [", "rules: [{name: no, when: {tier: tin, model: main*}, deny: {message: no}}, "
        )
        sidecar.rules.write_text(text)
        await sidecar.sidecar.books.fresh()
        lists = []
        for key in keys.values():
            told = await get(sidecar, "/v1/models", [("authorization", f"Bearer {key}")])
            lists.append([model["id"] for model in told.json()["data"]])
        assert lists[0] == IDS
        assert lists[1] == IDS[2:]
        assert (await get(sidecar, "/v1/models")).status == 401
