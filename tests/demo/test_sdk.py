"""The official OpenAI SDK, as applications use it, against the provider."""

from __future__ import annotations

import asyncio
import json
import math

import openai
import pytest
from pydantic import BaseModel

HELLO = [{"role": "user", "content": "hello there"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


class Verdict(BaseModel):
    good: bool
    reasons: list[str]


@pytest.fixture
async def sdk(provider):
    async with openai.AsyncOpenAI(
        base_url=f"{provider.url}/v1", api_key="sk-none", max_retries=0
    ) as client:
        yield client


@pytest.fixture
def in_sync(provider):
    """Run a function with the synchronous client, in a thread beside the provider's loop."""

    async def run(work):
        def all_of_it():
            with openai.OpenAI(
                base_url=f"{provider.url}/v1", api_key="sk-none", max_retries=0
            ) as client:
                return work(client)

        return await asyncio.to_thread(all_of_it)

    return run


async def test_plain(sdk, in_sync):
    """B-202."""
    answer = await sdk.chat.completions.create(model="m", messages=HELLO)
    assert answer.choices[0].message.content.startswith("This is the wattline demo provider")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.system_fingerprint == "wattline-demo"
    again = await in_sync(lambda c: c.chat.completions.create(model="m", messages=HELLO))
    assert again.choices == answer.choices


async def test_stream(sdk, in_sync):
    """B-202: the same text in pieces; the usage comes last, and only when asked for."""
    options = {"include_usage": True}
    chunks = [
        chunk
        async for chunk in await sdk.chat.completions.create(
            model="m", messages=HELLO, stream=True, stream_options=options
        )
    ]
    plain = await sdk.chat.completions.create(model="m", messages=HELLO)
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == plain.choices[0].message.content
    assert chunks[-1].usage == plain.usage
    again = await in_sync(
        lambda c: list(c.chat.completions.create(model="m", messages=HELLO, stream=True))
    )
    assert len(again) == len(chunks) - 1
    assert all(chunk.usage is None for chunk in again)


async def test_stream_helper_with_a_tool(sdk):
    """B-202: the SDK puts the parts of a streamed call together."""
    async with sdk.chat.completions.stream(
        model="m", messages=[{"role": "user", "content": "get_weather"}], tools=[TOOL]
    ) as stream:
        final = await stream.get_final_completion()
    (call,) = final.choices[0].message.tool_calls
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "demo"}
    assert final.choices[0].finish_reason == "tool_calls"


async def test_structured_output_is_parsed(sdk):
    """B-202."""
    answer = await sdk.chat.completions.parse(model="m", messages=HELLO, response_format=Verdict)
    assert answer.choices[0].message.parsed == Verdict(good=True, reasons=["demo"])


async def test_completions(sdk):
    """B-202."""
    answer = await sdk.completions.create(model="m", prompt="hello", max_tokens=3)
    assert answer.choices[0].text == "This is the "
    stream = await sdk.completions.create(model="m", prompt="hello", max_tokens=3, stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == "This is the "


async def test_embeddings_in_base64_and_as_floats(sdk, provider):
    """B-202: the SDK asks for base64 unless told otherwise."""
    answer = await sdk.embeddings.create(model="m", input=["a", "b"], dimensions=16)
    assert json.loads(provider.journal.requests[0].body)["encoding_format"] == "base64"
    floats = await sdk.embeddings.create(
        model="m", input=["a", "b"], dimensions=16, encoding_format="float"
    )
    for one, other in zip(answer.data, floats.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-7)
        assert math.isclose(sum(x * x for x in one.embedding), 1, rel_tol=1e-5)


async def test_responses(sdk, in_sync):
    """B-202: plain, streamed and parsed."""
    plain = await sdk.responses.create(model="m", input="hello")
    assert plain.output_text.startswith("This is the wattline demo provider")
    async with sdk.responses.stream(model="m", input="hello") as stream:
        said = "".join(
            [event.delta async for event in stream if event.type == "response.output_text.delta"]
        )
        final = await stream.get_final_response()
    assert said == final.output_text == plain.output_text
    assert final.usage == plain.usage
    again = await in_sync(lambda c: list(c.responses.create(model="m", input="hello", stream=True)))
    assert again[0].type == "response.created"
    assert again[-1].type == "response.completed"
    parsed = await sdk.responses.parse(model="m", input="hello", text_format=Verdict)
    assert parsed.output_parsed == Verdict(good=True, reasons=["demo"])


async def test_moderations_models_and_audio(sdk):
    """B-202."""
    assert not (await sdk.moderations.create(input="x")).results[0].flagged
    assert "wattline-demo" in [model.id async for model in sdk.models.list()]
    assert (await sdk.models.retrieve("any")).id == "any"
    spoken = await sdk.audio.speech.create(
        model="m", voice="alloy", input="hello", response_format="wav"
    )
    heard = await sdk.audio.transcriptions.create(model="whisper-1", file=("a.wav", spoken.content))
    assert heard.usage.seconds == 1


async def test_errors_have_the_sdk_s_types(sdk, provider):
    """B-202: the SDK reads param and code out of a refusal."""
    with pytest.raises(openai.BadRequestError) as refused:
        await sdk.chat.completions.create(model="m", messages=[], temperature=0)
    assert (refused.value.param, refused.value.code) == ("messages", "empty_array")
    provider.script(["429", "404-model", "500"])
    for expected in (openai.RateLimitError, openai.NotFoundError, openai.InternalServerError):
        with pytest.raises(expected):
            await sdk.chat.completions.create(model="m", messages=HELLO)


async def test_an_error_event_raises_in_the_sdk(sdk, provider):
    provider.script(["error_mid:4"])
    stream = await sdk.chat.completions.create(model="m", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError, match="had an error"):
        [chunk async for chunk in stream]
