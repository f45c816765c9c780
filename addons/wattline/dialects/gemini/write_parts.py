"""Neutral parts as parts of a content for Gemini."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from wattline.dialects.gemini.omissions import Omissions
from wattline.dialects.gemini.read_parts import FILES
from wattline.dialects.gemini.signature import SKIP, packed
from wattline.dialects.gemini.text import arguments
from wattline.wire.parts import (
    Audio,
    File,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)

_EARLY = re.compile(r"gemini-[12]|gemini-pro|gemma|learnlm")
"""Models before Gemini 3: they know no signatures that must be, and no media in results."""
_NO_LINKS = re.compile(r"gemini-1|gemini-2\.0|gemini-pro|gemma|learnlm")
"""Models that can't be given the URL of anything."""

_MAGIC: Mapping[str, str] = MappingProxyType(
    {
        "iVBORw0KGgo": "image/png",
        "/9j/": "image/jpeg",
        "R0lGOD": "image/gif",
        "UklGR": "image/webp",
        "JVBERi": "application/pdf",
    }
)
"""How base64 of files begins whose type the client did not give."""

type Blob = Image | Audio | File


@dataclass(slots=True)
class PartWriter:
    """Writes the parts of one prompt for one model."""

    model: str
    omissions: Omissions
    names: Mapping[str, str]
    """The tools of the calls in the prompt, by the calls' ids."""

    def write(self, parts: Iterable[Part]) -> list[dict[str, Any]]:
        """The parts of one turn that is no tool's. Empty texts, which the API refuses, are left out."""
        found: list[dict[str, Any]] = []
        for part in parts:
            self._add(part, found)
        self._sign(found)
        return found

    def _add(self, part: Part, found: list[dict[str, Any]]) -> None:
        match part:
            case Text() | Refusal():
                if getattr(part, "cache", None):
                    self.omissions.drop("cache_control")
                if part.text:
                    found.append({"text": part.text})
            case Reasoning():
                self._thought(part, found)
            case ToolCall():
                found.append(call(part))
            case ToolResult():
                found += self.results([part])
            case Image() | Audio() | File():
                written = self.blob(part)
                if written is not None:
                    found.append(written)

    def _thought(self, part: Reasoning, found: list[dict[str, Any]]) -> None:
        if part.redacted is not None:
            self.omissions.drop("redacted reasoning")
            return
        written = thought(part.text, part.signature, found)
        if written is not None:
            found.append(written)

    def _sign(self, found: list[dict[str, Any]]) -> None:
        """Calls of another model have no signature; Gemini 3 wants one at the first of a turn."""
        first = next((part for part in found if "functionCall" in part), None)
        signed = any("thoughtSignature" in part for part in found)
        if first is not None and not signed and not _EARLY.search(self.model):
            first["thoughtSignature"] = SKIP

    def results(self, results: Iterable[ToolResult]) -> list[dict[str, Any]]:
        """Tool results of one turn; media that a model can't have inside them stand after them."""
        found: list[dict[str, Any]] = []
        after: list[dict[str, Any]] = []
        for result in results:
            if result.cache:
                self.omissions.drop("cache_control")
            media = [blob for part in result.parts if not isinstance(part, Text)
                     if (blob := self.blob(part)) is not None]  # fmt: skip
            response: dict[str, Any] = {
                "id": result.call,
                "name": result.name or self.names.get(result.call) or result.call,
                "response": _response(result),
            }
            if media and _EARLY.search(self.model):
                after += media
            elif media:
                response["parts"] = media
            found.append({"functionResponse": response})
        return found + after

    def blob(self, part: Blob) -> dict[str, Any] | None:
        """Bytes or a URI; None when the API can't take it, which is noted."""
        if part.cache:
            self.omissions.drop("cache_control")
        if isinstance(part, Image) and part.detail not in (None, "auto"):
            self.omissions.drop("detail of images")
        if part.data is not None:
            mime = part.media_type or _sniffed(part.data)
            if mime is not None:
                return {"inlineData": {"mimeType": mime, "data": part.data}}
            self.omissions.refuse(f"{part.kind} without a media type in messages")
            return None
        uri = self._uri(part)
        if uri is None:
            return None
        data = {"fileUri": uri}
        if part.media_type is not None:
            data["mimeType"] = part.media_type
        return {"fileData": data}

    def _uri(self, part: Blob) -> str | None:
        if part.id is not None:
            if part.id.startswith(FILES):
                return part.id
            if part.id.startswith("files/"):
                return f"{FILES}v1beta/{part.id}"
            self.omissions.refuse(f"{part.kind} by id in messages")
            return None
        url = part.url or ""
        if url.startswith(("https://", "gs://")) and not _NO_LINKS.search(self.model):
            return url
        self.omissions.refuse(f"{part.kind} by URL in messages")
        return None


def call(part: ToolCall) -> dict[str, Any]:
    """A call of a function."""
    calling = {"id": part.id, "name": part.name, "args": arguments(part.arguments)}
    found: dict[str, Any] = {"functionCall": calling}
    if part.signature:
        found["thoughtSignature"] = part.signature
    return found


def thought(
    text: str, signature: str | None, before: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """A thought. A signature alone belongs to the text or medium before it, when that has none."""
    signed = {"thoughtSignature": packed(signature)} if signature else {}
    if text:
        return {"text": text, "thought": True, **signed}
    if not signed:
        return None
    last = before[-1] if before else {}
    if last and not {"thought", "thoughtSignature", "functionCall"} & last.keys():
        last.update(signed)
        return None
    return {"text": "", **signed}


def _response(result: ToolResult) -> dict[str, str]:
    texts = [part for part in result.parts if isinstance(part, Text)]
    said = "".join(part.text for part in texts)
    if result.error:
        return {"error": said}
    return {"output": said} if texts else {}


def _sniffed(data: str) -> str | None:
    return next((mime for start, mime in _MAGIC.items() if data.startswith(start)), None)
