"""Every official SDK against a provider of every dialect, through a running sidecar.

Providers refuse what the real ones refuse, and say in their own words what they understood; SDKs say in
theirs what they heard. Both are compared as meaning.
"""

from __future__ import annotations

import pytest
import pytest_asyncio

from kit.books import rows
from kit.providers.fleet import DIALECTS, PATIENT, Fleet, fleet
from kit.providers.saying import Called, Saying
from kit.sdks.all import ONE_TURN, SDKS
from kit.sdks.asking import (
    ANSWER_SCHEMA,
    PNG,
    TOOL_SCHEMA,
    Ask,
    Door,
    Heard,
    Model,
    Results,
    User,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASYNC = [name for name in SDKS if not name.endswith("-sync")]
TALKING = [name for name in ASYNC if name not in ONE_TURN and name != "groq"]
COUNTING = [*TALKING, "openai-completions"]
SHOWS_ENERGY = ("openai-chat", "openai-completions", "openai-responses", "groq", "anthropic")
SHOWS_CACHE = ("openai-chat", "openai-responses", "groq", "anthropic", "genai")
SAID = 'Zürich, "quoted" \\ and\ttabs,\n2 lines, ☃ \U0001f3d4 </script> \u2028.'
CALLS = (
    Called("toolu_01A", "get_weather", {"city": "Zürich", "days": 3}),
    Called("toolu_01B", "get_weather", {"city": 'Bern "B"'}),
)
THOUGHT = "Let me think… \U0001f914"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(tmp_path_factory):
    async with fleet(tmp_path_factory.mktemp("matrix"), replace=[PATIENT]) as found:
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


class Talk:
    """One question of one SDK to one provider."""

    def __init__(self, sidecar: Fleet, sdk: str, dialect: str, *, stream: bool) -> None:
        self.sidecar, self.sdk, self.dialect, self.stream = sidecar, sdk, dialect, stream
        self.provider = sidecar.provider(dialect)

    async def ask(self, ask: Ask, saying: Saying) -> Heard:
        self.provider.script(saying)
        door = Door(self.sidecar.url)
        heard = await SDKS[self.sdk](door, f"m-{self.dialect}", ask, stream=self.stream)
        assert self.provider.last.meaning.stream == (self.stream and self.dialect != "generate")
        assert self.provider.last.meaning.max_tokens == ask.max_tokens
        return heard

    async def refused(self, ask: Ask, *words: str) -> None:
        """The provider can't do it: 400 that names what it is, and nothing is sent."""
        before = len(self.provider.journal.requests)
        with pytest.raises(Exception) as raised:  # noqa: PT011  (each SDK has its own)
            await SDKS[self.sdk](
                Door(self.sidecar.url), f"m-{self.dialect}", ask, stream=self.stream
            )
        error = raised.value
        status = getattr(error, "status_code", None) or getattr(error, "code", None)
        assert status == 400, error
        assert all(word in str(error) for word in words), error
        assert len(self.provider.journal.requests) == before

    @property
    def meaning(self):
        return self.provider.last.meaning

    @property
    def said(self) -> list[tuple]:
        """What the provider was told: (role, item) in order."""
        return [(role, item) for role, items in self.meaning.turns for item in items]


@pytest.fixture
def talk(sidecar, sdk, dialect, stream) -> Talk:
    return Talk(sidecar, sdk, dialect, stream=stream)


@pytest.mark.parametrize("sdk", SDKS)
async def test_text(talk: Talk):
    """Text in several blocks arrives whole, with its reason to stop, its counts and its energy."""
    heard = await talk.ask(Ask((User(SAID),)), Saying(texts=("First. ", SAID)))
    assert heard.text == "First. " + SAID
    assert (heard.stop, heard.prompt, heard.completion) == ("end", 30, 12)
    assert not heard.calls
    assert talk.said == [("user", ("text", SAID))]
    if talk.sdk in SHOWS_ENERGY:
        assert heard.energy == 31.5
    if talk.stream and talk.dialect != "generate":
        assert heard.pieces > 3


@pytest.mark.parametrize("sdk", TALKING)
async def test_conversation(talk: Talk):
    """System text and earlier turns keep their places."""
    turns = (User("One?"), Model("Two."), User("Three?"))
    heard = await talk.ask(Ask(turns, system="Be brief.\nBe kind."), Saying(texts=("Four.",)))
    assert heard.text == "Four."
    assert talk.meaning.system == "Be brief.\nBe kind."
    assert talk.said == [
        ("user", ("text", "One?")),
        ("assistant", ("text", "Two.")),
        ("user", ("text", "Three?")),
    ]


@pytest.mark.parametrize("sdk", [*TALKING, "ollama-generate"])
async def test_image(talk: Talk):
    """A picture in base64 arrives byte for byte."""
    ask = Ask((User("What is this?", PNG),))
    if talk.dialect == "generate":
        await talk.refused(ask, "images")
        return
    await talk.ask(ask, Saying(texts=("A dot.",)))
    said = [("user", ("text", "What is this?")), ("user", ("image", PNG))]
    # Ollama has no order between the two.
    assert talk.said in ([said, said[::-1]] if talk.sdk.startswith("ollama") else [said])


@pytest.mark.parametrize("sdk", [*TALKING, "groq", "openai-chat-sync", "anthropic-sync"])
async def test_tools(talk: Talk):
    """Parallel calls with streamed arguments, then their results, and the answer to those."""
    ask = Ask((User("Weather?"),), tools=True)
    if talk.dialect == "generate":
        await talk.refused(ask, "tools")
        return
    heard = await talk.ask(ask, Saying(texts=("I look.",), calls=CALLS))
    assert heard.calls == [(call.name, call.arguments) for call in CALLS]
    assert (heard.text, heard.stop) == ("I look.", "tool")
    schema = dict(TOOL_SCHEMA)
    if talk.sdk == "ollama-chat":  # its SDK leaves out what it does not know
        del schema["additionalProperties"]
    assert talk.meaning.tools == {"get_weather": schema}
    made = tuple((call.id, call.name, call.arguments) for call in CALLS)
    results = Results((("toolu_01A", "get_weather", "sunny ☀"), ("toolu_01B", "get_weather", "{}")))
    turns = (User("Weather?"), Model("I look.", made), results)
    heard = await talk.ask(Ask(turns, tools=True), Saying(texts=("Sunny.",)))
    assert heard.text == "Sunny."
    assert talk.said == [
        ("user", ("text", "Weather?")),
        ("assistant", ("text", "I look.")),
        ("assistant", ("call", "get_weather", CALLS[0].arguments)),
        ("assistant", ("call", "get_weather", CALLS[1].arguments)),
        ("user", ("result", "get_weather", "sunny ☀")),
        ("user", ("result", "get_weather", "{}")),
    ]


@pytest.mark.parametrize("sdk", [name for name in TALKING if name != "ollama-chat"])
async def test_tool_choice(talk: Talk):
    """A tool by name, any tool, none."""
    if talk.dialect in ("generate", "ollama"):
        ask = Ask(tools=True, choice="required")
        await talk.refused(ask, "tool")
        return
    for choice in ("get_weather", "required", "none"):
        await talk.ask(Ask(tools=True, choice=choice), Saying(texts=("ok",)))
        assert talk.meaning.choice == choice


@pytest.mark.parametrize("sdk", [*TALKING, "ollama-generate"])
async def test_schema(talk: Talk):
    """The answer's JSON schema arrives."""
    ask = Ask((User("Where?"),), schema=ANSWER_SCHEMA)
    if talk.dialect == "generate":
        await talk.refused(ask, "response_format")
        return
    text = '{"city":"Zürich","inhabitants":436332}'
    heard = await talk.ask(ask, Saying(texts=(text,)))
    assert heard.text == text
    assert talk.meaning.schema == ANSWER_SCHEMA


@pytest.mark.parametrize("sdk", [*TALKING, "ollama-generate"])
async def test_thinking(talk: Talk):
    """The wish to think arrives, and the thought is told apart from the answer."""
    ask = Ask((User("Think!"),), thinks=True)
    if talk.dialect == "generate":
        await talk.refused(ask, "reasoning")
        return
    saying = Saying(thought=THOUGHT, texts=("Done.",), completion=40, reasoning=28)
    heard = await talk.ask(ask, saying)
    assert (heard.thought, heard.text) == (THOUGHT, "Done.")
    assert heard.completion == 40
    unsaid = talk.dialect == "openai" and talk.sdk.startswith("ollama")
    assert talk.meaning.thinks is not unsaid
    if talk.sdk == "anthropic" and talk.dialect == "anthropic":
        assert heard.signatures == ["c2lnbmF0dXJl"]


@pytest.mark.parametrize("sdk", ASYNC)
async def test_sampling(talk: Talk):
    """Stop sequences, temperature, top_p and the limit."""
    stop = () if talk.sdk == "openai-responses" or talk.dialect == "generate" else ("END", "\n\n.")
    ask = Ask(stop=stop, temperature=0.25, max_tokens=77)
    await talk.ask(ask, Saying(texts=("cut",), stop="length"))
    assert talk.meaning.temperature == 0.25
    assert talk.meaning.stop == stop
    if talk.dialect != "generate":
        await talk.ask(Ask(top_p=0.5), Saying())
        assert talk.meaning.top_p == 0.5


@pytest.mark.parametrize("sdk", COUNTING)
async def test_length(talk: Talk):
    """An answer that was cut by its limit says so."""
    heard = await talk.ask(Ask(), Saying(texts=("cut",), stop="length"))
    assert (heard.text, heard.stop) == ("cut", "length")


@pytest.mark.parametrize("sdk", TALKING)
async def test_refusal(talk: Talk):
    """A refusal is no plain answer, where the client's API can tell."""
    heard = await talk.ask(Ask(), Saying(refusal="I can't help with that."))
    told = heard.refusal or heard.text
    if talk.dialect == "gemini":  # it gives no words
        assert heard.stop == (None if talk.sdk == "ollama-chat" else "filter")
    else:
        assert told == "I can't help with that."


@pytest.mark.parametrize("sdk", COUNTING)
async def test_cached_counts(talk: Talk):
    """Cached tokens are part of the prompt, and are told where the client's API can tell."""
    written = 4 if talk.dialect == "anthropic" else 0
    saying = Saying(prompt=1000, cached=600, written=written, completion=20, reasoning=5)
    heard = await talk.ask(Ask(), saying)
    assert (heard.prompt, heard.completion) == (1000, 20)
    if talk.sdk in SHOWS_CACHE and talk.dialect in ("anthropic", "gemini", "openai"):
        assert heard.cached == 600


@pytest.mark.parametrize("sdk", COUNTING)
async def test_no_counts(talk: Talk):
    """Without the provider's word the counts are estimated, and the ledger says that they are."""
    if (talk.sdk, talk.dialect, talk.stream) == ("anthropic", "anthropic", True):
        pytest.skip("this SDK can't read a stream without counts")
    heard = await talk.ask(Ask(), Saying(usage=False, texts=("word " * 40,)))
    assert heard.prompt > 0
    assert heard.completion >= 40
    row = rows(talk.sidecar.state, talk.sidecar.checked)[-1]
    assert (row["state"], row["source"]) == ("complete", "estimated")
    assert (row["prompt"], row["completion"]) == (heard.prompt, heard.completion)


@pytest.mark.parametrize("sdk", COUNTING)
async def test_byte_by_byte(talk: Talk):
    """A provider that sends one byte at a time."""
    calls = CALLS if talk.sdk not in ONE_TURN and talk.dialect != "generate" else ()
    saying = Saying(texts=(SAID,), calls=calls, bytewise=True)
    heard = await talk.ask(Ask(tools=bool(calls)), saying)
    assert heard.text == SAID
    assert heard.calls == [(call.name, call.arguments) for call in calls]
