"""What a message is made of, in no provider's shape.

A part that a dialect can't write is told by its `kind`, the word that errors and headers use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text."""

    kind: ClassVar[str] = "text"
    text: str = field(repr=False)
    cache: Mapping[str, Any] | None = None
    """Anthropic's `cache_control`: a hint that the prompt up to here may be kept. A dialect without it
    leaves it out.
    """


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes inside a message: exactly one of `data` (base64, standard alphabet), `url` and `id` (a file
    at the provider) is set. `media_type` may be unknown for a URL or an id.
    """

    kind: ClassVar[str] = "file"
    media_type: str | None = None
    data: str | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)
    id: str | None = None
    name: str | None = None
    cache: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Image(Blob):
    """A picture. `detail` is OpenAI's `low`, `high` or `auto`."""

    kind: ClassVar[str] = "image"
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Audio(Blob):
    """Sound: `media_type` is `audio/wav`, `audio/mp3` and so on."""

    kind: ClassVar[str] = "audio"


@dataclass(frozen=True, slots=True)
class File(Blob):
    """A document, for example a PDF."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What a model thought before it answered. `signature` (Anthropic, Gemini) proves to its provider
    that it is unchanged; `redacted` is thought that only the provider can read, with no text then.
    """

    kind: ClassVar[str] = "reasoning"
    text: str = field(default="", repr=False)
    signature: str | None = field(default=None, repr=False)
    redacted: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model's own words for declining."""

    kind: ClassVar[str] = "refusal"
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool. `arguments` is the JSON text of an object, as the model wrote it (it may
    be no valid JSON: models err). `signature` is Gemini's thought signature of the call.
    """

    kind: ClassVar[str] = "tool call"
    id: str
    name: str
    arguments: str = field(repr=False)
    signature: str | None = field(default=None, repr=False)
    cache: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave back for the call with the id `call`. `name` is the tool's, where it is known."""

    kind: ClassVar[str] = "tool result"
    call: str
    parts: tuple[Text | Image | File, ...]
    name: str | None = None
    error: bool = False
    cache: Mapping[str, Any] | None = None


Part = Text | Image | Audio | File | Reasoning | Refusal | ToolCall | ToolResult


def plain(parts: tuple[Part, ...] | list[Part]) -> str:
    """The text of the text parts, joined by nothing."""
    return "".join(part.text for part in parts if isinstance(part, Text))
