"""docs/new-dialect.md keeps its word: the module on that page, and one line in the table, are a dialect."""

from __future__ import annotations

import contextlib
import importlib
import json
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from kit.books import rows
from kit.providers.fleet import DIALECTS, Fleet, fleet
from kit.providers.saying import Fault, Saying
from wattline.dialects import codecs, further, spoken, table
from wattline.rules import providers

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = Path(__file__).parents[2] / "docs" / "new-dialect.md"
TABLES = (codecs, spoken, table)
TEXT = 'Grüße — "hello"\n🌍.'


@pytest.fixture(scope="module")
def talk():
    """The page's module, in the table. The tables are made anew before and after."""
    (code,) = re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    module = ModuleType("talk")
    exec(compile(code, str(PAGE), "exec"), module.__dict__)  # noqa: S102  (our own page)
    before = further.FURTHER
    further.FURTHER = (*before, module.ENTRY)
    for each in TABLES:
        importlib.reload(each)
    yield module
    further.FURTHER = before
    for each in TABLES:
        importlib.reload(each)


class TalkProvider:
    """A provider that speaks it. `said` is what it was asked."""

    def __init__(self) -> None:
        self.said: list[dict] = []
        self.answer: dict = {}

    async def start(self) -> str:
        server = web.Server(self._handle)
        self._runner = web.ServerRunner(server)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = await request.json()
        assert request.path == "/talk"
        self.said.append(asked)
        if self.answer:
            return web.json_response(self.answer)
        last = {"why": "limit", "used": [30, 12]}
        if not asked["stream"]:
            return web.json_response({"said": TEXT, **last})
        response = web.StreamResponse(headers={"content-type": "application/x-ndjson"})
        await response.prepare(request)
        for line in (*({"more": sign} for sign in TEXT), last):
            await response.write(json.dumps(line).encode() + b"\n")
        await response.write_eof()
        return response


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(talk, tmp_path_factory):
    """Every kind of provider, and one of the new kind. rules.yaml can't name it: that is the other line."""
    provider = TalkProvider()
    url = await provider.start()
    plain = providers._provider

    def with_talk(name, shape, source):
        found = plain(name, shape, source)
        return replace(found, dialect="talk") if name == "talk" else found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers, "_provider", with_talk)
        more = [
            (
                "providers:\n",
                f"providers:\n  talk: {{url: '{url}', auth: none, dialect: ollama}}\n",
            ),
            ("models:\n", "models:\n  m-talk: {provider: talk, name: up, rate: '2.0'}\n"),
        ]
        async with fleet(tmp_path_factory.mktemp("talk"), replace=more) as found:
            yield found, provider
    await provider.stop()


@pytest.fixture
def sidecar(started):
    started[0].forget()
    yield started[0]
    started[0].check()


async def post(sidecar: Fleet, path: str, body: object) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(sidecar.url + path, json=body) as answer,
    ):
        body = b""
        with contextlib.suppress(aiohttp.ClientPayloadError):  # of a stream that broke
            while data := await answer.content.readany():
                body += data
        return answer.status, body


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_its_clients_are_answered_by_every_provider(sidecar, dialect, stream):
    sidecar.provider(dialect).script(Saying(texts=(TEXT,)))
    asked = {"model": f"m-{dialect}", "ask": "Who?", "limit": 99, "stream": stream}
    status, body = await post(sidecar, "/talk", asked)
    assert status == 200
    lines = [json.loads(line) for line in body.splitlines()]
    said = "".join(line.get("more", line.get("said", "")) for line in lines)
    assert said == TEXT
    assert (lines[-1]["used"], lines[-1]["energy"]) == ([30, 12], 31.5)
    meaning = sidecar.provider(dialect).last.meaning
    assert meaning.max_tokens == 99


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_its_providers_answer_other_clients(sidecar, started, stream):
    body = {"model": "m-talk", "max_tokens": 9, "stream": stream}
    body["messages"] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "?"},
    ]
    before = len(rows(sidecar.state))
    status, answer = await post(sidecar, "/v1/chat/completions", body)
    assert status == 200
    if stream:
        chunks = [
            json.loads(line[6:]) for line in answer.splitlines() if line.startswith(b"data: {")
        ]
        text = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks)
        finish = [c["choices"][0]["finish_reason"] for c in chunks]
        assert (text, [f for f in finish if f]) == (TEXT, ["length"])
        usage = chunks[-1]["usage"]
    else:
        value = json.loads(answer)
        assert value["choices"][0]["message"]["content"] == TEXT
        usage = value["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["energy"]) == (30, 12, 31.5)
    assert started[1].said[-1] == {
        "model": "up",
        "ask": "Be brief.\n\n?",
        "limit": 9,
        "stream": stream,
    }
    (row,) = rows(sidecar.state, before)
    assert (row["state"], row["prompt"], row["completion"]) == ("complete", 30, 12)
    sidecar.checked += 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_its_own_providers_get_its_clients_bytes(sidecar, started, stream):
    asked = {"ask": "Wer?", "model": "m-talk", "stream": stream, "unknown": [1]}
    status, body = await post(sidecar, "/talk", asked)
    assert status == 200
    assert started[1].said[-1] == {**asked, "model": "up"}
    assert json.loads(body.splitlines()[-1])["energy"] == 31.5
    sidecar.checked += 1


async def test_what_it_can_not_say_and_errors_are_told_in_its_shape(sidecar, started):
    status, body = await post(sidecar, "/talk", {"model": "m-openai", "ask": 7})
    assert (status, set(json.loads(body))) == (400, {"error"})
    status, body = await post(sidecar, "/talk", {"model": "nobody", "ask": "?"})
    assert (status, set(json.loads(body))) == (404, {"error"})
    asked = {"model": "m-talk", "messages": [{"role": "user", "content": "?"}]}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    status, body = await post(sidecar, "/v1/chat/completions", {**asked, "tools": [tool]})
    assert status == 400
    assert b"tools" in body
    sidecar.provider("openai").script(Saying(fault=Fault.ERROR_MID))
    status, body = await post(sidecar, "/talk", {"model": "m-openai", "ask": "?", "stream": True})
    assert set(json.loads(body.splitlines()[-1])) == {"error"}
