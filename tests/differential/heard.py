"""What a client hears, in one form for all dialects, whole or streamed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def heard(dialect: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Of a whole answer."""
    readers = {
        "openai": _openai,
        "anthropic": _anthropic,
        "gemini": _gemini,
        "responses": _responses,
    }
    return readers[dialect](answer)


def assembled(dialect: str, events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Of a stream: put together to the whole answer, as the dialect's SDK does, and heard."""
    joins = {
        "openai": _join_openai,
        "anthropic": _join_anthropic,
        "gemini": _join_gemini,
        "responses": _join_responses,
    }
    return heard(dialect, joins[dialect](list(events)))


def sse(data: bytes) -> list[dict[str, Any]]:
    """The JSON of each event."""
    lines = [line[5:].strip() for line in data.splitlines() if line.startswith(b"data:")]
    return [json.loads(line) for line in lines if line.startswith(b"{")]


def _told(
    text: str,
    thought: str,
    calls: list[tuple[str, Any]],
    why: Any,
    counts: dict[str, Any],
    signature: Any = None,
) -> dict[str, Any]:
    return {
        "text": text,
        "thought": thought,
        "signature": signature,
        "calls": [(name, _arguments(arguments)) for name, arguments in calls],
        "why": why,
        **counts,
    }


def _arguments(value: Any) -> str:
    value = json.loads(value or "{}") if isinstance(value, str) else value
    return json.dumps(value, sort_keys=True)


def _counts(prompt: Any, completion: Any, cached: Any, reasoning: Any) -> dict[str, Any]:
    return {
        "prompt tokens": prompt,
        "completion tokens": completion,
        "cached tokens": cached or 0,
        "reasoning tokens": reasoning or 0,
    }


def _openai(answer: dict[str, Any]) -> dict[str, Any]:
    choice, usage = answer["choices"][0], answer.get("usage") or {}
    message = choice["message"]
    functions = [call["function"] for call in message.get("tool_calls") or []]
    blocks = message.get("thinking_blocks") or message.get("reasoning_details") or []
    return _told(
        (message.get("content") or "") + (message.get("refusal") or ""),
        message.get("reasoning_content") or "",
        [(function["name"], function["arguments"]) for function in functions],
        choice["finish_reason"],
        _counts(
            usage.get("prompt_tokens"),
            usage.get("completion_tokens"),
            (usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
            (usage.get("completion_tokens_details") or {}).get("reasoning_tokens"),
        ),
        next((block["signature"] for block in blocks if block.get("signature")), None),
    )


def _anthropic(answer: dict[str, Any]) -> dict[str, Any]:
    blocks, usage = answer["content"], answer["usage"]

    def of(kind: str) -> list[dict[str, Any]]:
        return [block for block in blocks if block["type"] == kind]

    return _told(
        "".join(block["text"] for block in of("text")),
        "".join(block["thinking"] for block in of("thinking")),
        [(block["name"], block["input"]) for block in of("tool_use")],
        answer["stop_reason"],
        _counts(
            usage.get("input_tokens"),
            usage.get("output_tokens"),
            usage.get("cache_read_input_tokens"),
            None,
        ),
        next((block["signature"] for block in of("thinking") if block.get("signature")), None),
    )


def _gemini(answer: dict[str, Any]) -> dict[str, Any]:
    candidate, usage = answer["candidates"][0], answer.get("usageMetadata") or {}
    parts = (candidate.get("content") or {}).get("parts") or []
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    texts = [part for part in parts if "text" in part]
    return _told(
        "".join(part["text"] for part in texts if not part.get("thought")),
        "".join(part["text"] for part in texts if part.get("thought")),
        [(call["name"], call.get("args") or {}) for call in calls],
        candidate.get("finishReason"),
        _counts(
            usage.get("promptTokenCount"),
            usage.get("candidatesTokenCount"),
            usage.get("cachedContentTokenCount"),
            usage.get("thoughtsTokenCount"),
        ),
        next((part["thoughtSignature"] for part in parts if part.get("thoughtSignature")), None),
    )


def _responses(answer: dict[str, Any]) -> dict[str, Any]:
    items, usage = answer["output"], answer.get("usage") or {}
    messages = [item for item in items if item["type"] == "message"]
    thoughts = [item for item in items if item["type"] == "reasoning"]
    calls = [item for item in items if item["type"] == "function_call"]
    parts = [part for item in messages for part in item["content"]]
    summaries = [
        part
        for item in thoughts
        for part in [*(item.get("summary") or []), *(item.get("content") or [])]
    ]
    incomplete = (answer.get("incomplete_details") or {}).get("reason")
    return _told(
        "".join(part.get("text") or part.get("refusal") or "" for part in parts),
        "".join(part["text"] for part in summaries),
        [(call["name"], call["arguments"]) for call in calls],
        incomplete or answer["status"],
        _counts(
            usage.get("input_tokens"),
            usage.get("output_tokens"),
            (usage.get("input_tokens_details") or {}).get("cached_tokens"),
            (usage.get("output_tokens_details") or {}).get("reasoning_tokens"),
        ),
        next((t["encrypted_content"] for t in thoughts if t.get("encrypted_content")), None),
    )


def _join_openai(events: list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "refusal": ""}
    calls: dict[int, dict[str, str]] = {}
    finish = usage = None
    blocks: list[dict[str, Any]] = []
    for event in events:
        usage = event.get("usage") or usage
        for choice in event.get("choices") or []:
            finish = choice.get("finish_reason") or finish
            delta = choice.get("delta") or {}
            for key in message:
                message[key] += delta.get(key) or ""
            blocks += delta.get("thinking_blocks") or delta.get("reasoning_details") or []
            for part in delta.get("tool_calls") or []:
                call = calls.setdefault(part.get("index", 0), {"name": "", "arguments": ""})
                call["name"] += part["function"].get("name") or ""
                call["arguments"] += part["function"].get("arguments") or ""
    message["thinking_blocks"] = blocks
    message["tool_calls"] = [{"function": call} for _, call in sorted(calls.items())]
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}


def _join_anthropic(events: list[dict[str, Any]]) -> dict[str, Any]:
    answer: dict[str, Any] = {"content": [], "stop_reason": None, "usage": {}}
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        match event["type"]:
            case "message_start":
                answer["usage"] = dict(event["message"]["usage"])
            case "content_block_start":
                block = blocks[event["index"]] = dict(event["content_block"])
                if block["type"] == "tool_use":
                    block["input"] = ""
            case "content_block_delta":
                delta, block = event["delta"], blocks[event["index"]]
                for kind, key in (
                    ("text", "text"),
                    ("thinking", "thinking"),
                    ("signature", "signature"),
                    ("partial_json", "input"),
                ):
                    if kind in delta:
                        block[key] = (block.get(key) or "") + delta[kind]
            case "message_delta":
                answer["stop_reason"] = event["delta"].get("stop_reason")
                used = {key: value for key, value in event["usage"].items() if value is not None}
                answer["usage"] |= used
    answer["content"] = [block for _, block in sorted(blocks.items())]
    return answer


def _join_gemini(events: list[dict[str, Any]]) -> dict[str, Any]:
    parts, finish, usage = [], None, {}
    for event in events:
        usage = event.get("usageMetadata") or usage
        for candidate in event.get("candidates") or []:
            finish = candidate.get("finishReason") or finish
            parts += (candidate.get("content") or {}).get("parts") or []
    return {
        "candidates": [{"content": {"parts": parts}, "finishReason": finish}],
        "usageMetadata": usage,
    }


def _join_responses(events: list[dict[str, Any]]) -> dict[str, Any]:
    ends = ("response.completed", "response.incomplete", "response.failed")
    return next(event["response"] for event in events if event["type"] in ends)
