"""The official SDK, sync and async, as a base URL and through an intercepting proxy."""

from __future__ import annotations

import asyncio
import ssl

import httpx2 as httpx
import openai
import pytest

from kit.books import check_books, rows
from kit.sidecars import running

MESSAGES = [{"role": "user", "content": "What is the weather in Paris? Use get_weather."}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


def through(running, way: str) -> dict:
    """Client options for one way of reaching the sidecar."""
    host, port = running.address
    if way == "base-url":
        return {"base_url": f"http://{host}:{port}/v1", "api_key": "sk-none"}
    return {"base_url": "https://api.openai.com/v1", "api_key": "sk-none"}


def http_options(running, way: str) -> dict:
    if way == "base-url":
        return {"trust_env": False}
    host, port = running.address
    trust = ssl.create_default_context(cafile=str(running.ca))
    return {"proxy": f"http://{host}:{port}", "verify": trust, "trust_env": False}


@pytest.fixture(params=["base-url", "https-proxy"])
def way(request):
    return request.param


async def test_async_plain_and_stream(tmp_path, way):
    """A-020, A-050, A-051, B-020: plain and streamed, with energy either way."""
    async with running(tmp_path, 1) as sidecar:
        http = openai.DefaultAsyncHttpxClient(**http_options(sidecar, way))
        async with openai.AsyncOpenAI(**through(sidecar, way), http_client=http) as client:
            plain = await client.chat.completions.create(model="m", messages=MESSAGES)
            assert plain.choices[0].message.content
            assert plain.usage.energy == plain.usage.total_tokens / 2 * 1.5
            text, energy = "", []
            async for chunk in await client.chat.completions.create(
                model="m", messages=MESSAGES, stream=True
            ):
                text += chunk.choices[0].delta.content or ""
                if chunk.usage:
                    energy.append(chunk.usage.energy)
            assert text
            assert len(energy) == 1
            chunks = [
                chunk
                async for chunk in await client.chat.completions.create(
                    model="m",
                    messages=MESSAGES,
                    stream=True,
                    stream_options={"include_usage": True},
                )
            ]
            assert chunks[-1].choices == []
            assert chunks[-1].usage.energy > 0
    assert [row["state"] for row in rows(sidecar.state)] == ["complete"] * 3
    check_books(sidecar)


async def test_tools_and_streamed_arguments(tmp_path, way):
    """Tool calls cross untouched, whole and in parts."""
    async with running(tmp_path, 1) as sidecar:
        http = openai.DefaultAsyncHttpxClient(**http_options(sidecar, way))
        async with openai.AsyncOpenAI(**through(sidecar, way), http_client=http) as client:
            answer = await client.chat.completions.create(
                model="m", messages=MESSAGES, tools=TOOLS, tool_choice="required"
            )
            assert answer.choices[0].message.tool_calls[0].function.name == "get_weather"
            async with client.chat.completions.stream(
                model="m", messages=MESSAGES, tools=TOOLS, tool_choice="required"
            ) as stream:
                final = await stream.get_final_completion()
            call = final.choices[0].message.tool_calls[0]
            assert call.function.name == "get_weather"
            assert "city" in call.function.arguments
    check_books(sidecar)


async def test_other_operations(tmp_path, way):
    """B-021, B-022: completions, embeddings, responses and moderations through the same exchange."""
    async with running(tmp_path, 1) as sidecar:
        http = openai.DefaultAsyncHttpxClient(**http_options(sidecar, way))
        async with openai.AsyncOpenAI(**through(sidecar, way), http_client=http) as client:
            legacy = await client.completions.create(model="m", prompt="hello")
            assert legacy.usage.energy > 0
            vectors = await client.embeddings.create(model="m", input=["one", "two"])
            assert len(vectors.data) == 2
            assert vectors.usage.energy > 0
            response = await client.responses.create(model="m", input="hello")
            assert response.output_text
            assert response.usage.energy > 0
            kinds = []
            stream = await client.responses.create(model="m", input="hello", stream=True)
            async for event in stream:
                kinds.append(event.type)
                last = event
            assert kinds[-1] == "response.completed"
            assert last.response.usage.energy > 0
    check_books(sidecar)


async def test_errors_are_the_sdks_own_exceptions(tmp_path, way):
    """Decision 12: errors of the proxy in the client's dialect."""
    async with running(tmp_path, 1) as sidecar:
        http = openai.DefaultAsyncHttpxClient(**http_options(sidecar, way))
        options = through(sidecar, way) | {"max_retries": 2}
        async with openai.AsyncOpenAI(**options, http_client=http) as client:
            if way == "base-url":
                with pytest.raises(openai.NotFoundError, match="nobody"):
                    await client.chat.completions.create(model="nobody", messages=MESSAGES)
            sidecar.upstreams[0].script(["500"])
            with pytest.raises(openai.InternalServerError, match="All providers unavailable"):
                await client.chat.completions.create(model="m", messages=MESSAGES)
            assert len(sidecar.upstreams[0].journal.requests) == 1, "the SDK must not retry again"
            sidecar.upstreams[0].script(["error_mid:2"])
            with pytest.raises(openai.APIError):
                async for _ in await client.chat.completions.create(
                    model="m", messages=MESSAGES, stream=True
                ):
                    pass
    check_books(sidecar)


async def test_the_sync_client(tmp_path, way):
    """The blocking client, from a thread."""

    def work(sidecar) -> float:
        http = httpx.Client(**http_options(sidecar, way))
        with openai.OpenAI(**through(sidecar, way), http_client=http) as client:
            plain = client.chat.completions.create(model="m", messages=MESSAGES)
            parts = list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
            assert parts[-1].usage.energy > 0
            return plain.usage.energy

    async with running(tmp_path, 1) as sidecar:
        assert await asyncio.to_thread(work, sidecar) > 0
    check_books(sidecar)
