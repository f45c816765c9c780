"""Writes neutral messages as Anthropic's: a `system` and turns of user and assistant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from wattline.dialects.anthropic.arguments import decoded, input_of
from wattline.dialects.history import OPENING
from wattline.wire.parts import (
    Audio,
    Blob,
    File,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from wattline.wire.prompt import Message, Role

_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_PICTURE_STARTS: Mapping[str, str] = MappingProxyType(
    {"/9j/": "image/jpeg", "iVBOR": "image/png", "R0lG": "image/gif", "UklG": "image/webp"}
)
"""Of pictures in base64."""

_TEXTS = ("application/json", "application/xml", "application/x-yaml")
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(slots=True)
class BlockWriter:
    """Writes the messages of one request, and notes what it can't write.

    System and developer messages, wherever they stand, become blocks of `system` in their order: not every
    model takes them between other messages. Tool results come first in their turn, as Anthropic wants, and a
    user's turn comes first of all: where the client's first is none, one is made.
    """

    dropped: dict[str, None] = field(default_factory=dict)
    unsupported: dict[str, None] = field(default_factory=dict)

    def system(self, messages: Iterable[Message]) -> list[dict[str, Any]]:
        """The blocks of `system`."""
        found: list[dict[str, Any]] = []
        for message in messages:
            for part in message.parts:
                if isinstance(part, Text):
                    found += _text(part)
                else:
                    self.unsupported[f"{part.kind} in system messages"] = None
        return found

    def turns(self, messages: Iterable[Message]) -> list[dict[str, Any]]:
        """User's and assistant's turns, never two of one role after each other."""
        turns: list[tuple[str, list[dict[str, Any]]]] = []
        for message in messages:
            role = "assistant" if message.role is Role.ASSISTANT else "user"
            if message.name is not None:
                self.dropped["name in messages"] = None
            blocks = self._blocks(message.parts, role)
            if not blocks:
                continue
            if turns and turns[-1][0] == role:
                turns[-1][1].extend(blocks)
            else:
                turns.append((role, blocks))
        if not turns or turns[0][0] != "user":
            turns.insert(0, ("user", [{"type": "text", "text": OPENING}]))
        return [
            {"role": role, "content": _ordered(role, blocks, last=index == len(turns) - 1)}
            for index, (role, blocks) in enumerate(turns)
        ]

    def _blocks(self, parts: tuple[Part, ...], role: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for part in parts:
            block = self._assistant(part) if role == "assistant" else self._user(part)
            found += block
        return found

    def _assistant(self, part: Part) -> list[dict[str, Any]]:
        match part:
            case Text():
                return _text(part)
            case Refusal():
                return _text(Text(part.text))
            case Reasoning():
                return self._reasoning(part)
            case ToolCall():
                block = {
                    "type": "tool_use",
                    "id": tool_id(part.id),
                    "name": part.name,
                    "input": input_of(part.arguments),
                }
                return [_cached(block, part.cache)]
            case _:
                self.unsupported[f"{part.kind} in assistant messages"] = None
                return []

    def _reasoning(self, part: Reasoning) -> list[dict[str, Any]]:
        """Without a proof that it is its own a provider takes no thought; an answer rests on none."""
        if part.redacted is not None:
            return [{"type": "redacted_thinking", "data": part.redacted}]
        if part.signature:
            return [{"type": "thinking", "thinking": part.text, "signature": part.signature}]
        self.dropped["reasoning in messages"] = None
        return []

    def _user(self, part: Part) -> list[dict[str, Any]]:
        match part:
            case Text():
                return _text(part)
            case Image():
                return self._image(part)
            case File():
                return self._file(part)
            case ToolResult():
                return [self._result(part)]
            case Audio():
                self.unsupported["audio in messages"] = None
            case _:
                self.unsupported[f"{part.kind} in user messages"] = None
        return []

    def _image(self, part: Image) -> list[dict[str, Any]]:
        if part.detail not in (None, "auto"):
            self.dropped["detail of images"] = None
        source = self._source(part, "image")
        return [] if source is None else [_cached({"type": "image", "source": source}, part.cache)]

    def _source(self, part: Blob, what: str) -> dict[str, Any] | None:
        if part.url is not None:
            return {"type": "url", "url": part.url}
        if part.id is not None:
            if part.id.startswith("file_"):
                return {"type": "file", "file_id": part.id}
            self.unsupported[f"{what} by a file id of another provider"] = None
            return None
        data = part.data or ""
        if what == "document":
            return {"type": "base64", "media_type": "application/pdf", "data": data}
        media_type = _picture_type(part.media_type, data)
        if media_type is None:
            self.unsupported[f"image of type {part.media_type or 'unknown'}"] = None
            return None
        return {"type": "base64", "media_type": media_type, "data": data}

    def _file(self, part: File) -> list[dict[str, Any]]:
        kind = (part.media_type or "").lower().partition(";")[0].strip()
        source: dict[str, Any] | None
        if kind.startswith("image/"):
            return self._image(Image(kind, part.data, part.url, part.id, cache=part.cache))
        if kind.startswith("audio/"):
            self.unsupported["audio in messages"] = None
            return []
        if part.data is not None and (kind.startswith("text/") or kind in _TEXTS):
            text = decoded(part.data)
            source = {"type": "text", "media_type": "text/plain", "data": text}
            if not text:
                source = None
                self.unsupported[f"file of type {kind} that is no text"] = None
        elif kind in ("", "application/pdf") or part.data is None:
            source = self._source(part, "document")
        else:
            source = None
            self.unsupported[f"file of type {kind}"] = None
        if source is None:
            return []
        title = {} if part.name is None else {"title": part.name}
        return [_cached({"type": "document", "source": source, **title}, part.cache)]

    def _result(self, part: ToolResult) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        for inner in part.parts:
            content += self._user(inner)
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": tool_id(part.call)}
        if content:
            plain = len(content) == 1 and content[0].keys() == {"type", "text"}
            block["content"] = content[0]["text"] if plain else content
        if part.error:
            block["is_error"] = True
        return _cached(block, part.cache)


def tool_id(text: str) -> str:
    """A call's id in the letters that Anthropic takes; a result's is written the same way."""
    return _NOT_IN_ID.sub("_", text) or "call"


def _text(part: Text) -> list[dict[str, Any]]:
    """None for white space alone, which Anthropic refuses."""
    if not part.text.strip():
        return []
    return [_cached({"type": "text", "text": part.text}, part.cache)]


def _cached(block: dict[str, Any], cache: Mapping[str, Any] | None) -> dict[str, Any]:
    return block if cache is None else {**block, "cache_control": dict(cache)}


def _ordered(role: str, blocks: list[dict[str, Any]], *, last: bool) -> list[dict[str, Any]]:
    if role == "user":
        return sorted(blocks, key=lambda block: bool(block["type"] != "tool_result"))
    if last and blocks[-1]["type"] == "text":  # an answer's beginning must not end in white space
        blocks[-1] = {**blocks[-1], "text": blocks[-1]["text"].rstrip()}
    return blocks


def _picture_type(media_type: str | None, data: str) -> str | None:
    if media_type is None:
        return next(
            (kind for start, kind in _PICTURE_STARTS.items() if data.startswith(start)), None
        )
    kind = media_type.lower().partition(";")[0].strip()
    kind = "image/jpeg" if kind == "image/jpg" else kind
    return kind if kind in _PICTURES else None
