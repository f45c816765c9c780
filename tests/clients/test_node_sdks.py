"""Node's SDKs as clients, answered by a provider of every dialect.

As in test_dialect_matrix: providers refuse what the real ones refuse, and both sides tell what they
understood.
"""

from __future__ import annotations

import json

import pytest
import pytest_asyncio

from kit.books import rows
from kit.node import NAMES, SDKS, Asker, NodeError, asker
from kit.providers.fleet import DIALECTS, PATIENT, Fleet, fleet
from kit.providers.saying import Called, Saying
from kit.sdks.asking import ANSWER_SCHEMA, TOOL_SCHEMA, Ask, Door, Heard, Model, Results, User
from wattline.cli.environment import Door as Listener
from wattline.cli.environment import Via, variables

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]

SAID = 'Zürich, "quoted" \\ and\ttabs,\n2 lines, ☃ \U0001f3d4 </script> \u2028.'
CALLS = (
    Called("toolu_01A", "get_weather", {"city": "Zürich", "days": 3}),
    Called("toolu_01B", "get_weather", {"city": 'Bern "B"'}),
)
THOUGHT = "Let me think… \U0001f914"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(tmp_path_factory):
    async with fleet(tmp_path_factory.mktemp("node"), replace=[PATIENT]) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def by_url(node):
    async with asker(node) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def by_proxy(node, started):
    """With what `wattline run --via proxy` sets: the SDKs know their providers' own hosts only."""
    door = Listener(*started.address, bundle=started.sidecar.ca.bundle)
    async with asker(node, variables(door, Via.PROXY, {})) as found:
        yield found


@pytest.fixture
def sidecar(started: Fleet):
    started.forget()
    yield started
    started.check()


@pytest.fixture(params=[False, True], ids=["plain", "stream"])
def stream(request) -> bool:
    return request.param


@pytest.fixture(params=DIALECTS)
def dialect(request) -> str:
    return request.param


@pytest.fixture(params=NAMES)
def sdk(request) -> str:
    return request.param


class Talk:
    """One question of one SDK to one provider."""

    def __init__(self, asker: Asker, sidecar: Fleet, sdk: str, dialect: str, stream: bool) -> None:  # noqa: FBT001  (the fixture)
        self.asker, self.sidecar = asker, sidecar
        self.sdk, self.dialect, self.stream = sdk, dialect, stream
        self.provider = sidecar.provider(dialect)

    async def ask(self, ask: Ask, saying: Saying) -> Heard:
        self.provider.script(saying)
        model = f"m-{self.dialect}"
        door = Door(self.sidecar.url)
        return await self.asker.ask(self.sdk, door, model, ask, stream=self.stream)

    async def refused(self, ask: Ask, word: str) -> None:
        """The provider can't do it: 400 that names what it is, and nothing is sent."""
        with pytest.raises(NodeError) as raised:
            await self.ask(ask, Saying())
        assert (raised.value.status, word in raised.value.message) == (400, True), raised.value
        assert not self.provider.journal.requests

    @property
    def said(self) -> list[tuple]:
        """What the provider was told: (role, item) in order."""
        turns = self.provider.last.meaning.turns
        return [(role, item) for role, items in turns for item in items]


@pytest.fixture
def talk(by_url, sidecar, sdk, dialect, stream) -> Talk:
    return Talk(by_url, sidecar, sdk, dialect, stream)


async def test_text(talk: Talk):
    """Text, system text, the reason to stop, the counts with their energy."""
    turns = (User("One?"), Model("Two."), User(SAID))
    heard = await talk.ask(Ask(turns, system="Be brief."), Saying(texts=(SAID,)))
    assert (heard.text, heard.stop) == (SAID, "end")
    assert (heard.prompt, heard.completion) == (30, 12)
    assert heard.energy == 31.5
    assert talk.provider.last.meaning.system == "Be brief."
    assert talk.said == [
        ("user", ("text", "One?")),
        ("assistant", ("text", "Two.")),
        ("user", ("text", SAID)),
    ]
    row = rows(talk.sidecar.state, talk.sidecar.checked)[-1]
    assert (row["state"], row["prompt"], row["completion"]) == ("complete", 30, 12)
    if talk.stream and talk.dialect != "generate":
        assert heard.pieces > 2


def plain(item: tuple) -> tuple:
    """@ai-sdk/google makes an object of a result: `{"name": …, "content": …}`."""
    if item[0] != "result":
        return item
    kind, name, told = item
    if isinstance(told, str) and told.startswith('{"name"'):
        told = json.loads(told)
    return kind, name, told["content"] if isinstance(told, dict) else told


async def test_tools(talk: Talk):
    """Parallel calls with streamed arguments, then their results, and the answer to those."""
    ask = Ask((User("Weather?"),), tools=True)
    if talk.dialect == "generate":
        await talk.refused(ask, "tools")
        return
    heard = await talk.ask(ask, Saying(texts=("I look.",), calls=CALLS))
    assert heard.calls == [(call.name, call.arguments) for call in CALLS]
    assert (heard.text, heard.stop) == ("I look.", "tool")
    assert set(talk.provider.last.meaning.tools) == {"get_weather"}
    properties = talk.provider.last.meaning.tools["get_weather"]["properties"]
    assert properties == TOOL_SCHEMA["properties"]
    made = tuple((call.id, call.name, call.arguments) for call in CALLS)
    results = Results((("toolu_01A", "get_weather", "sunny ☀"), ("toolu_01B", "get_weather", "{}")))
    turns = (User("Weather?"), Model("I look.", made), results)
    heard = await talk.ask(Ask(turns, tools=True), Saying(texts=("Sunny.",)))
    assert heard.text == "Sunny."
    assert [(role, plain(item)) for role, item in talk.said] == [
        ("user", ("text", "Weather?")),
        ("assistant", ("text", "I look.")),
        ("assistant", ("call", "get_weather", CALLS[0].arguments)),
        ("assistant", ("call", "get_weather", CALLS[1].arguments)),
        ("user", ("result", "get_weather", "sunny ☀")),
        ("user", ("result", "get_weather", "{}")),
    ]


async def test_schema(talk: Talk):
    """The answer's JSON schema arrives, and the answer fits it."""
    ask = Ask((User("Where?"),), schema=ANSWER_SCHEMA)
    if talk.dialect == "generate":
        await talk.refused(ask, "response_format")
        return
    text = '{"city":"Zürich","inhabitants":436332}'
    heard = await talk.ask(ask, Saying(texts=(text,)))
    assert json.loads(heard.text) == json.loads(text)
    assert talk.provider.last.meaning.schema["properties"] == ANSWER_SCHEMA["properties"]


async def test_cut_and_cached(talk: Talk):
    """An answer that its limit cut says so; cached tokens are part of the prompt."""
    saying = Saying(texts=("cut",), stop="length", prompt=1000, cached=600, completion=20)
    heard = await talk.ask(Ask(), saying)
    assert (heard.text, heard.stop) == ("cut", "length")
    assert (heard.prompt, heard.completion) == (1000, 20)
    if talk.dialect in ("anthropic", "gemini", "openai"):
        assert heard.cached == 600


async def test_thought(talk: Talk):
    """What a model thought is told apart from what it says."""
    thought = None if talk.dialect == "generate" else THOUGHT
    heard = await talk.ask(Ask(), Saying(thought=thought, texts=("Done.",), completion=40))
    assert (heard.text, heard.completion) == ("Done.", 40)
    if talk.sdk != "ai-openai-chat":  # it knows no field for them
        assert heard.thought == (thought or "")


async def test_byte_by_byte(talk: Talk):
    """A provider that sends one byte at a time."""
    calls = CALLS if talk.dialect != "generate" else ()
    heard = await talk.ask(
        Ask(tools=bool(calls)), Saying(texts=(SAID,), calls=calls, bytewise=True)
    )
    assert heard.text == SAID
    assert heard.calls == [(call.name, call.arguments) for call in calls]


async def test_interception(by_proxy, sidecar, sdk, stream):
    """Unmodified SDKs at their providers' own hosts, with the variables of `wattline run --via proxy`."""
    for dialect in DIALECTS:
        sidecar.provider(dialect).script(Saying(texts=(SAID,)))
        heard = await by_proxy.ask(sdk, Door(), f"m-{dialect}", Ask(), stream=stream)
        assert (heard.text, heard.prompt, heard.completion, heard.energy) == (SAID, 30, 12, 31.5)


async def test_base_urls_of_the_environment(node, sidecar, stream):
    """With the variables of `wattline run --via base-url`, where an SDK reads them."""
    before = {"ANTHROPIC_API_KEY": "sk-of-the-client"}
    env = before | variables(Listener(*sidecar.address), Via.BASE_URL, before)
    async with asker(node, env) as found:
        for sdk in NAMES:
            if sdk == "ai-google":  # it reads none
                continue
            heard = await found.ask(sdk, Door(), "m-ollama", Ask(), stream=stream)
            assert heard.energy == 31.5, sdk


async def test_the_proxy_with_a_dispatcher(node, sidecar, stream):
    """A Node that looks at no proxy variables (before 22.21), with undici's agent set for all of fetch."""
    door = Listener(*sidecar.address, bundle=sidecar.sidecar.ca.bundle)
    env = variables(door, Via.PROXY, {})
    del env["NODE_USE_ENV_PROXY"]
    env["NODE_OPTIONS"] = f"--import={(SDKS / 'env_proxy.mjs').as_uri()}"
    async with asker(node, env) as found:
        for sdk in NAMES:
            heard = await found.ask(sdk, Door(), "m-ollama", Ask(), stream=stream)
            assert heard.energy == 31.5, sdk
