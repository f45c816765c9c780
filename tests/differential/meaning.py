"""What a provider's request means, in one form for all dialects, so that translations can be compared.

Told apart is what a provider would do with it, not how it is written: neighbours of one role are one turn, texts that
stand side by side one text, a call's id stands for its name.
"""

from __future__ import annotations

import json
from typing import Any

type Items = list[tuple[Any, ...]]


class Turns:
    """A conversation, turn by turn."""

    def __init__(self) -> None:
        self.found: list[tuple[str, Items]] = []
        self.system: list[str] = []
        self._names: dict[str, str] = {}

    def add(self, role: str, item: tuple[Any, ...]) -> None:
        """One more item."""
        if not self.found or self.found[-1][0] != role:
            self.found.append((role, []))
        items = self.found[-1][1]
        if item[0] == "text" and items and items[-1][0] == "text":
            items[-1] = ("text", items[-1][1] + item[1])
        elif item != ("text", ""):
            items.append(item)

    def call(self, id_: str | None, name: str, arguments: Any) -> None:
        """A tool's call. Arguments as text are read."""
        if id_ is not None:
            self._names[id_] = name
        value = json.loads(arguments or "{}") if isinstance(arguments, str) else arguments
        self.add("assistant", ("call", name, json.dumps(value, sort_keys=True)))

    def result(self, id_: str | None, name: str | None, text: str) -> None:
        """What a tool gave."""
        self.add("user", ("result", name or self._names.get(id_ or ""), text))


def meaning(dialect: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Field by field; what is not said is None."""
    turns = Turns()
    found = {"openai": _openai, "anthropic": _anthropic, "gemini": _gemini}[dialect](body, turns)
    return {
        "path": path,
        "system": "\n".join(text for text in turns.system if text) or None,
        "turns": turns.found,
        **found,
    }


def _openai(body: dict[str, Any], turns: Turns) -> dict[str, Any]:
    for message in body["messages"]:
        _openai_message(message, turns)
    functions = [tool["function"] for tool in body.get("tools") or []]
    choice = body.get("tool_choice")
    wanted = body.get("response_format") or {}
    schema = (wanted.get("json_schema") or {}).get("schema")
    return {
        "tools": _tools((f["name"], f.get("description"), f.get("parameters")) for f in functions),
        "choice": choice["function"]["name"] if isinstance(choice, dict) else _auto(choice),
        "one at a time": body.get("parallel_tool_calls") is False or None,
        "format": schema or ("json" if wanted.get("type") == "json_object" else None),
        "limit": body.get("max_tokens", body.get("max_completion_tokens")),
        "stop": _list(body.get("stop")),
        "thinking": body.get("reasoning_effort"),
        **_same(body, "temperature", "top_p", "top_k", "seed", "n", "user"),
        **_same(body, "presence_penalty", "frequency_penalty", "logprobs", "logit_bias"),
    }


def _openai_message(message: dict[str, Any], turns: Turns) -> None:
    role, content = message["role"], message.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    if role in ("system", "developer"):
        turns.system.append("\n".join(part["text"] for part in parts))
    elif role == "tool":
        texts = [part.get("text", f"<{part['type']}>") for part in parts]
        turns.result(message["tool_call_id"], None, "".join(texts))
    else:
        if message.get("reasoning_content"):
            turns.add(role, ("thought", message["reasoning_content"]))
        for part in parts:
            if part["type"] == "text":
                turns.add(role, ("text", part["text"]))
            else:
                turns.add(role, ("image", (part.get("image_url") or {}).get("url")))
        for call in message.get("tool_calls") or []:
            turns.call(call["id"], call["function"]["name"], call["function"]["arguments"])


def _anthropic(body: dict[str, Any], turns: Turns) -> dict[str, Any]:
    system = body.get("system") or []
    blocks = [{"text": system}] if isinstance(system, str) else system
    turns.system += [block["text"] for block in blocks]
    for message in body["messages"]:
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            _anthropic_block(message["role"], block, turns)
    tools = body.get("tools") or []
    choice = body.get("tool_choice") or {}
    config = body.get("output_config") or {}
    wanted = body.get("output_format") or config.get("format") or {}
    thinking = body.get("thinking") or {}
    kind = {"any": "required", "tool": choice.get("name")}
    return {
        "tools": _tools((t["name"], t.get("description"), t.get("input_schema")) for t in tools),
        "choice": _auto(kind.get(choice.get("type"), choice.get("type"))),
        "one at a time": choice.get("disable_parallel_tool_use") or None,
        "format": wanted.get("schema"),
        "limit": body.get("max_tokens"),
        "stop": _list(body.get("stop_sequences")),
        "thinking": thinking.get("budget_tokens") or config.get("effort") or thinking.get("type"),
        "user": (body.get("metadata") or {}).get("user_id"),
        **_same(body, "temperature", "top_p", "top_k"),
    }


def _anthropic_block(role: str, block: dict[str, Any], turns: Turns) -> None:
    match block["type"]:
        case "text":
            turns.add(role, ("text", block["text"]))
        case "image":
            turns.add(role, ("image", _source(block["source"])))
        case "thinking":
            turns.add(role, ("thought", block["thinking"]))
        case "tool_use":
            turns.call(block["id"], block["name"], block["input"])
        case "tool_result":
            content = block.get("content") or ""
            if not isinstance(content, str):
                content = "".join(part.get("text", f"<{part['type']}>") for part in content)
            failed = "failed: " if block.get("is_error") else ""
            turns.result(block["tool_use_id"], None, failed + content)
        case other:
            turns.add(role, (other,))


def _source(source: dict[str, Any]) -> str:
    if source["type"] == "url":
        return str(source["url"])
    return f"data:{source['media_type']};base64,{source['data']}"


def _gemini(body: dict[str, Any], turns: Turns) -> dict[str, Any]:
    body = _camel(body)
    system = body.get("systemInstruction") or {"parts": []}
    turns.system += [part["text"] for part in system["parts"]]
    for content in body["contents"]:
        role = "assistant" if content.get("role") == "model" else "user"
        for part in content["parts"]:
            _gemini_part(role, part, turns)
    declared = [f for tool in body.get("tools") or [] for f in tool.get("functionDeclarations", ())]
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    config = body.get("generationConfig") or {}
    thinking = config.get("thinkingConfig") or {}
    names = calling.get("allowedFunctionNames")
    modes = {"ANY": "required", "NONE": "none"}
    schema = config.get("responseJsonSchema", config.get("responseSchema"))
    asked = config.get("responseMimeType") == "application/json"
    level = thinking.get("thinkingBudget", thinking.get("thinkingLevel"))
    return {
        "tools": _tools(
            (f["name"], f.get("description"), f.get("parametersJsonSchema", f.get("parameters")))
            for f in declared
        ),
        "choice": names[0] if names else modes.get(calling.get("mode")),
        "one at a time": None,
        "format": schema or ("json" if asked else None),
        "limit": config.get("maxOutputTokens"),
        "stop": _list(config.get("stopSequences")),
        "thinking": level,
        "temperature": config.get("temperature"),
        "top_p": config.get("topP"),
        "top_k": config.get("topK"),
        "n": config.get("candidateCount"),
        "seed": config.get("seed"),
        "presence_penalty": config.get("presencePenalty"),
        "frequency_penalty": config.get("frequencyPenalty"),
        "logprobs": config.get("responseLogprobs"),
    }


def _gemini_part(role: str, part: dict[str, Any], turns: Turns) -> None:
    if "functionCall" in part:
        turns.call(None, part["functionCall"]["name"], part["functionCall"].get("args") or {})
    elif "functionResponse" in part:
        given = part["functionResponse"]["response"]
        text = next(iter(given.values())) if len(given) == 1 else given
        turns.result(
            None,
            part["functionResponse"]["name"],
            text if isinstance(text, str) else json.dumps(text),
        )
    elif part.get("thought"):
        turns.add(role, ("thought", part["text"]))
    elif "text" in part:
        turns.add(role, ("text", part["text"]))
    elif "inlineData" in part:
        data = part["inlineData"]
        turns.add(role, ("image", f"data:{data['mimeType']};base64,{data['data']}"))
    else:
        turns.add(role, ("image", (part.get("fileData") or {}).get("fileUri")))


_AS_THEY_ARE = frozenset({"args", "response", "parameters", "parametersJsonSchema"})


def _camel(value: Any) -> Any:
    """Google's API takes both spellings of a field."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, item in value.items():
        head, *rest = key.split("_")
        name = head + "".join(word.capitalize() for word in rest)
        schema = name in _AS_THEY_ARE or name.endswith("Schema")
        found[name] = item if schema else _camel(item)
    return found


def _tools(found: Any) -> dict[str, Any] | None:
    return {name: (text or None, _schema(schema)) for name, text, schema in found} or None


def _schema(schema: Any) -> Any:
    """Gemini's older schemas shout their types; an object without properties is no parameter at all."""
    if isinstance(schema, list):
        return [_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema.lower() if isinstance(schema, str) else schema
    found = {key: _schema(item) for key, item in sorted(schema.items())}
    return None if found.get("type") == "object" and not found.get("properties") else found


def _auto(choice: Any) -> Any:
    return None if choice == "auto" else choice


def _list(value: Any) -> list[str] | None:
    return [value] if isinstance(value, str) else value or None


def _same(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: body.get(name) for name in names}
