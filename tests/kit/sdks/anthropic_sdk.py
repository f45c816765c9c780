"""Anthropic's own client."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import httpx2

from kit.sdks.asking import TOOL_SCHEMA, Ask, Door, Heard, Model, Results, User

_STOPS = {
    "end_turn": "end",
    "max_tokens": "length",
    "tool_use": "tool",
    "refusal": "filter",
    "stop_sequence": "sequence",
}


def body_of(ask: Ask) -> dict[str, Any]:
    body: dict[str, Any] = {
        "messages": [_message(turn) for turn in ask.turns],
        "max_tokens": ask.max_tokens,
    }
    if ask.system is not None:
        body["system"] = ask.system
    if ask.tools:
        tool = {"name": "get_weather", "description": "Weather.", "input_schema": TOOL_SCHEMA}
        body["tools"] = [tool]
    if ask.choice is not None:
        kinds = {"required": {"type": "any"}, "none": {"type": "none"}}
        body["tool_choice"] = kinds.get(ask.choice, {"type": "tool", "name": ask.choice})
    if ask.schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": ask.schema}}
    if ask.thinks:
        body["thinking"] = {"type": "enabled", "budget_tokens": 2048}
    if ask.stop:
        body["stop_sequences"] = list(ask.stop)
    sampling = {k: v for k in ("temperature", "top_p") if (v := getattr(ask, k)) is not None}
    return body | ({"extra_body": sampling} if sampling else {})  # newest models take none


def _message(turn: User | Model | Results) -> dict:
    match turn:
        case User(text, None):
            return {"role": "user", "content": text}
        case User(text, image):
            source = {"type": "base64", "media_type": "image/png", "data": image}
            parts = [{"type": "text", "text": text}, {"type": "image", "source": source}]
            return {"role": "user", "content": parts}
        case Model(text, calls):
            blocks: list[dict] = [{"type": "text", "text": text}] if text else []
            blocks += [
                {"type": "tool_use", "id": id_, "name": name, "input": arguments}
                for id_, name, arguments in calls
            ]
            return {"role": "assistant", "content": blocks}
        case Results(results):
            blocks = [
                {"type": "tool_result", "tool_use_id": id_, "content": text}
                for id_, _, text in results
            ]
            return {"role": "user", "content": blocks}


def heard_of(message: Any, pieces: int = 0) -> Heard:
    heard = Heard(stop=_STOPS.get(message.stop_reason), pieces=pieces)
    for block in message.content:
        match block.type:
            case "text":
                heard.text += block.text
            case "thinking":
                heard.thought += block.thinking
                heard.signatures.append(block.signature)
            case "tool_use":
                heard.calls.append((block.name, block.input))
    usage = message.usage
    if usage is not None:
        heard.cached = usage.cache_read_input_tokens or 0
        heard.prompt = usage.input_tokens + heard.cached + (usage.cache_creation_input_tokens or 0)
        heard.completion = usage.output_tokens
        heard.energy = getattr(usage, "energy", None)
    return heard


async def messages(door: Door, model: str, ask: Ask, *, stream: bool) -> Heard:
    http = anthropic.DefaultAsyncHttpxClient(**door.http())
    base = {"base_url": door.base("https://api.anthropic.com"), "api_key": door.key}
    async with anthropic.AsyncAnthropic(**base, max_retries=0, http_client=http) as client:
        body = body_of(ask)
        if not stream:
            return heard_of(await client.messages.create(model=model, **body))
        pieces, energy = 0, None
        async with client.messages.stream(model=model, **body) as events:
            async for event in events:
                pieces += 1
                if event.type == "message_delta":
                    energy = getattr(event.usage, "energy", None)
            heard = heard_of(await events.get_final_message(), pieces)
        heard.energy = energy
        return heard


async def messages_sync(door: Door, model: str, ask: Ask, *, stream: bool) -> Heard:
    def work() -> Heard:
        base = {"base_url": door.base("https://api.anthropic.com"), "api_key": door.key}
        http = httpx2.Client(**door.http())
        with anthropic.Anthropic(**base, max_retries=0, http_client=http) as client:
            body = body_of(ask)
            if not stream:
                return heard_of(client.messages.create(model=model, **body))
            with client.messages.stream(model=model, **body) as events:
                pieces = sum(1 for _ in events)
                return heard_of(events.get_final_message(), pieces)

    return await asyncio.to_thread(work)
