"""The inference service's and the gateway's routes over a running sidecar."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.books import check_books, rows
from kit.scripted import scripted
from kit.sidecars import running
from wattline.demo.provider import DemoProvider

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
INFERENCE, STREAM = "/api/v1/inference", "/api/v1/inference/stream"
CHAT, EMBEDDINGS, RERANK = "/api/v1/chat", "/api/v1/embeddings", "/api/v1/rerank"
SAID = "Quantum computing."
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-3-5-sonnet-20241022",
    "content": [{"type": "text", "text": SAID}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 15, "output_tokens": 250},
}
ANTHROPIC_STREAM = "".join(
    f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
    for event in [
        {"type": "message_start", "message": ANTHROPIC | {"content": [], "stop_reason": None}},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": SAID},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 250},
        },
        {"type": "message_stop"},
    ]
)


def provider(url: str, dialect: str, name: str = "other", listed: str = "") -> str:
    """Rules with one provider, and `m` at it."""
    models = f"[{{id: {listed}}}]" if listed else "[]"
    return f"""
version: 1
health: {{breaker: false}}
intercept: [api.openai.com]
providers:
  {name}: {{url: {url}, key: "${{KEY_0}}", dialect: {dialect}, models: {models}}}
models:
  m: {{provider: {name}, name: up, rate: '2.0'}}
rules:
  - {{name: by-model, try: model}}
"""


async def test_an_inference(tmp_path):
    """D-041: the shape of a chat completion, and A-050's energy in it."""
    async with running(tmp_path) as now:
        reply = await now.call(ASK | {"temperature": 0.7, "stream": False}, path=INFERENCE)
        assert reply.status == 200
        body = reply.json()
        assert {"id", "choices", "usage", "model", "created", "object"} <= body.keys()
        assert body["object"] == "chat.completion"
        assert body["usage"]["energy"] == body["usage"]["total_tokens"] / 2 * 1.5
        check_books(now)


@pytest.mark.parametrize("said", [{}, {"stream": False}, {"stream": True}])
async def test_an_inference_as_a_stream(tmp_path, said):
    """D-042: chunks, then [DONE], whatever the body says."""
    async with running(tmp_path) as now:
        reply = await now.call(ASK | said, path=STREAM)
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.clean
        assert reply.events[-1] == "[DONE]"
        chunks = reply.events[:-1]
        assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
        assert all(chunk["choices"][0]["delta"] is not None for chunk in chunks)
        assert chunks[-1]["usage"]["energy"] > 0
        check_books(now)


@pytest.mark.parametrize(
    ("path", "body", "status", "kind", "field"),
    [
        (INFERENCE, {"model": "m"}, 400, "validation", "messages"),
        (STREAM, {"messages": []}, 400, "validation", "model"),
        (INFERENCE, ASK | {"model": "nobody"}, 404, "validation", "model"),
        (INFERENCE, b"{", 400, "validation", None),
    ],
)
async def test_what_an_inference_refuses(tmp_path, path, body, status, kind, field):
    """D-070, D-071, D-072, D-073."""
    async with running(tmp_path) as now:
        reply = await now.call(body, path=path)
        error = reply.json()["error"]
        assert (reply.status, error["code"], error["type"]) == (status, status, kind)
        assert error.get("details", {}).get("field") == field


async def test_an_inference_without_a_provider(tmp_path):
    """D-074, D-076: a provider's failure is 502, its rate limit 429; its own words stay with us."""
    async with running(tmp_path) as now:
        for upstream in now.upstreams:
            upstream.always("500")
        reply = await now.call(ASK, path=INFERENCE)
        error = reply.json()["error"]
        assert (reply.status, error["code"], error["type"]) == (502, 502, "openrouter")
        for upstream in now.upstreams:
            upstream.always("429")
        reply = await now.call(ASK, path=STREAM)
        error = reply.json()["error"]
        assert (reply.status, error["code"], error["type"]) == (429, 429, "rate_limit")


async def test_a_provider_that_refuses_an_inference_is_told_in_the_services_shape(tmp_path):
    """D-070: also where the client's own bytes went to the provider."""
    async with running(tmp_path, 1) as now:
        now.upstreams[0].always("400")
        reply = await now.call(ASK, path=INFERENCE)
        assert reply.headers["content-type"] == "application/json"
        error = reply.json()["error"]
        assert (reply.status, error["code"], error["type"]) == (400, 400, "validation")


async def test_an_inference_that_breaks_off(tmp_path):
    async with running(tmp_path, 1) as now:
        now.upstreams[0].always("cut:3")
        reply = await now.call(ASK, path=STREAM)
        assert not reply.clean
        assert reply.events[-1]["error"]["type"] == "openrouter"
        check_books(now)


async def test_a_chat(tmp_path):
    """E-043: {id, provider, model, choices, usage}."""
    async with running(tmp_path) as now:
        body = ASK | {"provider": "p1", "model": "some/model", "temperature": 0.7, "stream": False}
        reply = await now.call(body, path=CHAT)
        assert reply.status == 200
        found = reply.json()
        assert list(found) == ["id", "provider", "model", "choices", "usage"]
        assert (found["provider"], found["model"]) == ("p1", "some/model")
        assert found["choices"][0]["message"]["role"] == "assistant"
        assert found["choices"][0]["finish_reason"] == "stop"
        assert [len(upstream.journal.requests) for upstream in now.upstreams] == [0, 1]
        check_books(now)
        (row,) = rows(now.state)
        assert (row["provider"], row["model"], row["requested"]) == (
            "p1",
            "some/model",
            "p1/some/model",
        )


async def test_a_chat_as_a_stream(tmp_path):
    """E-044: `delta.content` in each event, then [DONE]; A-051's energy before it."""
    async with running(tmp_path) as now:
        reply = await now.call(ASK | {"provider": "p0", "model": "m0", "stream": True}, path=CHAT)
        assert reply.headers["content-type"] == "text/event-stream"
        assert reply.clean
        assert reply.events[-1] == "[DONE]"
        text = "".join(event["delta"]["content"] for event in reply.events[:-1])
        assert text.startswith("This is the wattline demo provider")
        usage = reply.events[-2]["usage"]
        assert usage["energy"] == usage["total_tokens"] / 2 * 1.5
        check_books(now)


async def test_a_chat_without_a_provider_goes_where_the_rules_say(tmp_path):
    async with running(tmp_path) as now:
        now.upstreams[0].always("503")
        reply = await now.call(ASK, path=CHAT)
        assert reply.status == 200
        assert reply.json()["provider"] == "p1"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_with_another_dialect(tmp_path, stream):
    """E-043, E-060: the sample call reaches the provider that it names."""
    answer = ANTHROPIC_STREAM.encode() if stream else ANTHROPIC
    async with scripted({"/v1/messages": answer}) as upstream:
        text = provider(
            f"{upstream.url}/v1", "anthropic", "anthropic", "claude-3-5-sonnet-20241022"
        )
        async with running(tmp_path, 0, text=text, env={"KEY_0": "sk-k"}) as now:
            body = {
                "provider": "anthropic",
                "model": "claude-3-5-sonnet-20241022",
                "messages": [{"role": "user", "content": "Explain quantum computing"}],
                "anthropic_version": "2023-06-01",
                "temperature": 0.7,
                "max_tokens": 1000,
            }
            if stream:
                body["stream"] = True
            reply = await now.call(body, path=CHAT)
            _, headers, sent = upstream.last
            assert sent["model"] == "claude-3-5-sonnet-20241022"
            assert (sent["max_tokens"], sent["temperature"]) == (1000, 0.7)
            assert headers["anthropic-version"] == "2023-06-01"
            if stream:
                told = [event["delta"]["content"] for event in reply.events[:-1]]
                assert (told, reply.events[-1]) == ([SAID, "", ""], "[DONE]")
                assert reply.events[-2]["usage"]["total_tokens"] == 265
                return
            assert reply.json() == {
                "id": "msg_1",
                "provider": "anthropic",
                "model": "claude-3-5-sonnet-20241022",
                "choices": reply.json()["choices"],
                "usage": {
                    "prompt_tokens": 15,
                    "completion_tokens": 250,
                    "total_tokens": 265,
                    "energy": None,
                },
            }
            assert reply.json()["choices"][0]["message"]["content"] == SAID
            assert "x-wattline-dropped" not in reply.headers


@pytest.mark.parametrize(
    ("change", "status", "kind", "details"),
    [
        (
            {"provider": "nobody"},
            404,
            "validation_error",
            {"provider": "nobody", "model": "m", "available_models": []},
        ),
        (
            {"provider": "other", "model": "claude-9"},
            404,
            "validation_error",
            {"provider": "other", "model": "claude-9", "available_models": ["known", "up"]},
        ),
        ({"model": "claude-9"}, 404, "validation_error", {"available_models": ["known", "m"]}),
        ({"temperature": 3}, 400, "validation_error", {"field": "temperature"}),
        ({"messages": 3}, 400, "validation_error", {"field": "messages"}),
    ],
)
async def test_what_a_chat_refuses(tmp_path, change, status, kind, details):
    """E-084, E-110, E-111: what is wrong, and what there is instead."""
    text = provider("http://127.0.0.1:9/v1", "openai", listed="known")
    async with running(tmp_path, 0, text=text, env={"KEY_0": "sk-k"}) as now:
        reply = await now.call(ASK | change, path=CHAT)
        error = reply.json()["error"]
        assert (reply.status, error["type"]) == (status, kind)
        assert details.items() <= error["details"].items()
        assert error["trace_id"] == reply.headers["x-wattline-call"]


async def test_a_provider_that_fails_a_chat(tmp_path):
    """E-111: provider_error, rate_limit_error."""
    async with running(tmp_path) as now:
        body = ASK | {"provider": "p0", "model": "x"}
        now.upstreams[0].always("500")
        error = (await now.call(body, path=CHAT)).json()["error"]
        assert error["type"] == "provider_error"
        assert error["details"]["provider"] == "p0"
        assert error["details"]["model"] == "x"
        now.upstreams[0].always("cut:3")
        reply = await now.call(body | {"stream": True}, path=CHAT)
        assert reply.events[-1]["error"]["type"] == "provider_error"
        now.upstreams[0].always("429")
        reply = await now.call(body, path=CHAT)
        assert (reply.status, reply.json()["error"]["type"]) == (429, "rate_limit_error")


async def test_a_key_is_asked_for(tmp_path):
    """E-111: authentication_error."""
    text = provider("http://127.0.0.1:9/v1", "openai") + "auth: {mode: keys, keys: {a: '${KEY_A}'}}"
    env = {"KEY_0": "sk-k", "KEY_A": "secret-of-a-0123456789"}
    async with running(tmp_path, 0, text=text, env=env) as now:
        for path in (CHAT, EMBEDDINGS, RERANK):
            reply = await now.call(ASK, path=path)
            assert reply.status == 401
            assert reply.json()["error"]["type"] == "authentication_error"
        reply = await now.call(ASK, path=INFERENCE)
        assert (reply.status, reply.json()["error"]["type"]) == (401, "validation")


@pytest.mark.parametrize(("given", "many"), [("a b c", False), (["a", "b"], True)])
async def test_vectors(tmp_path, given, many):
    """E-045: {embeddings[], model, usage:{total_tokens}}."""
    async with running(tmp_path) as now:
        body = {"provider": "p0", "model": "m0", "input": given, "dimensions": 3}
        reply = await now.call(body, path=EMBEDDINGS)
        assert reply.status == 200
        found = reply.json()
        vectors = found["embeddings"] if many else [found["embeddings"]]
        assert [len(vector) for vector in vectors] == [3] * (2 if many else 1)
        assert found["usage"]["total_tokens"] > 0
        assert found["usage"]["energy"] == found["usage"]["total_tokens"] / 2 * 1.5
        check_books(now)


GEMINI_PATH = "/v1beta/models/up:batchEmbedContents"
GEMINI = {"embeddings": [{"values": [1.0, 2.0]}], "usageMetadata": {"promptTokenCount": 4}}
OLLAMA = {"model": "up", "embeddings": [[1.0, 2.0]], "prompt_eval_count": 4}
OPENAI = {
    "data": [{"index": 0, "embedding": [1.0, 2.0]}],
    "model": "up",
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}
UPSTREAMS = {
    "gemini": ("/v1beta", GEMINI_PATH, GEMINI),
    "ollama": ("", "/api/embed", OLLAMA),
    "openai": ("/v1", "/v1/embeddings", OPENAI),
}
CLIENTS = {
    "/v1/embeddings": ({"model": "m", "input": "a"}, lambda v: v["data"][0]["embedding"]),
    EMBEDDINGS: ({"model": "m", "input": "a"}, lambda v: v["embeddings"]),
    "/api/embed": ({"model": "m", "input": "a"}, lambda v: v["embeddings"][0]),
    "/api/embeddings": ({"model": "m", "prompt": "a"}, lambda v: v["embedding"]),
    "/v1beta/models/m:embedContent": (
        {"content": {"parts": [{"text": "a"}]}},
        lambda v: v["embedding"]["values"],
    ),
}


@pytest.mark.parametrize("path", CLIENTS)
@pytest.mark.parametrize("dialect", UPSTREAMS)
async def test_vectors_cross_every_dialect(tmp_path, dialect, path):
    """E-045: from every client to every provider, with the tokens and what they cost."""
    prefix, at, answer = UPSTREAMS[dialect]
    body, vector = CLIENTS[path]
    if dialect == "ollama" and path == "/api/embeddings":
        at, answer = "/api/embeddings", {"embedding": [1.0, 2.0], "prompt_eval_count": 4}
    if dialect == "gemini" and "Content" in path:
        at, answer = (
            GEMINI_PATH.replace("batchEmbedContents", "embedContent"),
            {
                "embedding": {"values": [1.0, 2.0]},
                "usageMetadata": {"promptTokenCount": 4},
            },
        )
    async with scripted({at: answer}) as upstream:
        text = provider(f"{upstream.url}{prefix}", dialect)
        async with running(tmp_path, 0, text=text, env={"KEY_0": "sk-k"}) as now:
            reply = await now.call(body, path=path)
            assert reply.status == 200, reply.body
            assert vector(reply.json()) == [1.0, 2.0]
            (row,) = rows(now.state)
            assert (row["state"], row["prompt"], row["completion"]) == ("complete", 4, 0)
            assert row["source"] == "provider"
            assert row["energy"] == 3_000_000


async def test_vectors_packed_for_a_client_that_wants_them_so(tmp_path):
    """OpenAI's SDKs ask for base64, which no other provider knows."""
    async with scripted({GEMINI_PATH: {"embeddings": [{"values": [1.0]}]}}) as upstream:
        text = provider(f"{upstream.url}/v1beta", "gemini")
        async with running(tmp_path, 0, text=text, env={"KEY_0": "sk-k"}) as now:
            body = {"model": "m", "input": ["a"], "encoding_format": "base64"}
            reply = (await now.call(body, path="/v1/embeddings")).json()
            assert reply["data"][0]["embedding"] == "AACAPw=="
            assert reply["usage"]["estimated"] is True
            assert reply["usage"]["energy"] > 0


@pytest.mark.parametrize(
    "answer", [{}, b"<html>", {"embeddings": []}, {"embeddings": [{"values": [1]}] * 2}]
)
async def test_what_is_no_vector_is_no_answer(tmp_path, answer):
    async with scripted({GEMINI_PATH: answer}) as upstream:
        text = provider(f"{upstream.url}/v1beta", "gemini")
        async with running(tmp_path, 0, text=text, env={"KEY_0": "sk-k"}) as now:
            reply = await now.call({"model": "m", "input": "a"}, path="/v1/embeddings")
            assert reply.status == 500
            assert "bad_answer" in reply.json()["error"]["message"]
        (row,) = rows(now.state)  # an answer that owes nothing does not wait for its row
        assert (row["state"], row["energy"]) == ("failed", None)


async def test_what_a_provider_of_vectors_can_not_do_is_told(tmp_path):
    text = provider("http://127.0.0.1:9/v1beta", "gemini")
    async with running(tmp_path, 0, text=text, env={"KEY_0": "sk-k"}) as now:
        reply = await now.call({"model": "m", "input": [[1, 2]]}, path="/v1/embeddings")
        assert reply.status == 400
        assert "tokens as input" in reply.json()["error"]["message"]
        reply = await now.call({"model": "m", "input": [1, "x"]}, path="/v1/embeddings")
        assert reply.status == 400


DOCUMENTS = ["a dog", "learning is fun", "what"]
QUESTION = {"query": "what is learning", "documents": DOCUMENTS, "top_n": 2}


async def test_an_order(tmp_path):
    """E-046: {results:[{index, relevance_score, document}]}."""
    async with running(tmp_path) as now:
        body = QUESTION | {"provider": "p0", "model": "m0"}
        reply = await now.call(body, path=RERANK)
        assert reply.status == 200
        found = reply.json()
        assert [(one["index"], one["document"]) for one in found["results"]] == [
            (1, DOCUMENTS[1]),
            (2, DOCUMENTS[2]),
        ]
        scores = [one["relevance_score"] for one in found["results"]]
        assert scores == sorted(scores, reverse=True)
        assert found["usage"]["energy"] > 0
        check_books(now)


async def test_an_order_in_the_providers_own_bytes(tmp_path):
    """E-046: `/v1/rerank`, as Jina and Cohere have it."""
    async with running(tmp_path) as now:
        body = QUESTION | {"model": "m", "return_documents": True}
        reply = await now.call(body, path="/v1/rerank")
        assert reply.json()["results"][0]["document"] == {"text": DOCUMENTS[1]}
        assert reply.json()["usage"]["energy"] > 0
        now.upstreams[0].always("503")
        assert (await now.call(body, path="/v1/rerank")).headers["x-wattline-provider"] == "p1"
        check_books(now)


@pytest.mark.parametrize(
    "answer",
    [
        {"results": [{"index": 1, "relevance_score": 0.5, "document": "a dog"}] * 1},
        {"results": [{"index": 1, "relevance_score": 0.5, "document": {"text": "a dog"}}]},
        {"data": [{"index": 1, "relevance_score": 0.5}], "usage": {"total_tokens": 9}},
    ],
)
async def test_orders_of_every_shape(tmp_path, answer):
    """E-046: Cohere's, Jina's and Voyage's."""
    async with scripted({"/v1/rerank": answer}) as upstream:
        text = provider(f"{upstream.url}/v1", "openai")
        async with running(tmp_path, 0, text=text, env={"KEY_0": "sk-k"}) as now:
            reply = await now.call(QUESTION | {"model": "m"}, path=RERANK)
            assert reply.json()["results"] == [
                {"index": 1, "relevance_score": 0.5, "document": DOCUMENTS[1]}
            ]
            (row,) = rows(now.state)
            assert row["source"] == ("provider" if "usage" in answer else "estimated")
            assert row["prompt"] >= 9


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"results": []},
        {"results": [{"index": 3, "relevance_score": 1}]},
        {"results": [{"index": 0}]},
    ],
)
async def test_what_is_no_order_is_no_answer(tmp_path, answer):
    async with scripted({"/v1/rerank": answer}) as upstream:
        text = provider(f"{upstream.url}/v1", "openai")
        async with running(tmp_path, 0, text=text, env={"KEY_0": "sk-k"}) as now:
            reply = await now.call(QUESTION | {"model": "m"}, path=RERANK)
            assert reply.json()["error"]["type"] == "provider_error"


async def test_an_order_is_nothing_that_other_dialects_have(tmp_path):
    text = provider("http://127.0.0.1:9/v1", "anthropic")
    async with running(tmp_path, 0, text=text, env={"KEY_0": "sk-k"}) as now:
        reply = await now.call(QUESTION | {"model": "m"}, path=RERANK)
        assert reply.status == 400
        assert "no rerank" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("name", "model", "fields", "sent"),
    [
        ("deepseek", "deepseek-chat", {"top_p": 0.95, "frequency_penalty": 0.0}, {}),
        ("xai", "grok-4-1-fast-reasoning", {"reasoning_effort": "high"}, {}),
        (
            "litellm",
            "gpt-4o",
            {"fallback_models": ["gpt-4o-mini", "claude-3-5-sonnet"], "cache": True},
            {"fallbacks": ["gpt-4o-mini", "claude-3-5-sonnet"], "cache": {"use-cache": True}},
        ),
        ("nvidia_nim", "nvidia/llama-3.3-70b-instruct", {"top_p": 0.9}, {}),
        ("perplexity", "sonar-pro", {"reasoning_effort": "medium"}, {}),
        ("huggingface", "together/deepseek-ai/DeepSeek-R1", {}, {}),
    ],
)
async def test_a_providers_own_fields_reach_it(tmp_path, name, model, fields, sent):
    """E-061, E-062, E-064, E-065, E-066, E-067: as the provider knows them."""
    said = {"choices": [{"message": {"role": "assistant", "content": SAID}}]}
    async with scripted({"/v1/chat/completions": said}) as upstream:
        text = provider(f"{upstream.url}/v1", "openai", name, model)
        async with running(tmp_path, 0, text=text, env={"KEY_0": "sk-k"}) as now:
            body = ASK | fields | {"provider": name, "model": model, "temperature": 0.7}
            reply = await now.call(body, path=CHAT)
            assert reply.status == 200, reply.body
            told = reply.json()
            assert (told["provider"], told["model"]) == (name, model)
            assert told["choices"][0]["message"]["content"] == SAID
            messages = [{"role": "user", "content": "Hello"}]
            wanted = {"model": model, "messages": messages, "temperature": 0.7, **(sent or fields)}
            assert upstream.last[2] == wanted
            assert "x-wattline-dropped" not in reply.headers


@pytest.mark.parametrize("path", [CHAT, EMBEDDINGS, RERANK])
async def test_another_method(tmp_path, path):
    """E-110: told which it takes."""
    async with running(tmp_path, 1) as now:
        reply = await now.call(b"", path=path, method="GET")
        assert (reply.status, reply.headers["allow"]) == (405, "POST")
        error = reply.json()["error"]
        assert (error["type"], error["message"]) == (
            "validation_error",
            f"{path} takes POST, not GET.",
        )
        assert error["trace_id"]


async def test_openrouters_headers(tmp_path):
    """E-063: a header is only made for the host that has it; elsewhere the field is left out and told."""
    upstream = DemoProvider(allow_faults=True)
    await upstream.start()
    try:
        text = provider(f"{upstream.url}/v1", "openai", "openrouter")
        async with running(tmp_path, 0, text=text, env={"KEY_0": "sk-k"}) as now:
            fields = {"site_url": "https://yourapp.com", "app_name": "YourApp"}
            body = ASK | fields | {"provider": "openrouter", "transforms": ["middle-out"]}
            reply = await now.call(body, path=CHAT)
            assert reply.status == 200
            assert reply.headers["x-wattline-dropped"] == "site_url, app_name"
            sent = json.loads(upstream.journal.requests[-1].body)
            assert sent["transforms"] == ["middle-out"]
            assert not fields.keys() & sent.keys()
    finally:
        await upstream.stop()
