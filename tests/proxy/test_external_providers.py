"""The shipped rules with external providers behind them: what each is sent, and who answers."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.books import rows
from kit.scripted import Scripted, scripted
from kit.sidecars import Running, running

SHIPPED = (Path(__file__).parents[2] / "rules.yaml").read_text()
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "What now?"},
]
GENERATE, CHAT = "/api/generate", "/chat/completions"
BRIDGES = {
    "claude-bridge": ("CLAUDE_BRIDGE_URL", "/a"),
    "openai-bridge": ("OPENAI_BRIDGE_URL", "/b"),
    "chatgpt-bridge": ("CHATGPT_BRIDGE_URL", "/c"),
    "copilot-bridge": ("COPILOT_BRIDGE_URL", "/d"),
    "m365-copilot-bridge": ("M365_COPILOT_BRIDGE_URL", "/e"),
    "openai-codex": ("OPENAI_CODEX_URL", "/f"),
    "claude-code": ("CLAUDE_CODE_URL", "/g"),
    "codex": ("CODEX_BRIDGE_URL", "/h"),
}
WITH_KEYS = {
    "cerebras": ("CEREBRAS_API_KEY", "https://api.cerebras.ai/v1"),
    "groq": ("GROQ_API_KEY", "https://api.groq.com/openai/v1"),
    "mistral": ("MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
    "nvidia": ("NVIDIA_API_KEY", "https://integrate.api.nvidia.com/v1"),
}
ANSWER = {
    "model": "said",
    "choices": [{"message": {"role": "assistant", "content": "Yes."}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}


def place_of(name: str) -> str:
    """The path at which a provider is asked."""
    if name in WITH_KEYS:
        return f"/{name}{CHAT}"
    return BRIDGES[name][1] + (GENERATE if name.startswith("claude") else f"/v1{CHAT}")


@asynccontextmanager
async def shipped(
    tmp_path: Path, answers: dict[str, Any], *names: str, **env: str
) -> AsyncIterator[tuple[Running, Scripted]]:
    """The shipped rules; of the external providers those in `names` can be used, and answer what `answers` says
    by their names.
    """
    async with scripted({place_of(name): answer for name, answer in answers.items()}) as upstream:
        text = SHIPPED
        for name in names:
            if name in WITH_KEYS:
                variable, url = WITH_KEYS[name]
                text = text.replace(f"url: {url}\n", f"url: {upstream.url}/{name}\n")
                env[variable] = f"key-of-{name}-0123456789"
            else:
                variable, path = BRIDGES[name]
                env[variable] = upstream.url + path
        env["CLAUDE_BRIDGE_ENABLED"] = "true"
        async with running(tmp_path, 0, text=text, env=env) as sidecar:
            yield sidecar, upstream


def ask(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": MESSAGES, **more}


@pytest.mark.parametrize("name", [*BRIDGES, *WITH_KEYS])
async def test_what_a_provider_is_sent(tmp_path, name):
    """C-010, C-049, C-060, C-061, C-062, C-063, C-064: path, headers, and the whole payload."""
    # Whoever knows the address of one codex knows that of the other, which comes first.
    before = {"openai-codex": b"<html>"} if name == "codex" else {}
    async with shipped(tmp_path, {**before, name: ANSWER}, *before, name) as (sidecar, upstream):
        reply = await sidecar.call(ask("tier/reasoning"))
        assert (reply.status, reply.headers["x-wattline-provider"]) == (200, name), reply.body
        path, headers, sent = upstream.last
        assert path == place_of(name)
        key = f"Bearer key-of-{name}-0123456789" if name in WITH_KEYS else None
        assert headers.get("authorization") == key
        assert headers["content-type"] == "application/json"
        words: dict[str, Any] = {"messages": MESSAGES}
        if name.startswith("claude"):
            prompt = "user: Hi\n\nassistant: Hello.\n\nuser: What now?"
            words = {"prompt": prompt, "system": "Be brief."}
        model = reply.headers["x-wattline-model"]
        assert sent == {"model": model, **words, "temperature": 0.3, "max_tokens": 2048}
        await sidecar.call(ask("tier/reasoning", temperature=0, max_tokens=5))
        assert (upstream.last[2]["temperature"], upstream.last[2]["max_tokens"]) == (0, 5)


@pytest.mark.parametrize("name", ["copilot-bridge", "claude-bridge"])
@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"message": {"content": "Yes."}}], "content": "no"},
        {"choices": [{"message": {"content": None}}], "content": "Yes.", "response": "no"},
        {"response": "Yes.", "message": {"content": "no"}},
        {"message": {"content": "Yes."}},
    ],
)
async def test_what_its_client_is_told(tmp_path, name, body):
    """C-070, C-071: the text wherever it was; model, provider, tokens, and how long it took."""
    said = {**body, "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    async with shipped(tmp_path, {name: said}, name) as (sidecar, upstream):
        reply = await sidecar.call(ask("tier/medium"))
        told = reply.json()
        assert told["object"] == "chat.completion"
        assert told["choices"][0]["message"]["content"] == "Yes."
        assert told["model"] == reply.headers["x-wattline-model"] == upstream.last[2]["model"]
        assert reply.headers["x-wattline-provider"] == name
        assert (told["usage"]["prompt_tokens"], told["usage"]["completion_tokens"]) == (3, 4)
        upstream.answers = {place_of(name): {**said, "model": "said"}}
        assert (await sidecar.call(ask("tier/medium"))).json()["model"] == "said"
        (row, _) = rows(sidecar.state)
        assert (row["provider"], row["prompt"], row["completion"]) == (name, 3, 4)
        assert row["total_ms"] >= 0


@pytest.mark.parametrize(
    ("tier", "models"),
    [
        ("fast", ["claude-haiku-3", "gpt-3.5-turbo", "gpt-3.5-turbo", "gpt-3.5-turbo"]),
        ("medium", ["claude-sonnet-4-6", "gpt-4-turbo", "gpt-3.5-turbo", "gpt-3.5-turbo"]),
        ("large", ["claude-sonnet-4-6", "gpt-4-turbo", "gpt-4", "gpt-4"]),
        ("reasoning", ["claude-opus-4-1", "gpt-4-turbo", "gpt-4-turbo", "gpt-4"]),
    ],
)
async def test_each_in_order_by_its_best_model(tmp_path, caplog, tier, models):
    """C-006, C-090, C-091, C-092, C-100: the order of the table; C-103, C-104, C-106: each failure is logged as a
    warning, and all are told together, without the providers' own words.
    """
    caplog.set_level(logging.WARNING, "wattline")
    names = ["claude-bridge", "openai-bridge", "chatgpt-bridge", "copilot-bridge"]
    said = {"error": {"message": "sk-secret and no such path"}}
    async with shipped(tmp_path, dict.fromkeys(names, said), *names) as (sidecar, upstream):
        upstream.status = 503
        reply = await sidecar.call(ask(f"tier/{tier}"))
        assert [sent["model"] for _, _, sent in upstream.requests] == models
        assert [path for path, _, _ in upstream.requests] == list(map(place_of, names))
        reasons = "; ".join(f"{name}: http_503" for name in names)
        assert (reply.status, reply.headers["x-should-retry"]) == (500, "false")
        assert reply.json()["error"]["message"] == f"All external providers failed: {reasons}"
        assert b"no such path" not in reply.body
        lines = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
        told = [line.partition(" ")[2] for line in lines if " attempt " in line]
        assert told == [
            f"attempt {number}: {name}/{model} failed: http_503"
            for number, (name, model) in enumerate(zip(names, models, strict=True), 1)
        ]


async def test_a_provider_without_that_tier_gives_any_model(tmp_path):
    """C-092: cloudflare has neither a fast nor a reasoning model; the downgrade is told (decision 8)."""
    async with shipped(
        tmp_path, {}, XAI_API_KEY="k", CLOUDFLARE_AI_TOKEN="k", CLOUDFLARE_ACCOUNT_ID="a"
    ) as (
        sidecar,
        _,
    ):
        explained = await sidecar.call(ask("tier/reasoning"), headers=[("x-wattline-explain", "1")])
        told = json.dumps(explained.json())
        name = "cloudflare/@cf/meta/llama-3.3-70b-instruct-fp8-fast"
        assert f"{name}: tier large for reasoning" in told


async def test_without_any_of_them(tmp_path):
    """C-101, C-107: other providers are there, but none of these."""
    async with shipped(tmp_path, {}, XAI_API_KEY="k") as (sidecar, _):
        reply = await sidecar.call(ask("tier/fast"))
        message = reply.json()["error"]["message"]
        assert reply.status == 503
        assert message.startswith("No external providers configured (missing API keys): ")
        assert "No base URL for openai-bridge: OPENAI_BRIDGE_URL is not set" in message
        assert "No API key for cerebras: CEREBRAS_API_KEY is not set" in message


async def test_one_at_its_limit_is_passed_over_in_silence(tmp_path, caplog):
    """C-081, C-082: 30 a minute at cerebras, of those that were answered; then the next, without a warning."""
    caplog.set_level(logging.WARNING, "wattline")
    answers = {"cerebras": ANSWER, "groq": ANSWER}
    async with shipped(tmp_path, answers, "cerebras", "groq") as (sidecar, _):
        replies = [await sidecar.call(ask("tier/large")) for _ in range(31)]
        by = [reply.headers["x-wattline-provider"] for reply in replies]
        assert by == ["cerebras"] * 30 + ["groq"]
        assert replies[-1].headers["x-wattline-attempts"] == "1"
        assert not caplog.records


async def test_two_at_one_address_have_one_limit(tmp_path):
    """Decision 7, C-043: without an address of its own chatgpt-bridge is at openai-bridge's, which is never asked more
    than 90 times a minute by both.
    """
    answers = {"openai-bridge": ANSWER, "copilot-bridge": ANSWER}
    async with shipped(tmp_path, answers, *answers) as (sidecar, upstream):
        for number in range(92):
            reply = await sidecar.call(ask("tier/large"))
            by = "openai-bridge" if number < 90 else "copilot-bridge"
            assert reply.headers["x-wattline-provider"] == by
        assert sum(path == place_of("openai-bridge") for path, _, _ in upstream.requests) == 90
