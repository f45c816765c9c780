"""Counting tokens where the chosen provider can't."""

from __future__ import annotations

import pytest

from kit.scripted import scripted
from kit.sidecars import running

PROMPT = "How many tokens is this, about?"
ASKED = [
    (
        "/v1/messages/count_tokens",
        {"model": "m", "messages": [{"role": "user", "content": PROMPT}]},
        "input_tokens",
    ),
    (
        "/v1beta/models/m:countTokens",
        {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]},
        "totalTokens",
    ),
]


@pytest.mark.parametrize(("path", "body", "key"), ASKED)
async def test_an_estimate_says_that_it_is_one_and_asks_nobody(tmp_path, path, body, key):
    async with running(tmp_path) as now:
        reply = await now.call(body, path=path)
        assert reply.status == 200
        assert 5 <= reply.json()[key] <= 30
        assert "x-wattline-estimated" in reply.headers
        assert reply.headers["x-wattline-attempts"] == "0"
        assert now.upstreams[0].journal.count == 0


async def test_an_unknown_model_is_still_unknown(tmp_path):
    async with running(tmp_path) as now:
        body = {"model": "nope", "messages": [{"role": "user", "content": PROMPT}]}
        reply = await now.call(body, path="/v1/messages/count_tokens")
        assert reply.status == 404
        assert reply.json()["type"] == "error"


RULES = """
version: 1
health: {{breaker: false}}
providers:
  {dialect}: {{url: '{url}{prefix}', key: '${{KEY_C}}', dialect: {dialect}}}
models:
  m: {{provider: {dialect}, name: up, rate: '2.0'}}
rules:
  - {{name: all, try: model}}
"""
KEY = {"KEY_C": "sk-secret-of-the-counter"}
TOOL = {"name": "weather", "description": "Tells it.", "input_schema": {"type": "object"}}


async def test_geminis_clients_get_the_count_of_an_anthropic_provider(tmp_path):
    async with scripted({"/v1/messages/count_tokens": {"input_tokens": 321}}) as provider:
        text = RULES.format(dialect="anthropic", url=provider.url, prefix="/v1")
        async with running(tmp_path, 0, text=text, env=KEY) as now:
            body = {
                "generateContentRequest": {
                    "model": "models/m",
                    "systemInstruction": {"parts": [{"text": "Be brief."}]},
                    "contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
                    "generationConfig": {
                        "temperature": 1.5,
                        "responseMimeType": "application/json",
                    },
                }
            }
            reply = await now.call(body, path="/v1beta/models/m:countTokens")
            assert (reply.status, reply.json()) == (200, {"totalTokens": 321})
            assert "x-wattline-estimated" not in reply.headers
        path, headers, asked = provider.last
        assert path == "/v1/messages/count_tokens"
        assert headers["anthropic-version"]
        assert headers["x-api-key"] == "sk-secret-of-the-counter"
        assert asked["system"] == "Be brief."
        assert set(asked) == {"model", "system", "messages"}


async def test_anthropics_clients_get_the_count_of_a_gemini_provider(tmp_path):
    async with scripted({"/v1beta/models/up:countTokens": {"totalTokens": 321}}) as provider:
        text = RULES.format(dialect="gemini", url=provider.url, prefix="/v1beta")
        async with running(tmp_path, 0, text=text, env=KEY) as now:
            body = {"model": "m", "messages": [{"role": "user", "content": PROMPT}]}
            body["tools"] = [TOOL]
            reply = await now.call(body, path="/v1/messages/count_tokens")
            assert (reply.status, reply.json()) == (200, {"input_tokens": 321})
        _, _, asked = provider.last
        whole = asked["generateContentRequest"]
        assert whole["model"] == "models/up"
        assert whole["contents"][0]["parts"] == [{"text": PROMPT}]
        assert whole["tools"][0]["functionDeclarations"][0]["name"] == "weather"


@pytest.mark.parametrize(
    "answer", [{"input_tokens": -1}, {"input_tokens": "9"}, {}, [1], {"error": {}}]
)
async def test_a_count_that_is_none_is_an_error(tmp_path, answer):
    async with scripted({"/v1/messages/count_tokens": answer}) as provider:
        text = RULES.format(dialect="anthropic", url=provider.url, prefix="/v1")
        async with running(tmp_path, 0, text=text, env=KEY) as now:
            path, body, _ = ASKED[1]
            reply = await now.call(body, path=path)
            assert reply.status in (500, 502, 503)
            assert reply.json()["error"]["code"] == reply.status
