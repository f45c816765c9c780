"""Reads a Gemini request into a Call. What is not read here is not checked: it is the provider's to check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from wattline.base.errors import ClientFault, Kind
from wattline.dialects.base import Route
from wattline.dialects.fields import Fields, count, kind, name, wrong
from wattline.dialects.gemini.names import value
from wattline.dialects.gemini.paths import (
    COUNT,
    EMBED,
    EMBED_BATCH,
    GENERATE,
    STREAM,
    addressed,
    alt,
)
from wattline.dialects.headers import plain_headers, tags
from wattline.dialects.text_tokens import installed, text_tokens, value_tokens
from wattline.wire.call import Call, Principal
from wattline.wire.http import Request, Use

# Rough counts, in tokens: what is added around a turn, and media of common size.
PER_CONTENT = 4
PER_IMAGE = 258
PER_OTHER_PART = 256


@dataclass(slots=True)
class _Facts:
    """What reading the fields of a method finds out."""

    tokens: int = 0
    images: bool = False
    tools: bool = False
    max_output: int | None = None

    def text(self, text: str) -> None:
        """Count a text."""
        self.tokens += text_tokens(text, self.tokens)

    def other(self, found: Any) -> None:
        """Count the keys and texts of a value."""
        self.tokens += value_tokens(found)


def read_call(
    request: Request, route: Route, body: Fields, principal: Principal, path: str
) -> Call:
    """The neutral call. Raises ClientFault naming the field at fault."""
    model, method = _addressed(path)
    facts = _Facts()
    _READERS[method](body, facts)
    return Call(
        id=request.id,
        dialect=route.dialect,
        operation=route.operation,
        method=request.method,
        host=request.host,
        path=path,
        model=model,
        stream=_streams(method, request.path),
        principal=principal,
        headers=plain_headers(request.headers),
        tokens=facts.tokens,
        counted=installed() is not None,
        max_output=facts.max_output,
        tools=facts.tools,
        images=facts.images,
        tags=tags(request.headers),
        wants_usage=True,
        forward=request.use is Use.FORWARD,
    )


def _addressed(path: str) -> tuple[str, str]:
    found = addressed(path)
    if found is None:
        raise ClientFault(
            "This path is no method of a model. Send to /v1beta/models/{model}:generateContent.",
            status=404,
            code="not_found",
            kind=Kind.NOT_FOUND,
        )
    return name({"model": found[0]}, "model"), found[1]


def _streams(method: str, target: str) -> bool:
    """Whether the answer comes as events. Without `alt=sse` a stream is one JSON array, which is read
    and passed on whole.
    """
    how = alt(target)
    if how not in (None, "", "json", "sse"):
        wrong("alt", "'alt' must be 'sse' or 'json'.", "invalid_value")
    if how == "sse" and method != STREAM:
        wrong("alt", f"'alt=sse' is for {STREAM}. Leave it out here.", "invalid_value")
    return method == STREAM and how == "sse"


def _generate(body: Fields, facts: _Facts) -> None:
    contents = body.get("contents")
    if contents is None or contents == []:
        code = "missing_required_parameter" if contents is None else "empty_array"
        wrong("contents", "'contents' is missing or empty. Send at least one content.", code)
    for index, content in enumerate(_list(contents, "contents")):
        _content(content, f"contents[{index}]", facts)
    system = value(body, "systemInstruction")
    if system is not None:
        _content(system, "systemInstruction", facts)
    _tools(body, facts)
    config = value(body, "generationConfig")
    if config is None:
        return
    if not isinstance(config, dict):
        wrong("generationConfig", f"'generationConfig' must be an object, not {kind(config)}.")
    at = "generationConfig.maxOutputTokens"
    facts.max_output = count({at: value(config, "maxOutputTokens")}, at)


def _list(found: Any, at: str) -> list[Any]:
    """An array; a single object stands for an array of one, as the API takes it."""
    if isinstance(found, dict):
        return [found]
    if not isinstance(found, list):
        wrong(at, f"'{at}' must be an array, not {kind(found)}.")
    return found


def _content(content: Any, at: str, facts: _Facts) -> None:
    if not isinstance(content, dict):
        wrong(at, f"'{at}' must be an object, not {kind(content)}.")
    facts.tokens += PER_CONTENT
    parts = content.get("parts")
    for index, part in enumerate(_list(parts, f"{at}.parts") if parts is not None else ()):
        if not isinstance(part, dict):
            place = f"{at}.parts[{index}]"
            wrong(place, f"'{place}' must be an object, not {kind(part)}.")
        _part(part, facts)


def _part(part: dict[str, Any], facts: _Facts) -> None:
    media = value(part, "inlineData") or value(part, "fileData")
    if isinstance(text := part.get("text"), str):
        facts.text(text)
    elif isinstance(media, dict):
        mime = value(media, "mimeType")
        picture = isinstance(mime, str) and mime.lower().startswith("image/")
        facts.images = facts.images or picture
        facts.tokens += PER_IMAGE if picture else PER_OTHER_PART
    else:
        facts.other(part)


def _tools(body: Fields, facts: _Facts) -> None:
    found = body.get("tools")
    tools = _list(found, "tools") if found is not None else []
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict):
            wrong(f"tools[{index}]", f"'tools[{index}]' must be an object, not {kind(tool)}.")
    if tools:
        facts.tools = True
        facts.other(tools)


def _count(body: Fields, facts: _Facts) -> None:
    """Either `contents`, or a whole `generateContentRequest`."""
    inner = value(body, "generateContentRequest")
    if inner is None:
        _generate(body, facts)
    elif isinstance(inner, dict):
        _generate(inner, facts)
    else:
        at = "generateContentRequest"
        wrong(at, f"'{at}' must be an object, not {kind(inner)}.")


def _embed(body: Fields, facts: _Facts, at: str = "") -> None:
    content = body.get("content")
    if content is None:
        place = f"{at}content"
        wrong(place, f"'{place}' is missing. Add it.", "missing_required_parameter")
    _content(content, f"{at}content", facts)


def _embed_batch(body: Fields, facts: _Facts) -> None:
    requests = body.get("requests")
    if requests is None or requests == []:
        code = "missing_required_parameter" if requests is None else "empty_array"
        wrong("requests", "'requests' is missing or empty. Send at least one request.", code)
    for index, request in enumerate(_list(requests, "requests")):
        at = f"requests[{index}]"
        if not isinstance(request, dict):
            wrong(at, f"'{at}' must be an object, not {kind(request)}.")
        _embed(request, facts, f"{at}.")


_READERS: Mapping[str, Callable[[Fields, _Facts], None]] = MappingProxyType(
    {
        GENERATE: _generate,
        STREAM: _generate,
        COUNT: _count,
        EMBED: _embed,
        EMBED_BATCH: _embed_batch,
    }
)
