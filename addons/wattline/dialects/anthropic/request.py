"""Reads a request for a message into a Call. What is not read here is not checked: the provider does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wattline.dialects.base import Route
from wattline.dialects.fields import (
    MAX_COUNT,
    MAX_NAME,
    Fields,
    flag,
    items,
    kind,
    name,
    required,
    wrong,
)
from wattline.dialects.headers import plain_headers, tags
from wattline.dialects.openai.stream import characters
from wattline.dialects.text_tokens import installed, text_tokens
from wattline.wire.call import Call, Operation, Principal
from wattline.wire.http import Request, Use

# Rough counts, in tokens: what is added around a message, a picture of common size, a document's page.
PER_MESSAGE = 4
PER_IMAGE = 1_200
PER_DOCUMENT = 1_500
PER_TOOL = 20

_MAX_DEPTH = 8
"""Content inside content: a tool's result holds blocks, a document may."""


@dataclass(slots=True)
class _Facts:
    """What reading the fields finds out."""

    tokens: int = 0
    images: bool = False

    def text(self, text: str) -> None:
        """Count a text."""
        self.tokens += text_tokens(text, self.tokens)


def read_call(
    request: Request, route: Route, body: Fields, principal: Principal, path: str
) -> Call:
    """The neutral call. Raises ClientFault naming the field at fault."""
    model = name(body, "model")
    stream = route.operation is Operation.CHAT and flag(body, "stream")
    facts = _Facts()
    _system(body.get("system"), facts)
    _messages(required(body, "messages"), facts)
    tools = _tools(body, facts)
    return Call(
        id=request.id,
        dialect=route.dialect,
        operation=route.operation,
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
        tools=tools,
        images=facts.images,
        user=_user(body.get("metadata")),
        tags=tags(request.headers),
        wants_usage=True,
        forward=request.use is Use.FORWARD,
    )


def _limit(body: Fields) -> int | None:
    """`max_tokens`; 0 only fills the provider's cache."""
    value = body.get("max_tokens")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        wrong("max_tokens", f"'max_tokens' must be an integer, not {kind(value)}.")
    if not 0 <= value <= MAX_COUNT:
        wrong("max_tokens", f"'max_tokens' must be from 0 to {MAX_COUNT}.", "invalid_value")
    return value


def _user(metadata: Any) -> str | None:
    """`metadata.user_id`, where it can be a name; what else it may be is the provider's to check."""
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    fits = isinstance(user, str) and 0 < len(user) <= MAX_NAME and user.isprintable()
    return user if fits else None


def _system(system: Any, facts: _Facts) -> None:
    if system is not None:
        _content(system, "system", facts, 0)


def _messages(messages: Any, facts: _Facts) -> None:
    if not isinstance(messages, list):
        wrong("messages", f"'messages' must be an array, not {kind(messages)}.")
    if not messages:
        wrong("messages", "'messages' is empty. Send at least one message.", "empty_array")
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        if not isinstance(message, dict):
            wrong(at, f"'{at}' must be an object, not {kind(message)}.")
        role = message.get("role")
        if not isinstance(role, str) or not role:
            code = "missing_required_parameter" if role is None else "invalid_type"
            wrong(f"{at}.role", f"'{at}.role' must be a string such as 'user'.", code)
        facts.tokens += PER_MESSAGE
        _content(message.get("content"), f"{at}.content", facts, 0)


def _content(content: Any, at: str, facts: _Facts, depth: int) -> None:
    """A text, or blocks: objects with a `type`."""
    if isinstance(content, str):
        facts.text(content)
        return
    if not isinstance(content, list):
        wrong(at, f"'{at}' must be a string or an array of blocks, not {kind(content)}.")
    for index, block in enumerate(content):
        if not isinstance(block, dict):
            here = f"{at}[{index}]"
            wrong(here, f"'{here}' must be an object, not {kind(block)}.")
        _block(block, facts, depth)


def _block(block: dict[str, Any], facts: _Facts, depth: int) -> None:
    if block.get("type") == "image":
        facts.images = True
        facts.tokens += PER_IMAGE
        return
    if block.get("type") == "document":
        facts.tokens += PER_DOCUMENT
        return
    if isinstance(text := block.get("text", block.get("thinking")), str):
        facts.text(text)
        return
    content = block.get("content")
    if isinstance(content, list) and depth < _MAX_DEPTH:
        for inner in content:
            if isinstance(inner, dict):
                _block(inner, facts, depth + 1)
        return
    facts.tokens += characters(block) // 4 + 1


def _tools(body: Fields, facts: _Facts) -> bool:
    tools = items(body, "tools")
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict):
            wrong(f"tools[{index}]", f"'tools[{index}]' must be an object, not {kind(tool)}.")
    facts.tokens += characters(tools) // 4 + PER_TOOL * len(tools)
    return bool(tools)
