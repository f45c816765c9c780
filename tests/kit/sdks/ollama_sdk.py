"""Ollama's own client."""

from __future__ import annotations

import base64
from typing import Any

import ollama

from kit.sdks.asking import TOOL_SCHEMA, Ask, Door, Heard, Model, Results, User

_STOPS = {"stop": "end", "length": "length"}


def client_of(door: Door) -> ollama.AsyncClient:
    headers = {"authorization": f"Bearer {door.key}"}
    return ollama.AsyncClient(host=door.base("https://ollama.com"), headers=headers, **door.http())


def body_of(ask: Ask) -> dict[str, Any]:
    options: dict[str, Any] = {"num_predict": ask.max_tokens}
    if ask.stop:
        options["stop"] = list(ask.stop)
    options |= {k: v for k in ("temperature", "top_p") if (v := getattr(ask, k)) is not None}
    body: dict[str, Any] = {"options": options}
    if ask.schema is not None:
        body["format"] = ask.schema
    if ask.thinks:
        body["think"] = True
    return body


def _messages(turn: User | Model | Results) -> list[dict]:
    match turn:
        case User(text, None):
            return [{"role": "user", "content": text}]
        case User(text, image):
            picture = ollama.Image(value=base64.b64decode(image))
            return [{"role": "user", "content": text, "images": [picture]}]
        case Model(text, calls):
            made = [{"function": {"name": name, "arguments": arg}} for _, name, arg in calls]
            return [{"role": "assistant", "content": text} | ({"tool_calls": made} if made else {})]
        case Results(results):
            return [
                {"role": "tool", "content": text, "tool_name": name} for _, name, text in results
            ]


def _usage(heard: Heard, answer: Any) -> None:
    if answer.done:
        heard.prompt, heard.completion = answer.prompt_eval_count, answer.eval_count
        heard.stop = _STOPS.get(answer.done_reason)


async def chat(door: Door, model: str, ask: Ask, *, stream: bool) -> Heard:
    messages = [] if ask.system is None else [{"role": "system", "content": ask.system}]
    for turn in ask.turns:
        messages += _messages(turn)
    body = body_of(ask) | {"model": model, "messages": messages}
    if ask.tools:
        function = {"name": "get_weather", "description": "Weather.", "parameters": TOOL_SCHEMA}
        body["tools"] = [{"type": "function", "function": function}]
    client = client_of(door)
    heard = Heard()

    def hear(answer: Any) -> None:
        heard.text += answer.message.content or ""
        heard.thought += answer.message.thinking or ""
        for call in answer.message.tool_calls or ():
            heard.calls.append((call.function.name, dict(call.function.arguments)))
        _usage(heard, answer)

    async with client:
        if not stream:
            hear(await client.chat(**body))
        else:
            async for answer in await client.chat(stream=True, **body):
                heard.pieces += 1
                hear(answer)
    if heard.calls and heard.stop == "end":
        heard.stop = "tool"
    return heard


async def generate(door: Door, model: str, ask: Ask, *, stream: bool) -> Heard:
    last = ask.turns[-1]
    body = body_of(ask) | {"model": model, "prompt": last.text}
    if ask.system is not None:
        body["system"] = ask.system
    if last.image is not None:
        body["images"] = [ollama.Image(value=base64.b64decode(last.image))]
    heard = Heard()

    def hear(answer: Any) -> None:
        heard.text += answer.response or ""
        heard.thought += answer.thinking or ""
        _usage(heard, answer)

    async with client_of(door) as client:
        if not stream:
            hear(await client.generate(**body))
        else:
            async for answer in await client.generate(stream=True, **body):
                heard.pieces += 1
                hear(answer)
    return heard
