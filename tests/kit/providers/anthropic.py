"""A fake of Anthropic's messages."""

from __future__ import annotations

import json
import re
from typing import Any

from kit.providers.base import FakeProvider, sse
from kit.providers.meaning import Meaning, Wrong, closed, need, of, only, within
from kit.providers.saying import Saying, halves

_FIELDS = (
    *(
        "container",
        "context_management",
        "inference_geo",
        "mcp_servers",
        "metadata",
        "output_config",
    ),
    *(
        "service_tier",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
    ),
    *("tools", "top_k", "top_p", "cache_control", "thread"),
)
_VERSIONS = ("2023-06-01", "2026-10-21")
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_STOPS = {
    "end": "end_turn",
    "length": "max_tokens",
    "tool": "tool_use",
    "filter": "refusal",
    "sequence": "stop_sequence",
}
_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error"}
_TYPES |= {404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error"}
_TYPES |= {529: "overloaded_error"}


class FakeAnthropic(FakeProvider):
    """Messages, whole and streamed."""

    name = "anthropic"
    auth = "x-api-key"
    prefix = "/v1"

    def understand(self, path: str, query: str, body: Any, headers: dict[str, str]) -> Meaning:  # noqa: ARG002  (every dialect's)
        need(path == "/v1/messages", f"404 {path}")
        need(headers.get("anthropic-version") in _VERSIONS, "anthropic-version")
        only(body, "body", _FIELDS, ("model", "messages", "max_tokens"))
        need(of(body, "max_tokens", int, "body") >= 1, "max_tokens")
        meaning = Meaning(body["model"], of(body, "stream", bool, "body") is True)
        meaning.system = "\n\n".join(_texts(body.get("system", []), "system"))
        meaning.turns = _turns(of(body, "messages", list, "body"))
        meaning.max_tokens = body["max_tokens"]
        meaning.temperature = within(body, "temperature", 0, 1, "body")
        meaning.top_p = within(body, "top_p", 0, 1, "body")
        meaning.stop = tuple(of(body, "stop_sequences", list, "body") or ())
        need(all(text.strip() for text in meaning.stop), "stop_sequences of white space")
        self._tools(body, meaning)
        self._output(body, meaning)
        self._thinking(body, meaning)
        only(body.get("metadata", {}), "metadata", ("user_id",))
        return meaning

    def _tools(self, body: dict, meaning: Meaning) -> None:
        for tool in body.get("tools", []):
            only(
                tool,
                "tool",
                ("description", "strict", "cache_control", "type", "eager_input_streaming"),
                ("name", "input_schema"),
            )
            need(_NAME.fullmatch(tool["name"]), f"tool name {tool['name']}")
            need(tool["input_schema"].get("type") == "object", "input_schema.type")
            meaning.tools[tool["name"]] = tool["input_schema"]
        choice = body.get("tool_choice")
        if choice is not None:
            need(meaning.tools, "tool_choice without tools")
            only(choice, "tool_choice", ("name", "disable_parallel_tool_use"), ("type",))
            need(choice["type"] in ("auto", "any", "tool", "none"), "tool_choice.type")
            need((choice["type"] == "tool") == ("name" in choice), "tool_choice.name")
            meaning.choice = choice.get("name") or {"any": "required"}.get(
                choice["type"], choice["type"]
            )

    def _output(self, body: dict, meaning: Meaning) -> None:
        config = only(body.get("output_config", {}), "output_config", ("format", "effort"))
        if "format" in config:
            wanted = only(config["format"], "format", (), ("type", "schema"))
            need(wanted["type"] == "json_schema", "format.type")
            closed(wanted["schema"], "schema")
            meaning.schema = wanted["schema"]
        effort = config.get("effort", "low")
        need(effort in ("low", "medium", "high", "xhigh", "max"), f"effort {effort}")

    def _thinking(self, body: dict, meaning: Meaning) -> None:
        thinking = body.get("thinking")
        if thinking is None or thinking == {"type": "disabled"}:
            return
        meaning.thinks = True
        only(thinking, "thinking", ("budget_tokens", "display"), ("type",))
        if thinking["type"] == "enabled":
            budget = thinking.get("budget_tokens", 0)
            need(1024 <= budget < body["max_tokens"], f"budget_tokens {budget}")
        else:
            need(thinking["type"] == "adaptive" and "budget_tokens" not in thinking, "thinking")
        need(body.get("temperature", 1) == 1, "temperature with thinking")
        need(body.get("top_p", 1) >= 0.95, "top_p with thinking")
        need("top_k" not in body, "top_k with thinking")
        need(meaning.choice in (None, "auto", "none"), "a forced tool with thinking")

    def whole(self, saying: Saying) -> Any:
        return {**self._head(saying), "content": _blocks(saying), **_stop(saying)} | (
            {"usage": _usage(saying)} if saying.usage else {}
        )

    def _head(self, saying: Saying) -> dict:
        return {
            "id": "msg_01AbC",
            "type": "message",
            "role": "assistant",
            "model": saying.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        }

    def frames(self, saying: Saying) -> tuple[list[bytes], int]:
        usage = _usage(saying) | {"output_tokens": 1}
        head = self._head(saying) | ({"usage": usage} if saying.usage else {})
        frames = [_event("message_start", message=head), _event("ping")]
        first = None
        for index, block in enumerate(_blocks(saying)):
            empty, deltas = _deltas(block)
            frames.append(_event("content_block_start", index=index, content_block=empty))
            for delta in deltas:
                frames.append(_event("content_block_delta", index=index, delta=delta))
                first = first or len(frames)
            frames.append(_event("content_block_stop", index=index))
        last = {"delta": _stop(saying)}
        if saying.usage:
            last["usage"] = {"output_tokens": saying.completion}
        frames += [_event("message_delta", **last), _event("message_stop")]
        return frames, first or len(frames)

    def error(self, status: int, message: str) -> Any:
        kind = _TYPES.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}

    def error_frame(self, saying: Saying) -> bytes:
        return sse(self.error(saying.status, saying.message), "error")


def _event(kind: str, **more: Any) -> bytes:
    return sse({"type": kind, **more}, kind)


def _usage(saying: Saying) -> dict:
    return {
        "input_tokens": saying.prompt - saying.cached - saying.written,
        "cache_creation_input_tokens": saying.written,
        "cache_read_input_tokens": saying.cached,
        "output_tokens": saying.completion,
        "service_tier": "standard",
    }


def _stop(saying: Saying) -> dict:
    return {"stop_reason": _STOPS[saying.why], "stop_sequence": saying.sequence}


def _blocks(saying: Saying) -> list[dict]:
    blocks: list[dict] = []
    if saying.thought is not None:
        blocks.append(
            {"type": "thinking", "thinking": saying.thought, "signature": saying.signature}
        )
    if saying.redacted is not None:
        blocks.append({"type": "redacted_thinking", "data": saying.redacted})
    texts = (saying.refusal,) if saying.refusal is not None else saying.texts
    blocks += [{"type": "text", "text": text} for text in texts]
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
        for call in saying.calls
    ]
    return blocks


def _deltas(block: dict) -> tuple[dict, list[dict]]:
    match block["type"]:
        case "text":
            cuts = halves(block["text"])
            return {**block, "text": ""}, [{"type": "text_delta", "text": cut} for cut in cuts]
        case "thinking":
            cuts = halves(block["thinking"])
            deltas: list[dict] = [{"type": "thinking_delta", "thinking": cut} for cut in cuts]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            return {**block, "thinking": "", "signature": ""}, deltas
        case "tool_use":
            text = json.dumps(block["input"], ensure_ascii=False) if block["input"] else ""
            cuts = ["", *halves(text)]
            deltas = [{"type": "input_json_delta", "partial_json": cut} for cut in cuts]
            return {**block, "input": {}}, deltas
    return block, []


def _texts(value: Any, at: str) -> list[str]:
    if isinstance(value, str):
        return [value]
    found = []
    for block in value:
        only(block, at, ("cache_control", "citations"), ("type", "text"))
        need(block["type"] == "text" and block["text"].strip(), f"{at}: empty text")
        found.append(block["text"])
    return found


def _turns(messages: list) -> list[tuple[str, list[tuple]]]:
    need(messages, "no messages")
    need(messages[0].get("role") == "user", "the first message must be a user's")
    turns: list[tuple[str, list[tuple]]] = []
    calls: dict[str, str] = {}
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        only(message, at, (), ("role", "content"))
        role = message["role"]
        need(role in ("user", "assistant"), f"{at}.role {role}")
        need(not turns or turns[-1][0] != role, f"{at}: roles must alternate")
        blocks = message["content"]
        if isinstance(blocks, str):
            need(blocks.strip(), f"{at}: empty content")
            blocks = [{"type": "text", "text": blocks}]
        need(isinstance(blocks, list) and blocks, f"{at}: empty content")
        _pairs(blocks, calls, at)
        turns.append((role, [_item(block, calls, f"{at}.{n}") for n, block in enumerate(blocks)]))
        calls = {b["id"]: b["name"] for b in blocks if b["type"] == "tool_use"}
    need(not calls, "the last tool_use has no tool_result")
    role, items = turns[-1]
    if role == "assistant" and items[-1][0] == "text":
        need(items[-1][1] == items[-1][1].rstrip(), "final assistant text ends with white space")
    return turns


def _pairs(blocks: list, calls: dict[str, str], at: str) -> None:
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    need(sorted(results) == sorted(calls), f"{at}: tool_use {list(calls)}, tool_result {results}")
    kinds = [block["type"] for block in blocks]
    need("tool_result" not in kinds[len(results) :], f"{at}: tool_result blocks must come first")


def _item(block: dict, calls: dict[str, str], at: str) -> tuple:
    match block.get("type"):
        case "text":
            return "text", _texts([block], at)[0]
        case "image":
            only(block, at, ("cache_control",), ("type", "source"))
            return "image", _source(block["source"], at)
        case "tool_use":
            only(block, at, ("cache_control",), ("type", "id", "name", "input"))
            need(_ID.fullmatch(block["id"]), f"{at}.id {block['id']}")
            need(isinstance(block["input"], dict), f"{at}.input")
            return "call", block["name"], block["input"]
        case "tool_result":
            only(block, at, ("content", "is_error", "cache_control"), ("type", "tool_use_id"))
            content = block.get("content", "")
            text = content if isinstance(content, str) else "".join(_texts(content, at))
            return "result", calls[block["tool_use_id"]], text
        case "thinking":
            only(block, at, (), ("type", "thinking", "signature"))
            return "thought", block["thinking"], block["signature"]
        case "redacted_thinking":
            return "redacted", block["data"]
    raise Wrong(f"{at}: type {block.get('type')}")


def _source(source: dict, at: str) -> str:
    if source.get("type") == "url":
        return only(source, at, (), ("type", "url"))["url"]
    only(source, at, (), ("type", "media_type", "data"))
    need(source["media_type"] in ("image/png", "image/jpeg", "image/gif", "image/webp"), at)
    need(_BASE64.fullmatch(source["data"]), f"{at}: no base64")
    return source["data"]
