"""The models of the rules.yaml that ships, called through a sidecar, with all their providers there."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from fractions import Fraction
from pathlib import Path

import pytest

from kit.books import check_books, rows
from kit.clients import Reply
from kit.sidecars import QUICK, Running, running
from wattline.demo.provider import DemoProvider
from wattline.rules.packaged import packaged_rules

VARIABLES = {
    "openai": ("OPENAI_ORIGINAL_API_KEY", "OPENAI_ORIGINAL_BASE_URL"),
    "goapi": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
    "opensource": ("FREE_OPENAI_KEY", "FREE_OPENAI_BASE_URL"),
    "aiguoguo": ("AIGUOGUO_API_KEY", "AIGUOGUO_BASE_URL"),
    "deepseek": ("DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL"),
    "openrouter": ("OPENROUTER_API_KEY", "OPENROUTER_BASE_URL"),
}
LEGACY = {"GQL_URN": "x", "GQL_SSL": "true", "GQL_TOKEN": "y", "SPACE_ID_ARGUMENT": "z"}
ORDER = [
    ("goapi", "gpt-4o"),
    ("openai", "gpt-4o"),
    ("aiguoguo", "gpt-4o"),
    ("openrouter", "deepseek/deepseek-chat"),
    ("goapi", "gpt-4o-mini"),
]
WHOLE = [
    *("o1-preview", "o1-mini"),
    *("claude-3-5-sonnet", "claude-3-5-haiku", "claude-3-opus"),
    *("claude-3-7-sonnet", "claude-sonnet-4"),
]


class Fleet(dict[str, DemoProvider]):
    """Providers by their names in rules.yaml."""

    def only(self, name: str) -> None:
        """No other answers."""
        for other, provider in self.items():
            provider.always("ok" if other == name else "503")


@asynccontextmanager
async def shipped(tmp_path: Path) -> AsyncIterator[tuple[Running, Fleet]]:
    async with AsyncExitStack() as stack:
        fleet, env = Fleet(), {**LEGACY, "DISABLE_PROVIDER_AUTO_DISABLE": "true"}
        for name, (key, url) in VARIABLES.items():
            fleet[name] = provider = DemoProvider(QUICK, allow_faults=True)
            env |= {key: f"sk-secret-of-{name}-0000", url: f"{await provider.start()}/v1"}
            stack.push_async_callback(provider.stop)
        text = packaged_rules().read_text(encoding="utf-8")
        async with running(tmp_path, 0, text=text, env=env) as sidecar:
            sidecar.upstreams.extend(fleet.values())
            yield sidecar, fleet
            check_books(sidecar)


async def ask(sidecar: Running, model: str, **more: object) -> Reply:
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Hello!"},
    ]
    return await sidecar.call({"model": model, "messages": messages, **more})


async def test_the_chain_of_gpt_4o_is_tried_in_its_order(tmp_path, caplog):
    """A-070, A-071, A-072, A-074, A-076, decision 1: four providers fail, each in its own way, and each is
    told with its model; the fifth target answers, at the rate of its own model.
    """
    caplog.set_level(logging.DEBUG, "wattline")
    async with shipped(tmp_path) as (sidecar, fleet):
        fleet["goapi"].script(["500"])
        fleet["openai"].script(["429"])
        fleet["aiguoguo"].script(["close"])
        fleet["openrouter"].script(["401"])
        reply = await ask(sidecar, "gpt-4o")
        assert reply.status == 200, reply.body
        assert reply.headers["x-wattline-attempts"] == "5"
        usage = reply.json()["usage"]
        assert usage["energy"] == float(Fraction(usage["total_tokens"], 20) * Fraction(3, 2))
    found = rows(sidecar.state)
    assert [(row["provider"], row["model"]) for row in found] == ORDER
    assert [row["error"] for row in found] == ["http_500", "http_429", "reset", "http_401", None]
    told = [one.getMessage() for one in caplog.records if one.name == "wattline.attempts"]
    names = ["gpt-4o_go", "gpt-4o", "gpt-4o_guo", "deepseek-chat_openrouter", "gpt-4o-mini_go"]
    for number, (name, (provider, model), row) in enumerate(
        zip(names, ORDER, found, strict=True), 1
    ):
        begun, ended = told[2 * number - 2 : 2 * number]
        assert begun.endswith(f" attempt {number}/8: {name} to {model} (127.0.0.1)")
        if row["error"] is not None:
            assert f" attempt {number}: {provider}/{model} failed: {row['error']}" in ended
        else:
            assert re.search(
                rf" {number}: {provider}/{model} complete in \d+ ms, \d+ tokens$", ended
            )


async def test_each_provider_gets_its_own_key_and_no_other(tmp_path):
    """A-162 to A-168: by the variables of the older gateway; those of its GraphQL change nothing."""
    models = {
        "openai": "gpt-4.1",
        "goapi": "gpt-4.1",
        "opensource": "llama-3.1-8b",
        "aiguoguo": "gpt-4o",
        "deepseek": "deepseek-chat",
        "openrouter": "claude-3-opus",
    }
    async with shipped(tmp_path) as (sidecar, fleet):
        for name, model in models.items():
            fleet.only(name)
            reply = await ask(sidecar, model)
            assert (reply.status, reply.headers.get("x-wattline-provider")) == (200, name)
        for name, provider in fleet.items():
            sent = {entry.header("authorization") for entry in provider.journal.requests}
            assert sent == {f"Bearer sk-secret-of-{name}-0000"}


@pytest.mark.parametrize("model", WHOLE)
async def test_o1_and_claude_are_asked_for_whole_answers(tmp_path, model):
    """A-052, A-058: at each of their providers, by clients that stream too, who get a stream."""
    async with shipped(tmp_path) as (sidecar, fleet):
        for name in ("goapi", "openai" if model.startswith("o1") else "openrouter"):
            fleet.only(name)
            reply = await ask(sidecar, model, stream=True)
            assert reply.headers["content-type"].startswith("text/event-stream")
            assert reply.headers["x-wattline-provider"] == name
            assert_streamed(reply)
        asked = [json.loads(entry.body) for one in fleet.values() for entry in one.journal.requests]
        assert len(asked) >= 3
        for body in asked:
            assert not body.get("stream"), body
            assert "stream_options" not in body
            roles = [message["role"] for message in body["messages"]]
            assert roles == (["user"] if model.startswith("o1") else ["system", "user"])


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_whole_answer_is_asked_for_in_the_clients_own_words(tmp_path, stream):
    """A-052: marks of what is to be cached, fields that only one provider has: all but the wish for a stream."""
    marked = {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}
    body = {
        "model": "claude-3-7-sonnet",
        "messages": [
            {"role": "system", "content": [marked]},
            {"role": "user", "content": "Hello!"},
        ],
        "reasoning": {"max_tokens": 2000},
        "transforms": ["middle-out"],
        "stream": stream,
    }
    asked = body | ({"stream_options": {"include_usage": True}} if stream else {})
    async with shipped(tmp_path) as (sidecar, fleet):
        fleet.only("openrouter")
        reply = await sidecar.call(asked)
        assert reply.status == 200
        if stream:
            assert reply.events[-1] == "[DONE]"
            assert reply.events[-2]["choices"] == []
            assert reply.events[-2]["usage"]["energy"] > 0
        (entry,) = fleet["openrouter"].journal.requests
        assert json.loads(entry.body) == {
            **body,
            "model": "anthropic/claude-3.7-sonnet",
            "stream": False,
        }


async def test_others_are_streamed_as_they_come(tmp_path):
    """A-051: role, content, reason of the end, usage with energy, end marker."""
    async with shipped(tmp_path) as (sidecar, fleet):
        reply = await ask(sidecar, "gpt-4o", stream=True)
        assert_streamed(reply)
        (entry,) = fleet["goapi"].journal.requests
        assert json.loads(entry.body)["stream"] is True
        usage = reply.events[-2]["usage"]
        assert usage["energy"] == float(
            Fraction(usage["total_tokens"]) / Fraction("1.2") * Fraction("1.5")
        )


def assert_streamed(reply: Reply) -> None:
    """The events of a stream in the order that A-051 gives them."""
    *chunks, ended, last, end = reply.events
    assert end == "[DONE]"
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert all(chunk["choices"][0].get("finish_reason") is None for chunk in chunks)
    assert ended["choices"][0]["finish_reason"] == "stop"
    assert last["id"] == chunks[0]["id"]
    assert last["usage"]["total_tokens"] > 0
    assert last["usage"]["energy"] > 0


NEW = """\
  new-provider: {url: "${NEW_PROVIDER_URL}", key: "${NEW_PROVIDER_KEY}", timeouts: {total: 60}}
"""
MODEL = """\
  new-model: {provider: new-provider, name: actual-model-name, rate: 2.0, chain: [new-model, gpt-4o]}
"""


async def test_a_provider_and_a_model_are_added_by_two_lines(tmp_path):
    """A-103, A-075: a key, a base URL and 60 seconds; a name there and a rate; a chain with a fallback."""
    new = DemoProvider(QUICK, allow_faults=True)
    env = {
        "NEW_PROVIDER_URL": f"{await new.start()}/v1",
        "NEW_PROVIDER_KEY": "sk-secret-of-new-0000",
    }
    known = DemoProvider(QUICK, allow_faults=True)
    env |= {
        "OPENAI_ORIGINAL_API_KEY": "sk-secret-of-openai-0000",
        "OPENAI_ORIGINAL_BASE_URL": f"{await known.start()}/v1",
    }
    text = packaged_rules().read_text(encoding="utf-8")
    try:
        async with running(tmp_path, 0, text=text, env=env) as sidecar:
            assert (await ask(sidecar, "new-model")).status == 404
            text = text.replace("\nproviders:\n", f"\nproviders:\n{NEW}", 1)
            sidecar.rules.write_text(text.replace("\nmodels:\n", f"\nmodels:\n{MODEL}", 1))
            await sidecar.sidecar.books.fresh()
            reply = await ask(sidecar, "new-model")
            assert (reply.status, reply.headers["x-wattline-provider"]) == (200, "new-provider")
            usage = reply.json()["usage"]
            assert usage["energy"] == usage["total_tokens"] / 2 * 1.5
            (entry,) = new.journal.requests
            assert entry.model == "actual-model-name"
            assert entry.header("authorization") == "Bearer sk-secret-of-new-0000"
            (target, _) = sidecar.sidecar.books.current.models["new-model"]
            assert target.provider.timeouts.total == 60
            new.always("500")
            reply = await ask(sidecar, "new-model")
            assert (reply.status, reply.headers["x-wattline-provider"]) == (200, "openai")
    finally:
        await new.stop()
        await known.stop()
