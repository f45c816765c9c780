"""A fake of a provider with OpenAI's chat completions."""

from __future__ import annotations

import json
import re
from typing import Any

from kit.providers.base import FakeProvider, sse
from kit.providers.meaning import Meaning, Wrong, closed, need, of, only, within
from kit.providers.saying import Saying, halves

_FIELDS = (
    *("max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "n", "seed"),
    *("presence_penalty", "frequency_penalty", "tools", "tool_choice", "parallel_tool_calls"),
    *(
        "response_format",
        "reasoning_effort",
        "stream",
        "stream_options",
        "logprobs",
        "top_logprobs",
    ),
    *("logit_bias", "user"),
)
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_STOPS = {"end": "stop", "length": "length", "tool": "tool_calls", "filter": "content_filter"}
_STOPS |= {"sequence": "stop"}
_TYPES = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}


class FakeOpenAi(FakeProvider):
    """/v1/chat/completions."""

    name = "openai"
    auth = "authorization"
    prefix = "/v1"
    legacy = False
    """The last request was for a completion."""

    def understand(self, path: str, query: str, body: Any, headers: dict[str, str]) -> Meaning:  # noqa: ARG002  (every dialect's)
        self.legacy = path == "/v1/completions"
        if self.legacy:
            return _legacy(body)
        need(path == "/v1/chat/completions", f"404 {path}")
        only(body, "body", _FIELDS, ("model", "messages"))
        meaning = Meaning(body["model"], of(body, "stream", bool, "body") is True)
        need(meaning.stream or "stream_options" not in body, "stream_options without stream")
        _messages(body["messages"], meaning)
        need(not {"max_tokens", "max_completion_tokens"} <= set(body), "two limits")
        meaning.max_tokens = body.get("max_tokens", body.get("max_completion_tokens"))
        meaning.temperature = within(body, "temperature", 0, 2, "body")
        meaning.top_p = within(body, "top_p", 0, 1, "body")
        meaning.n = within(body, "n", 1, 128, "body") or 1
        stop = of(body, "stop", (str, list), "body") or ()
        meaning.stop = (stop,) if isinstance(stop, str) else tuple(stop)
        need(len(meaning.stop) <= 4, "stop")
        self._tools(body, meaning)
        self._format(body.get("response_format"), meaning)
        effort = of(body, "reasoning_effort", str, "body")
        need(effort in (None, "none", "minimal", "low", "medium", "high", "xhigh"), f"{effort}")
        meaning.thinks = effort not in (None, "none")
        return meaning

    def _tools(self, body: dict, meaning: Meaning) -> None:
        for tool in body.get("tools", []):
            only(tool, "tool", (), ("type", "function"))
            known = ("description", "parameters", "strict")
            function = only(tool["function"], "function", known, ("name",))
            need(_NAME.fullmatch(function["name"]), "function.name")
            meaning.tools[function["name"]] = function.get("parameters")
        choice = of(body, "tool_choice", (str, dict), "body")
        if choice is not None:
            need(meaning.tools, "tool_choice without tools")
            meaning.choice = choice if isinstance(choice, str) else choice["function"]["name"]
        need("parallel_tool_calls" not in body or meaning.tools, "parallel_tool_calls")

    def _format(self, wanted: Any, meaning: Meaning) -> None:
        if wanted is None or wanted == {"type": "text"}:
            return
        if wanted == {"type": "json_object"}:
            meaning.schema = "json"
            return
        only(wanted, "response_format", (), ("type", "json_schema"))
        schema = only(
            wanted["json_schema"], "json_schema", ("description", "strict", "schema"), ("name",)
        )
        need(_NAME.fullmatch(schema["name"]), "json_schema.name")
        if schema.get("strict"):
            closed(schema["schema"], "schema")
        meaning.schema = schema["schema"]

    def _head(self, saying: Saying, kind: str) -> dict:
        return {"id": "chatcmpl-1", "object": kind, "created": 1767323045, "model": saying.model}

    def whole(self, saying: Saying) -> Any:
        if self.legacy:
            choice = {"index": 0, "text": "".join(saying.texts), "logprobs": None}
            choice["finish_reason"] = _STOPS[saying.why]
            body = self._head(saying, "text_completion") | {"choices": [choice]}
            return body | ({"usage": _usage(saying)} if saying.usage else {})
        message: dict = {"role": "assistant", "content": "".join(saying.texts), "refusal": None}
        if saying.refusal is not None:
            message |= {"content": None, "refusal": saying.refusal}
        if saying.thought is not None:
            message["reasoning_content"] = saying.thought
        if saying.calls:
            message["tool_calls"] = _calls(saying)
            message["content"] = message["content"] or None
        why = "stop" if saying.refusal is not None else _STOPS[saying.why]
        choices = [
            {"index": index, "message": message, "logprobs": None, "finish_reason": why}
            for index in range(saying.n)
        ]
        body = self._head(saying, "chat.completion") | {"choices": choices}
        return body | ({"usage": _usage(saying)} if saying.usage else {})

    def frames(self, saying: Saying) -> tuple[list[bytes], int]:
        if self.legacy:
            return self._legacy_frames(saying)
        head = self._head(saying, "chat.completion.chunk")
        frames = []

        def chunk(delta: dict, why: str | None = None) -> None:
            for index in range(saying.n):
                choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": why}
                frames.append(sse(head | {"choices": [choice]}))

        chunk({"role": "assistant", "content": "", "refusal": None})
        for cut in halves(saying.thought or ""):
            chunk({"reasoning_content": cut})
        if saying.refusal is not None:
            for cut in halves(saying.refusal):
                chunk({"refusal": cut})
        else:
            for cut in halves("".join(saying.texts)):
                chunk({"content": cut})
        _call_chunks(saying, chunk)
        chunk({}, "stop" if saying.refusal is not None else _STOPS[saying.why])
        if saying.usage:
            frames.append(sse(head | {"choices": [], "usage": _usage(saying)}))
        return [*frames, b"data: [DONE]\n\n"], saying.n + 1

    def _legacy_frames(self, saying: Saying) -> tuple[list[bytes], int]:
        head = self._head(saying, "text_completion")
        cuts = [*halves("".join(saying.texts)), ""]
        frames = []
        for place, cut in enumerate(cuts, 1):
            why = _STOPS[saying.why] if place == len(cuts) else None
            choice = {"index": 0, "text": cut, "logprobs": None, "finish_reason": why}
            frames.append(sse(head | {"choices": [choice]}))
        if saying.usage:
            frames.append(sse(head | {"choices": [], "usage": _usage(saying)}))
        return [*frames, b"data: [DONE]\n\n"], 1

    def error(self, status: int, message: str) -> Any:
        kind = _TYPES.get(status, "server_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def error_frame(self, saying: Saying) -> bytes:
        return sse(self.error(saying.status, saying.message))


def _legacy(body: Any) -> Meaning:
    known = ("max_tokens", "temperature", "top_p", "stop", "stream", "stream_options", "n")
    only(body, "body", known, ("model", "prompt"))
    meaning = Meaning(body["model"], body.get("stream") is True)
    meaning.turns = [("user", [("text", body["prompt"])])]
    meaning.max_tokens, meaning.temperature = body.get("max_tokens"), body.get("temperature")
    meaning.top_p, stop = body.get("top_p"), body.get("stop") or ()
    meaning.stop = (stop,) if isinstance(stop, str) else tuple(stop)
    return meaning


def _usage(saying: Saying) -> dict:
    return {
        "prompt_tokens": saying.prompt,
        "completion_tokens": saying.completion,
        "total_tokens": saying.prompt + saying.completion,
        "prompt_tokens_details": {"cached_tokens": saying.cached},
        "completion_tokens_details": {"reasoning_tokens": saying.reasoning},
    }


def _calls(saying: Saying) -> list[dict]:
    return [
        {
            "id": call.id,
            "type": "function",
            "function": {
                "name": call.name,
                "arguments": json.dumps(call.arguments, ensure_ascii=False),
            },
        }
        for call in saying.calls
    ]


def _call_chunks(saying: Saying, chunk: Any) -> None:
    """The arguments of parallel calls come in turns."""
    calls = _calls(saying)
    for index, call in enumerate(calls):
        empty = call | {"function": call["function"] | {"arguments": ""}}
        chunk({"tool_calls": [{"index": index, **empty}]})
    cuts = [halves(call["function"]["arguments"]) for call in calls]
    for turn in range(max(map(len, cuts), default=0)):
        for index, pieces in enumerate(cuts):
            if turn < len(pieces):
                function = {"arguments": pieces[turn]}
                chunk({"tool_calls": [{"index": index, "function": function}]})


def _messages(messages: Any, meaning: Meaning) -> None:
    need(isinstance(messages, list) and messages, "no messages")
    system: list[str] = []
    open_: dict[str, str] = {}
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        known = ("content", "name", "tool_calls", "tool_call_id", "refusal", "reasoning_content")
        only(message, at, known, ("role",))
        role = message["role"]
        if role == "tool":
            need(message.get("tool_call_id") in open_, f"{at}: no such call")
            name = open_.pop(message["tool_call_id"])
            meaning.turns.append(("user", [("result", name, _plain(message["content"], at))]))
            continue
        need(not open_, f"{at}: calls without results: {list(open_)}")
        need(role in ("system", "user", "assistant"), f"{at}.role {role}")
        if role == "system":
            system.append(_plain(message["content"], at))
            continue
        items = _items(message.get("content"), at)
        for call in message.get("tool_calls", []):
            need(role == "assistant" and call["type"] == "function", f"{at}.tool_calls")
            function = only(call["function"], at, (), ("name", "arguments"))
            need(isinstance(function["arguments"], str), f"{at}.arguments")
            open_[call["id"]] = function["name"]
            items.append(("call", function["name"], json.loads(function["arguments"])))
        need(items or role == "assistant", f"{at}: nothing in it")
        meaning.turns.append((role, items))
    need(not open_, f"calls without results: {list(open_)}")
    meaning.system = "\n\n".join(system)


def _plain(content: Any, at: str) -> str:
    items = _items(content, at)
    need(all(item[0] == "text" for item in items), f"{at}: only text")
    return "".join(item[1] for item in items)


def _items(content: Any, at: str) -> list[tuple]:
    if content is None or isinstance(content, str):
        return [("text", content)] if content else []
    items: list[tuple] = []
    for part in content:
        match part.get("type"):
            case "text":
                only(part, at, (), ("type", "text"))
                items.append(("text", part["text"]))
            case "image_url":
                only(part, at, (), ("type", "image_url"))
                url = only(part["image_url"], at, ("detail",), ("url",))["url"]
                items.append(("image", url.partition(";base64,")[2] or url))
            case _:
                raise Wrong(f"{at}: part {part.get('type')}")
    return items
