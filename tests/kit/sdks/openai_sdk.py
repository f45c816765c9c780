"""OpenAI's own client (chat, completions, responses), and Groq's, which is made like it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import groq
import httpx
import httpx2
import openai

from kit.sdks.asking import ANSWER_SCHEMA, TOOL_SCHEMA, Ask, Door, Heard, Model, Results, User

_STOPS = {"stop": "end", "length": "length", "tool_calls": "tool", "content_filter": "filter"}
_NONE = {"max_retries": 0}


def options(door: Door, rest: str = "/v1") -> dict[str, Any]:
    return {"base_url": door.base("https://api.openai.com", rest), "api_key": door.key, **_NONE}


def chat_body(ask: Ask) -> dict[str, Any]:
    messages: list[dict] = [] if ask.system is None else [{"role": "system", "content": ask.system}]
    for turn in ask.turns:
        messages += _messages(turn)
    body: dict[str, Any] = {"messages": messages, "max_tokens": ask.max_tokens}
    if ask.tools:
        function = {"name": "get_weather", "description": "Weather.", "parameters": TOOL_SCHEMA}
        body["tools"] = [{"type": "function", "function": function}]
    if ask.choice is not None:
        named = {"type": "function", "function": {"name": ask.choice}}
        body["tool_choice"] = ask.choice if ask.choice in ("required", "none") else named
    if ask.schema is not None:
        wanted = {"name": "city", "schema": ask.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": wanted}
    if ask.thinks:
        body["reasoning_effort"] = "medium"
    if ask.stop:
        body["stop"] = list(ask.stop)
    if ask.n > 1:
        body["n"] = ask.n
    return body | {k: v for k in ("temperature", "top_p") if (v := getattr(ask, k)) is not None}


def _messages(turn: User | Model | Results) -> list[dict]:
    match turn:
        case User(text, None):
            return [{"role": "user", "content": text}]
        case User(text, image):
            url = {"url": f"data:image/png;base64,{image}"}
            parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": url}]
            return [{"role": "user", "content": parts}]
        case Model(text, calls):
            message: dict = {"role": "assistant", "content": text or None}
            if calls:
                message["tool_calls"] = [
                    {
                        "id": id_,
                        "type": "function",
                        "function": {"name": name, "arguments": json.dumps(arguments)},
                    }
                    for id_, name, arguments in calls
                ]
            return [message]
        case Results(results):
            return [
                {"role": "tool", "tool_call_id": id_, "content": text} for id_, _, text in results
            ]


def chat_heard(answer: Any) -> Heard:
    choice = answer.choices[0]
    message = choice.message
    heard = Heard(
        message.content or "",
        getattr(message, "reasoning_content", None) or "",
        refusal=getattr(message, "refusal", None),
        stop=_STOPS[choice.finish_reason],
        alternatives=len(answer.choices),
    )
    heard.calls = [
        (call.function.name, json.loads(call.function.arguments))
        for call in message.tool_calls or ()
    ]
    _usage(heard, answer.usage)
    return heard


def _usage(heard: Heard, usage: Any) -> None:
    if usage is not None:
        heard.prompt, heard.completion = usage.prompt_tokens, usage.completion_tokens
        details = usage.prompt_tokens_details
        heard.cached = details.cached_tokens if details is not None else None
        heard.energy = getattr(usage, "energy", None)


class ChunkEar:
    """Puts a stream together as a client must: by index, arguments piece by piece."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.calls: dict[int, list] = {}
        self.indices: set[int] = set()
        self.ids: set[str] = set()

    def hear(self, chunk: Any) -> None:
        heard = self.heard
        heard.pieces += 1
        self.ids.add(chunk.id)
        for choice in chunk.choices:
            self.indices.add(choice.index)
            if choice.index:
                continue
            delta = choice.delta
            heard.text += delta.content or ""
            heard.thought += getattr(delta, "reasoning_content", None) or ""
            if getattr(delta, "refusal", None):
                heard.refusal = (heard.refusal or "") + delta.refusal
            for call in delta.tool_calls or ():
                found = self.calls.setdefault(call.index, ["", "", ""])
                found[0] += call.id or ""
                found[1] += call.function.name or ""
                found[2] += call.function.arguments or ""
            if choice.finish_reason:
                assert heard.stop is None, "finished twice"
                heard.stop = _STOPS[choice.finish_reason]
        if chunk.usage:
            assert heard.prompt is None, "two usages"
            _usage(heard, chunk.usage)

    def end(self) -> Heard:
        assert len(self.ids) <= 1, f"one answer, ids {self.ids}"
        self.heard.calls = [(c[1], json.loads(c[2])) for _, c in sorted(self.calls.items())]
        self.heard.alternatives = len(self.indices)
        return self.heard


async def chat(door: Door, model: str, ask: Ask, *, stream: bool) -> Heard:
    http = openai.DefaultAsyncHttpxClient(**door.http())
    async with openai.AsyncOpenAI(**options(door), http_client=http) as client:
        body = chat_body(ask)
        if not stream:
            return chat_heard(await client.chat.completions.create(model=model, **body))
        ear = ChunkEar()
        async for chunk in await client.chat.completions.create(model=model, stream=True, **body):
            ear.hear(chunk)
        return ear.end()


async def chat_sync(door: Door, model: str, ask: Ask, *, stream: bool) -> Heard:
    def work() -> Heard:
        http = httpx2.Client(**door.http())
        with openai.OpenAI(**options(door), http_client=http) as client:
            body = chat_body(ask)
            if not stream:
                return chat_heard(client.chat.completions.create(model=model, **body))
            ear = ChunkEar()
            for chunk in client.chat.completions.create(model=model, stream=True, **body):
                ear.hear(chunk)
            return ear.end()

    return await asyncio.to_thread(work)


async def groq_chat(door: Door, model: str, ask: Ask, *, stream: bool) -> Heard:
    http = httpx.AsyncClient(**door.http())
    base = {"base_url": door.base("https://api.groq.com"), "api_key": door.key}
    async with groq.AsyncGroq(**base, **_NONE, http_client=http) as client:
        body = chat_body(ask)
        if not stream:
            return chat_heard(await client.chat.completions.create(model=model, **body))
        ear = ChunkEar()
        async for chunk in await client.chat.completions.create(model=model, stream=True, **body):
            ear.hear(chunk)
        return ear.end()


async def completion(door: Door, model: str, ask: Ask, *, stream: bool) -> Heard:
    body: dict[str, Any] = {"prompt": ask.turns[-1].text, "max_tokens": ask.max_tokens}
    if ask.stop:
        body["stop"] = list(ask.stop)
    body |= {k: v for k in ("temperature", "top_p") if (v := getattr(ask, k)) is not None}
    http = openai.DefaultAsyncHttpxClient(**door.http())
    async with openai.AsyncOpenAI(**options(door), http_client=http) as client:
        heard = Heard()
        if not stream:
            answer = await client.completions.create(model=model, **body)
            heard.text, heard.stop = answer.choices[0].text, _STOPS[answer.choices[0].finish_reason]
            _usage(heard, answer.usage)
            return heard
        async for chunk in await client.completions.create(model=model, stream=True, **body):
            heard.pieces += 1
            for choice in chunk.choices:
                heard.text += choice.text
                heard.stop = _STOPS.get(choice.finish_reason, heard.stop)
            if chunk.usage:
                _usage(heard, chunk.usage)
        return heard


def responses_body(ask: Ask) -> dict[str, Any]:
    items: list[dict] = []
    for turn in ask.turns:
        items += _items(turn)
    body: dict[str, Any] = {"input": items, "max_output_tokens": ask.max_tokens, "store": False}
    if ask.system is not None:
        body["instructions"] = ask.system
    if ask.tools:
        tool = {"type": "function", "name": "get_weather", "description": "Weather."}
        body["tools"] = [tool | {"parameters": TOOL_SCHEMA, "strict": False}]
    if ask.choice is not None:
        named = {"type": "function", "name": ask.choice}
        body["tool_choice"] = ask.choice if ask.choice in ("required", "none") else named
    if ask.schema is not None:
        wanted = {"type": "json_schema", "name": "city", "schema": ANSWER_SCHEMA, "strict": True}
        body["text"] = {"format": wanted}
    if ask.thinks:
        body["reasoning"] = {"effort": "medium", "summary": "auto"}
    return body | {k: v for k in ("temperature", "top_p") if (v := getattr(ask, k)) is not None}


def _items(turn: User | Model | Results) -> list[dict]:
    match turn:
        case User(text, None):
            return [{"role": "user", "content": text}]
        case User(text, image):
            picture = {"type": "input_image", "image_url": f"data:image/png;base64,{image}"}
            parts = [{"type": "input_text", "text": text}, picture | {"detail": "auto"}]
            return [{"role": "user", "content": parts}]
        case Model(text, calls):
            said = [{"role": "assistant", "content": text}] if text else []
            return said + [
                {
                    "type": "function_call",
                    "call_id": id_,
                    "name": name,
                    "arguments": json.dumps(arguments),
                }
                for id_, name, arguments in calls
            ]
        case Results(results):
            return [
                {"type": "function_call_output", "call_id": id_, "output": text}
                for id_, _, text in results
            ]


def responses_heard(answer: Any) -> Heard:
    heard = Heard(answer.output_text)
    for item in answer.output:
        if item.type == "reasoning":
            heard.thought += "".join(part.text for part in item.summary)
            heard.thought += "".join(part.text for part in item.content or ())
        elif item.type == "function_call":
            heard.calls.append((item.name, json.loads(item.arguments)))
        elif item.type == "message":
            for part in item.content:
                if part.type == "refusal":
                    heard.refusal = part.refusal
    reason = answer.incomplete_details.reason if answer.incomplete_details else None
    heard.stop = {"max_output_tokens": "length", "content_filter": "filter"}.get(reason)
    if answer.status == "completed":
        heard.stop = "tool" if heard.calls else "end"
    usage = answer.usage
    if usage is not None:
        heard.prompt, heard.completion = usage.input_tokens, usage.output_tokens
        heard.cached = usage.input_tokens_details.cached_tokens
        heard.energy = getattr(usage, "energy", None)
    return heard


async def responses(door: Door, model: str, ask: Ask, *, stream: bool) -> Heard:
    http = openai.DefaultAsyncHttpxClient(**door.http())
    async with openai.AsyncOpenAI(**options(door), http_client=http) as client:
        body = responses_body(ask)
        if not stream:
            return responses_heard(await client.responses.create(model=model, **body))
        text, last, pieces, numbers = "", None, 0, []
        async with client.responses.stream(model=model, **body) as events:
            async for event in events:
                pieces += 1
                numbers.append(event.sequence_number)
                if event.type == "response.output_text.delta":
                    text += event.delta
                if event.type in ("response.completed", "response.incomplete"):
                    last = event.response
        assert numbers == list(range(len(numbers)))
        heard = responses_heard(last)
        assert heard.text == text, "deltas and the whole differ"
        heard.pieces = pieces
        return heard
