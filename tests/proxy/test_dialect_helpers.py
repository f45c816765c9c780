"""What SDKs do beyond one call: conversations that they keep, tools that they run, schemas of types."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import ollama
import openai
import pydantic
import pytest
import pytest_asyncio
from google import genai
from google.genai import types

from kit.providers.fleet import DIALECTS, PATIENT, Fleet, fleet
from kit.providers.saying import Called, Saying
from kit.sdks.asking import TOOL_SCHEMA

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLS = (
    Called("call_1", "get_weather", {"city": "Bern"}, signature="c2lnbmVkLWNhbGw="),
    Called("call_2", "get_weather", {"city": "Basel"}),
)
LOOKS = Saying(texts=("I look.",), thought="Hm, think.", calls=CALLS, reasoning=3)
HI = [{"role": "user", "content": "Weather?"}]
FUNCTION = {"name": "get_weather", "parameters": TOOL_SCHEMA}
SIGNED = ("thought", "Hm, think.", "c2lnbmF0dXJl")


class City(pydantic.BaseModel):
    city: str
    inhabitants: int | None = None


def get_weather(city: str) -> str:
    """Weather of a city.

    Args:
        city: Its name.
    """
    return f"sunny in {city}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(tmp_path_factory):
    # A Gemini of the third generation refuses calls without their signature.
    third = [("gemini-2.5-flash", "gemini-3-pro"), PATIENT]
    async with fleet(tmp_path_factory.mktemp("helpers"), replace=third) as found:
        yield found


@pytest.fixture
def sidecar(started: Fleet):
    started.forget()
    yield started
    started.check()


@pytest.fixture(params=[False, True], ids=["plain", "stream"])
def stream(request) -> bool:
    return request.param


@pytest.fixture(params=DIALECTS[:4])
def provider(request, sidecar: Fleet):
    return sidecar.provider(request.param)


def model_of(provider) -> str:
    return f"m-{provider.name}"


def kept(provider) -> None:
    """The provider got the turn of its calls back whole: text, thought with its signature, calls."""
    turns = provider.last.meaning.turns
    [(_, said)] = [turn for turn in turns if turn[0] == "assistant"]
    calls = [item[1:] for item in said if item[0] == "call"]
    assert calls == [(call.name, call.arguments) for call in CALLS]
    assert "".join(item[1] for item in said if item[0] == "text") == "I look."
    thought = [item for item in said if item[0] == "thought"]
    if provider.name == "anthropic":
        assert thought == [SIGNED]
    elif provider.name == "gemini":
        assert "".join(item[1] for item in thought) == "Hm, think."


async def test_openai_chat(sidecar, provider, stream):
    """A conversation kept by hand from whole messages, or from those that the SDK puts together."""
    provider.script(LOOKS, Saying())
    more: dict[str, Any] = {"model": model_of(provider), "reasoning_effort": "medium"}
    more["tools"] = [{"type": "function", "function": FUNCTION}]
    async with openai.AsyncOpenAI(base_url=f"{sidecar.url}/v1", api_key="x") as client:
        chat = client.chat.completions
        if stream:
            async with chat.stream(messages=HI, **more) as events:
                answer = await events.get_final_completion()
        else:
            answer = await chat.create(messages=HI, **more)
        message = answer.choices[0].message.model_dump(exclude_none=True, exclude={"parsed"})
        for call in message["tool_calls"]:
            call.pop("index", None)
            call["function"].pop("parsed_arguments", None)
        results = [
            {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
            for call in message["tool_calls"]
        ]
        if provider.name == "openai":  # it takes no thought back, and this side is not translated
            message.pop("reasoning_content")
        answer = await chat.create(messages=[*HI, message, *results], **more)
    assert answer.choices[0].message.content == Saying().texts[0]
    kept(provider)


async def test_openai_responses(sidecar, provider, stream):
    """The items of an answer go back as they came."""
    provider.script(LOOKS, Saying())
    more: dict[str, Any] = {"model": model_of(provider), "store": False}
    more["reasoning"] = {"effort": "medium", "summary": "auto"}
    more["include"] = ["reasoning.encrypted_content"]
    more["tools"] = [{"type": "function", **FUNCTION, "strict": False}]
    async with openai.AsyncOpenAI(base_url=f"{sidecar.url}/v1", api_key="x") as client:
        if stream:
            async with client.responses.stream(input=HI, **more) as events:
                answer = await events.get_final_response()
        else:
            answer = await client.responses.create(input=HI, **more)
        items = json.loads(answer.model_dump_json(exclude_none=True))["output"]
        for item in items:
            item.pop("parsed_arguments", None)
            for part in item.get("content", ()):
                part.pop("parsed", None)
        results = [
            {"type": "function_call_output", "call_id": item["call_id"], "output": "sunny"}
            for item in items
            if item["type"] == "function_call"
        ]
        answer = await client.responses.create(input=[*HI, *items, *results], **more)
    assert answer.output_text == Saying().texts[0]
    kept(provider)


async def test_anthropic_messages(sidecar, provider, stream):
    """Blocks go back as they came, thinking first."""
    provider.script(LOOKS, Saying())
    more: dict[str, Any] = {"model": model_of(provider), "max_tokens": 4096}
    more["tools"] = [{"name": "get_weather", "input_schema": TOOL_SCHEMA}]
    more["thinking"] = {"type": "enabled", "budget_tokens": 2048}
    async with anthropic.AsyncAnthropic(base_url=sidecar.url, api_key="x") as client:
        if stream:
            async with client.messages.stream(messages=HI, **more) as events:
                answer = await events.get_final_message()
        else:
            answer = await client.messages.create(messages=HI, **more)
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "sunny"}
            for block in answer.content
            if block.type == "tool_use"
        ]
        turns = [{"role": "assistant", "content": answer.content}]
        turns.append({"role": "user", "content": results})
        answer = await client.messages.create(messages=[*HI, *turns], **more)
    assert answer.content[-1].text == Saying().texts[0]
    kept(provider)


@pytest.mark.parametrize("name", DIALECTS[1:4])
async def test_a_tool_runner(sidecar, name):
    """Anthropic's runner asks for a conversation held by the server, and goes on without one."""
    provider = sidecar.provider(name)

    @anthropic.beta_async_tool
    async def get_weather(city: str) -> str:
        """Weather.

        Args:
            city: Its name.
        """
        return f"sunny in {city}"

    provider.script(Saying(texts=("I look.",), calls=CALLS), Saying())
    async with anthropic.AsyncAnthropic(base_url=sidecar.url, api_key="x") as client:
        runner = client.beta.messages.tool_runner(
            model=model_of(provider), max_tokens=100, messages=HI, tools=[get_weather]
        )
        answer = await runner.until_done()
    assert answer.content[-1].text == Saying().texts[0]
    results = [item[2] for item in provider.last.meaning.items("result")]
    assert results == ["sunny in Bern", "sunny in Basel"]


def google(sidecar: Fleet, own: httpx2.AsyncClient) -> genai.Client:
    options = {"base_url": sidecar.url, "httpx_async_client": own}
    return genai.Client(api_key="x", http_options=options)


async def test_a_chat_of_genai(sidecar, provider, stream):
    """The SDK keeps a stream's events as contents of their own."""
    provider.script(LOOKS, Saying())
    declared = types.FunctionDeclaration(name="get_weather", parameters_json_schema=TOOL_SCHEMA)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declared])],
        thinking_config=types.ThinkingConfig(thinking_budget=2048, include_thoughts=True),
    )
    async with httpx2.AsyncClient(trust_env=False) as own:
        client = google(sidecar, own)
        chat = client.aio.chats.create(model=model_of(provider), config=config)
        if stream:
            async for _ in await chat.send_message_stream("Weather?"):
                pass
        else:
            await chat.send_message("Weather?")
        history = chat.get_history()
        calls = [part.function_call for turn in history for part in turn.parts]
        results = [
            types.FunctionResponse(id=call.id, name=call.name, response={"output": "sunny"})
            for call in calls
            if call is not None
        ]
        parts = [types.Part(function_response=result) for result in results]
        answer = await chat.send_message(parts)
        client.close()
    assert answer.text == Saying().texts[0]
    kept(provider)


async def test_functions_that_genai_calls(sidecar, provider, stream):
    """The SDK describes Python functions, calls them and asks again."""
    provider.script(Saying(texts=("I look.",), calls=CALLS), Saying())
    async with httpx2.AsyncClient(trust_env=False) as own:
        client = google(sidecar, own)
        ask = {
            "model": model_of(provider),
            "contents": "Weather?",
            "config": {"tools": [get_weather]},
        }
        if stream:
            text = ""
            async for answer in await client.aio.models.generate_content_stream(**ask):
                text += answer.text or ""
            assert text.endswith(Saying().texts[0])
        else:
            assert (await client.aio.models.generate_content(**ask)).text == Saying().texts[0]
        client.close()
    results = [str(item[2]) for item in provider.last.meaning.items("result")]
    assert ["sunny in" in text for text in results] == [True, True]


async def test_ollama_with_a_function(sidecar, provider):
    """The SDK describes a Python function; its messages go back as objects."""
    provider.script(LOOKS, Saying())
    client = ollama.AsyncClient(host=sidecar.url, trust_env=False)
    async with client:
        messages: list[Any] = list(HI)
        ask = {"model": model_of(provider), "tools": [get_weather]}
        answer = await client.chat(messages=messages, **ask)
        messages.append(answer.message)
        for call in answer.message.tool_calls:
            said = {"role": "tool", "tool_name": call.function.name}
            messages.append(said | {"content": get_weather(**call.function.arguments)})
        answer = await client.chat(messages=messages, **ask)
    assert answer.message.content == Saying().texts[0]
    results = [item[2] for item in provider.last.meaning.items("result")]
    assert results == ["sunny in Bern", "sunny in Basel"]


async def test_schemas_of_types(sidecar, provider):
    """Each SDK makes a schema of a type in its own way, and each provider takes it."""
    saying = Saying(texts=('{"city":"Bern","inhabitants":5}',))
    provider.script(*[saying] * 5)
    model, bern = model_of(provider), City(city="Bern", inhabitants=5)
    async with openai.AsyncOpenAI(base_url=f"{sidecar.url}/v1", api_key="x") as client:
        chat = await client.chat.completions.parse(model=model, messages=HI, response_format=City)
        assert chat.choices[0].message.parsed == bern
        response = await client.responses.parse(model=model, input="?", text_format=City)
        assert response.output_parsed == bern
    async with anthropic.AsyncAnthropic(base_url=sidecar.url, api_key="x") as client:
        message = await client.messages.parse(
            model=model, max_tokens=99, messages=HI, output_format=City
        )
        assert message.parsed_output == bern
    async with httpx2.AsyncClient(trust_env=False) as own:
        config = {"response_mime_type": "application/json", "response_schema": City}
        client = google(sidecar, own)
        answer = await client.aio.models.generate_content(model=model, contents="?", config=config)
        assert answer.parsed == bern
        client.close()
    async with ollama.AsyncClient(host=sidecar.url, trust_env=False) as client:
        answer = await client.chat(model=model, messages=HI, format=City.model_json_schema())
        assert City.model_validate_json(answer.message.content) == bern
