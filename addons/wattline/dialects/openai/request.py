"""Reads an OpenAI request into a Call. What is not read here is not checked: providers differ in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from wattline.dialects.base import Route
from wattline.dialects.fields import (
    Fields,
    count,
    flag,
    items,
    kind,
    name,
    number,
    optional_name,
    required,
    wrong,
)
from wattline.dialects.headers import plain_headers, tags
from wattline.dialects.text_tokens import by_length, installed, text_tokens, value_tokens
from wattline.wire.call import Call, Operation, Principal
from wattline.wire.http import Request, Use
from wattline.wire.usage import MAX_TOKENS

# Rough counts, in tokens: what OpenAI adds around a message and a reply, and a picture of common size.
PER_MESSAGE = 4
PER_REPLY = 3
PER_IMAGE = 765
PER_OTHER_PART = 256

DEFAULT_MODELS: Mapping[Operation, str] = MappingProxyType(
    {
        Operation.MODERATIONS: "omni-moderation-latest",
        Operation.IMAGES: "dall-e-2",
        Operation.VIDEOS: "sora-2",
    }
)
"""Models that OpenAI takes where the request names none."""

_OF_PICTURES = frozenset({"/images/edits", "/images/variations"})
"""Paths whose calls send at least one picture."""

_PICTURES = ("image_url", "input_image", "image")


@dataclass(slots=True)
class _Facts:
    """What reading the fields of an operation finds out."""

    tokens: int = 0
    images: bool = False
    tools: bool = False
    max_output: int | None = None
    wants_usage: bool = False

    def text(self, text: str) -> None:
        """Count a text."""
        self.tokens += text_tokens(text, self.tokens)


def read_call(
    request: Request, route: Route, body: Fields, principal: Principal, path: str
) -> Call:
    """The neutral call. Raises ClientFault naming the field at fault."""
    operation = route.operation
    model = name(body, "model", DEFAULT_MODELS.get(operation))
    stream = _streams(operation, body) if route.json else _is_true(body.get("stream"))
    if route.json:  # a form has only texts
        number(body, "temperature", 0, 2)
        count(body, "n")
    facts = _Facts()
    form = not route.json and operation is not Operation.TRANSCRIPTION
    reader = _prompt if form else _READERS[operation]
    reader(body, facts)
    if route.upstream_path in _OF_PICTURES:
        facts.images = True
        facts.tokens += PER_IMAGE
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
        max_output=facts.max_output,
        tools=facts.tools,
        images=facts.images,
        user=optional_name(body, "user"),
        tags=tags(request.headers),
        wants_usage=facts.wants_usage,
        forward=request.use is Use.FORWARD,
    )


def _streams(operation: Operation, body: Fields) -> bool:
    if operation is Operation.SPEECH:
        return body.get("stream_format") == "sse"
    return flag(body, "stream")


def _is_true(text: Any) -> bool:
    """As forms say it."""
    return text in ("true", "True", "1")


def _chat(body: Fields, facts: _Facts) -> None:
    messages = required(body, "messages")
    if not isinstance(messages, list):
        wrong("messages", f"'messages' must be an array, not {kind(messages)}.")
    if not messages:
        wrong("messages", "'messages' is empty. Send at least one message.", "empty_array")
    texts = _texts(messages) if installed() is None else None
    if texts is None:
        for index, message in enumerate(messages):
            _message(message, index, facts)
    else:
        facts.tokens += PER_MESSAGE * len(messages) + sum(map(by_length, texts))
    facts.tokens += PER_REPLY
    _tools(body, facts, "tools")
    _tools(body, facts, "functions")
    limit = count(body, "max_tokens")
    facts.max_output = count(body, "max_completion_tokens") or limit
    _stream_options(body, facts)


def _texts(messages: list[Any]) -> list[str] | None:
    """What the messages say, for those that hold nothing but a role and a text; None where one is more, or
    is wrong: then each is looked at.
    """
    texts: list[str] = []
    for message in messages:
        if type(message) is not dict or "tool_calls" in message:
            return None
        text = message.get("content")
        if type(text) is not str or type(message.get("role")) is not str or not message["role"]:
            return None
        texts.append(text)
    return texts


def _message(message: Any, index: int, facts: _Facts) -> None:
    if not isinstance(message, dict):
        at = f"messages[{index}]"
        wrong(at, f"'{at}' must be an object, not {kind(message)}.")
    role = message.get("role")
    if not isinstance(role, str) or not role:
        at = f"messages[{index}].role"
        wrong(
            at,
            f"'{at}' must be a string such as 'user'.",
            "missing_required_parameter" if role is None else "invalid_type",
        )
    facts.tokens += PER_MESSAGE
    content = message.get("content")
    if isinstance(content, str):
        facts.text(content)
    else:
        _content(content, f"messages[{index}].content", facts)
    calls = message.get("tool_calls")
    if calls:
        facts.tokens += value_tokens(calls)


def _content(content: Any, at: str, facts: _Facts) -> None:
    """A text, null, or parts: objects with a `type`."""
    if content is None:
        return
    if isinstance(content, str):
        facts.text(content)
        return
    if not isinstance(content, list):
        wrong(at, f"'{at}' must be a string or an array of parts, not {kind(content)}.")
    for index, part in enumerate(content):
        if isinstance(part, str):
            facts.text(part)
        elif isinstance(part, dict):
            _part(part, facts)
        else:
            wrong(f"{at}[{index}]", f"'{at}[{index}]' must be an object, not {kind(part)}.")


def _part(part: dict[str, Any], facts: _Facts) -> None:
    if _is_picture(part):
        facts.images = True
        facts.tokens += PER_IMAGE
    elif isinstance(text := part.get("text", part.get("refusal")), str):
        facts.text(text)
    else:
        facts.tokens += PER_OTHER_PART


def _tools(body: Fields, facts: _Facts, key: str) -> None:
    tools = items(body, key)
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict):
            wrong(f"{key}[{index}]", f"'{key}[{index}]' must be an object, not {kind(tool)}.")
    if tools:
        facts.tools = True
        facts.tokens += value_tokens(tools)


def _stream_options(body: Fields, facts: _Facts) -> None:
    options = body.get("stream_options")
    if options is None:
        return
    if not isinstance(options, dict):
        wrong("stream_options", f"'stream_options' must be an object, not {kind(options)}.")
    if not flag(body, "stream"):
        wrong(
            "stream_options",
            "'stream_options' needs 'stream': true. Add that, or leave it out.",
            "invalid_value",
        )
    wanted = options.get("include_usage")
    if wanted is not None and not isinstance(wanted, bool):
        at = "stream_options.include_usage"
        wrong(at, f"'{at}' must be true or false, not {kind(wanted)}.")
    facts.wants_usage = wanted is True


def _completion(body: Fields, facts: _Facts) -> None:
    _input(body, "prompt", facts)
    facts.max_output = count(body, "max_tokens")
    _stream_options(body, facts)


def _embeddings(body: Fields, facts: _Facts) -> None:
    required(body, "input")
    _input(body, "input", facts)


def _input(body: Fields, key: str, facts: _Facts) -> None:
    """A text, or an array of texts, tokens, arrays of tokens, or objects."""
    value = body.get(key)
    if value is None:
        return
    if isinstance(value, str):
        facts.text(value)
        return
    if not isinstance(value, list):
        wrong(key, f"'{key}' must be a string or an array, not {kind(value)}.")
    if not value:
        wrong(key, f"'{key}' is empty. Send at least one item.", "empty_array")
    for index, item in enumerate(value):
        if isinstance(item, str):
            facts.text(item)
        elif isinstance(item, list):
            facts.tokens += len(item)
        elif isinstance(item, int) and not isinstance(item, bool):
            facts.tokens += 1
        elif isinstance(item, dict):
            _part(item, facts)
        else:
            at = f"{key}[{index}]"
            wrong(at, f"'{at}' must be a string or an array of tokens, not {kind(item)}.")


def _rerank(body: Fields, facts: _Facts) -> None:
    """Each document is read together with the query."""
    required(body, "query")
    _text(body, "query", facts)
    required(body, "documents")
    documents = items(body, "documents")
    facts.tokens *= max(1, len(documents))
    _input(body, "documents", facts)
    count(body, "top_n")


def _responses(body: Fields, facts: _Facts) -> None:
    if not any(body.get(key) for key in ("prompt", "previous_response_id", "conversation")):
        required(body, "input")
    value = body.get("input")
    if isinstance(value, list):
        for index, item in enumerate(value):
            _item(item, f"input[{index}]", facts)
    else:
        _text(body, "input", facts)
    _text(body, "instructions", facts)
    facts.tokens += PER_REPLY
    _tools(body, facts, "tools")
    facts.max_output = count(body, "max_output_tokens")


def _item(item: Any, at: str, facts: _Facts) -> None:
    """A message, or another item of a conversation: a tool's call, its output, reasoning."""
    if not isinstance(item, dict):
        wrong(at, f"'{at}' must be an object, not {kind(item)}.")
    facts.tokens += PER_MESSAGE
    if "content" in item:
        _content(item["content"], f"{at}.content", facts)
    else:
        facts.tokens += value_tokens(item)
        output = item.get("output")
        parts = output if isinstance(output, list) else []
        facts.images = facts.images or any(map(_is_picture, parts))


def _is_picture(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in _PICTURES


def _text(body: Fields, key: str, facts: _Facts) -> None:
    value = body.get(key)
    if value is None:
        return
    if not isinstance(value, str):
        wrong(key, f"'{key}' must be a string, not {kind(value)}.")
    facts.text(value)


def _required_text(key: str) -> Callable[[Fields, _Facts], None]:
    def read(body: Fields, facts: _Facts) -> None:
        if required(body, key) == "":
            wrong(key, f"'{key}' is empty. Send some text.", "invalid_value")
        _text(body, key, facts)

    return read


def _prompt(body: Fields, facts: _Facts) -> None:
    """A text beside pictures, which may be enough alone. Other fields are the provider's to check."""
    _text(body, "prompt", facts)


def _realtime(body: Fields, facts: _Facts) -> None:
    """One response of a conversation; what was said before it is not known here."""
    response = body.get("response")
    if isinstance(response, dict):
        facts.tokens += value_tokens(response)
        facts.tools = bool(response.get("tools"))
        limit = response.get("max_output_tokens")
        if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0:
            facts.max_output = min(limit, MAX_TOKENS)
    facts.tokens += PER_REPLY


def _nothing_more(_body: Fields, _facts: _Facts) -> None:
    """An upload's other fields are the provider's to check."""


_READERS: Mapping[Operation, Callable[[Fields, _Facts], None]] = MappingProxyType(
    {
        Operation.CHAT: _chat,
        Operation.COMPLETION: _completion,
        Operation.RESPONSES: _responses,
        Operation.EMBEDDINGS: _embeddings,
        Operation.MODERATIONS: _embeddings,
        Operation.RERANK: _rerank,
        Operation.IMAGES: _required_text("prompt"),
        Operation.SPEECH: _required_text("input"),
        Operation.TRANSCRIPTION: _nothing_more,
        Operation.REALTIME: _realtime,
        Operation.VIDEOS: _prompt,
    }
)
