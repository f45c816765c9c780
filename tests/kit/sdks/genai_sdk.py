"""Google's own client for Gemini."""

from __future__ import annotations

import base64
import warnings
from contextlib import aclosing
from typing import Any

import httpx2
from google import genai
from google.genai import types

from kit.sdks.asking import TOOL_SCHEMA, Ask, Door, Heard, Model, Results, User

_STOPS = {"STOP": "end", "MAX_TOKENS": "length", "SAFETY": "filter"}


def config_of(ask: Ask) -> types.GenerateContentConfig:
    more: dict[str, Any] = {"max_output_tokens": ask.max_tokens}
    if ask.system is not None:
        more["system_instruction"] = ask.system
    if ask.tools:
        declared = types.FunctionDeclaration(
            name="get_weather", description="Weather.", parameters_json_schema=TOOL_SCHEMA
        )
        more["tools"] = [types.Tool(function_declarations=[declared])]
    if ask.choice is not None:
        calling: dict[str, Any] = {"required": {"mode": "ANY"}, "none": {"mode": "NONE"}}.get(
            ask.choice, {"mode": "ANY", "allowed_function_names": [ask.choice]}
        )
        more["tool_config"] = {"function_calling_config": calling}
    if ask.schema is not None:
        more |= {"response_mime_type": "application/json", "response_json_schema": ask.schema}
    if ask.thinks:
        more["thinking_config"] = types.ThinkingConfig(thinking_budget=2048, include_thoughts=True)
    if ask.stop:
        more["stop_sequences"] = list(ask.stop)
    if ask.n > 1:
        more["candidate_count"] = ask.n
    more |= {k: v for k in ("temperature", "top_p") if (v := getattr(ask, k)) is not None}
    return types.GenerateContentConfig(**more)


def _content(turn: User | Model | Results) -> types.Content:
    match turn:
        case User(text, None):
            return types.Content(role="user", parts=[types.Part(text=text)])
        case User(text, image):
            data = types.Part.from_bytes(data=base64.b64decode(image), mime_type="image/png")
            return types.Content(role="user", parts=[types.Part(text=text), data])
        case Model(text, calls):
            parts = [types.Part(text=text)] if text else []
            parts += [
                types.Part(function_call=types.FunctionCall(id=id_, name=name, args=arguments))
                for id_, name, arguments in calls
            ]
            return types.Content(role="model", parts=parts)
        case Results(results):
            parts = [
                types.Part(
                    function_response=types.FunctionResponse(
                        id=id_, name=name, response={"output": text}
                    )
                )
                for id_, name, text in results
            ]
            return types.Content(role="user", parts=parts)


def hear(heard: Heard, answer: Any) -> None:
    for candidate in answer.candidates or ():
        if candidate.index:
            heard.alternatives = max(heard.alternatives, candidate.index + 1)
            continue
        for part in (candidate.content.parts if candidate.content else None) or ():
            if part.function_call is not None:
                heard.calls.append((part.function_call.name, part.function_call.args))
            elif part.thought:
                heard.thought += part.text or ""
            else:
                heard.text += part.text or ""
        if candidate.finish_reason is not None:
            stop = _STOPS.get(candidate.finish_reason.value)
            heard.stop = "tool" if stop == "end" and heard.calls else stop
    usage = answer.usage_metadata
    if usage is not None and usage.prompt_token_count is not None:
        heard.prompt = usage.prompt_token_count
        heard.completion = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        heard.cached = usage.cached_content_token_count or 0


def client_of(door: Door, own: httpx2.AsyncClient | None) -> genai.Client:
    http: dict[str, Any] = {
        "base_url": door.base("https://generativelanguage.googleapis.com"),
        "retry_options": {"attempts": 1},
    }
    if own is not None:
        http["httpx_async_client"] = own
    return genai.Client(api_key=door.key, http_options=http)


async def generate(door: Door, model: str, ask: Ask, *, stream: bool) -> Heard:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*AiohttpClientSession", DeprecationWarning)
        if door.proxy is None and not door.breaks:
            return await _generate(client_of(door, None), model, ask, stream=stream)
        # Its own choice, aiohttp, leaks a connection when a stream breaks.
        async with httpx2.AsyncClient(**door.http()) as own:
            return await _generate(client_of(door, own), model, ask, stream=stream)


async def _generate(client: genai.Client, model: str, ask: Ask, *, stream: bool) -> Heard:
    heard = Heard()
    contents = [_content(turn) for turn in ask.turns]
    talk = {"model": model, "contents": contents, "config": config_of(ask)}
    try:
        if not stream:
            hear(heard, await client.aio.models.generate_content(**talk))
        else:
            async with aclosing(await client.aio.models.generate_content_stream(**talk)) as answers:
                async for answer in answers:
                    heard.pieces += 1
                    hear(heard, answer)
    finally:
        await client.aio.aclose()
        client.close()
    return heard
