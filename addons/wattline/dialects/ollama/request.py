"""Reads an Ollama request into a Call. What is not read here is not checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from wattline.dialects.base import Route
from wattline.dialects.fields import MAX_COUNT, Fields, flag, items, kind, name, required, wrong
from wattline.dialects.headers import plain_headers, tags
from wattline.dialects.openai.request import PER_IMAGE, PER_MESSAGE, PER_REPLY
from wattline.dialects.text_tokens import installed, text_tokens, value_tokens
from wattline.wire.call import Call, Operation, Principal
from wattline.wire.http import Request, Use

LEGACY_EMBEDDINGS = "/api/embeddings"


@dataclass(slots=True)
class _Facts:
    """What reading the fields of an operation finds out."""

    tokens: int = 0
    images: bool = False
    tools: bool = False

    def text(self, text: str) -> None:
        """Count a text."""
        self.tokens += text_tokens(text, self.tokens)


def read_call(
    request: Request, route: Route, body: Fields, principal: Principal, path: str
) -> Call:
    """The neutral call. Raises ClientFault naming the field at fault."""
    operation = route.operation
    facts = _Facts()
    model = name(body, "model")
    stream = operation is not Operation.EMBEDDINGS and streams(body) and not loads(operation, body)
    if operation is Operation.EMBEDDINGS and route.upstream_path == LEGACY_EMBEDDINGS:
        _text(body, "prompt", facts)
    else:
        _READERS[operation](body, facts)
    return Call(
        id=request.id,
        dialect=route.dialect,
        operation=operation,
        method=request.method,
        host=request.host,
        path=path,
        model=model,
        stream=stream,
        principal=principal,
        headers=plain_headers(request.headers),
        tokens=facts.tokens,
        counted=installed() is not None,
        max_output=_limit(body),
        tools=facts.tools,
        images=facts.images,
        tags=tags(request.headers),
        wants_usage=stream,
        forward=request.use is Use.FORWARD,
    )


def streams(body: Fields) -> bool:
    """Whether the answer is to be a stream: so it is unless the client says no."""
    return body.get("stream") is None or flag(body, "stream")


def loads(operation: Operation, body: Fields) -> bool:
    """The request only loads its model, or unloads it: there is nothing to answer. A server then gives
    one whole object, whatever `stream` says.
    """
    if operation is Operation.CHAT:
        return not body.get("messages")
    return operation is Operation.COMPLETION and not body.get("prompt")


def _chat(body: Fields, facts: _Facts) -> None:
    for index, message in enumerate(items(body, "messages")):
        _message(message, f"messages[{index}]", facts)
    facts.tokens += PER_REPLY
    tools = items(body, "tools")
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict):
            wrong(f"tools[{index}]", f"'tools[{index}]' must be an object, not {kind(tool)}.")
    if tools:
        facts.tools = True
        facts.tokens += value_tokens(tools)


def _message(message: Any, at: str, facts: _Facts) -> None:
    if not isinstance(message, dict):
        wrong(at, f"'{at}' must be an object, not {kind(message)}.")
    role = message.get("role")
    if not isinstance(role, str) or not role:
        code = "missing_required_parameter" if role is None else "invalid_type"
        wrong(f"{at}.role", f"'{at}.role' must be a string such as 'user'.", code)
    facts.tokens += PER_MESSAGE
    content = message.get("content")
    if content is not None and not isinstance(content, str):
        wrong(f"{at}.content", f"'{at}.content' must be a string, not {kind(content)}.")
    facts.text(content or "")
    _images(message.get("images"), f"{at}.images", facts)
    if calls := message.get("tool_calls"):
        facts.tokens += value_tokens(calls)


def _images(images: Any, at: str, facts: _Facts) -> None:
    if images is None:
        return
    if not isinstance(images, list):
        wrong(at, f"'{at}' must be an array, not {kind(images)}.")
    if images:
        facts.images = True
        facts.tokens += PER_IMAGE * len(images)


def _generate(body: Fields, facts: _Facts) -> None:
    for key in ("prompt", "system", "suffix"):
        _text(body, key, facts)
    _images(body.get("images"), "images", facts)
    facts.tokens += PER_REPLY


def _embed(body: Fields, facts: _Facts) -> None:
    value = required(body, "input")
    if isinstance(value, str):
        facts.text(value)
        return
    if not isinstance(value, list):
        wrong("input", f"'input' must be a string or an array of strings, not {kind(value)}.")
    for index, item in enumerate(value):
        if not isinstance(item, str):
            at = f"input[{index}]"
            wrong(at, f"'{at}' must be a string, not {kind(item)}.")
        facts.text(item)


def _text(body: Fields, key: str, facts: _Facts) -> None:
    value = body.get(key)
    if value is None:
        return
    if not isinstance(value, str):
        wrong(key, f"'{key}' must be a string, not {kind(value)}.")
    facts.text(value)


def _limit(body: Fields) -> int | None:
    """`num_predict`, when it is a limit: -1 and -2 are none."""
    options = body.get("options")
    if options is None:
        return None
    if not isinstance(options, dict):
        wrong("options", f"'options' must be an object, not {kind(options)}.")
    value = options.get("num_predict")
    return value if type(value) is int and 1 <= value <= MAX_COUNT else None


_READERS: Mapping[Operation, Callable[[Fields, _Facts], None]] = MappingProxyType(
    {
        Operation.CHAT: _chat,
        Operation.COMPLETION: _generate,
        Operation.EMBEDDINGS: _embed,
    }
)
