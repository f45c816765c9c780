"""The parts of a client's contents in neutral form."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from wattline.dialects.fields import wrong
from wattline.dialects.gemini.call_ids import PromptIds
from wattline.dialects.gemini.places import (
    array,
    optional_flag,
    optional_record,
    optional_text,
    record,
    text,
)
from wattline.dialects.gemini.signature import own, thought
from wattline.dialects.gemini.text import json_text
from wattline.wire.parts import Audio, File, Image, Part, Reasoning, Text, ToolCall, ToolResult

_READ = frozenset(
    {
        "text",
        "thought",
        "thoughtSignature",
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
    }
)
FILES = "https://generativelanguage.googleapis.com/"
"""Where the Files API's own URIs begin."""

_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_STANDARD = str.maketrans("-_", "+/")

type Blob = Image | Audio | File


@dataclass(slots=True)
class PartReader:
    """Reads the parts of one prompt. `extras` gathers what has no neutral form."""

    extras: dict[str, Any] = field(default_factory=dict)
    ids: PromptIds = field(default_factory=PromptIds)

    def read(self, value: Any, at: str) -> list[Part]:
        """One part: none or several neutral ones. Raises ClientFault."""
        part = record(value, at)
        self._keep_unknown(part, at)
        raw = optional_text(part.get("thoughtSignature"), f"{at}.thoughtSignature")
        if part.get("functionCall") is not None:
            return [self._call(part["functionCall"], f"{at}.functionCall", own(raw))]
        if part.get("functionResponse") is not None:
            return [self._result(part["functionResponse"], f"{at}.functionResponse")]
        found: list[Part] = []
        if part.get("inlineData") is not None:
            found.append(inline(part["inlineData"], f"{at}.inlineData"))
        elif part.get("fileData") is not None:
            found.append(linked(part["fileData"], f"{at}.fileData"))
        else:
            said = optional_text(part.get("text"), f"{at}.text")
            if optional_flag(part.get("thought"), f"{at}.thought"):
                return [thought(said or "", raw)] if raw else [Reasoning(said or "")]
            if said or (said is not None and not raw):
                found.append(Text(said))
        signature = own(raw)
        if signature is not None:
            found.append(thought("", signature))
        return found

    def _keep_unknown(self, part: dict[str, Any], at: str) -> None:
        for key, value in part.items():
            if key not in _READ and value is not None:
                self.extras[f"{at} ({key})"] = value

    def _call(self, value: Any, at: str, signature: str | None) -> ToolCall:
        call = record(value, at)
        name = text(call.get("name"), f"{at}.name")
        args = call.get("args")
        if args is not None and not isinstance(args, dict):
            record(args, f"{at}.args")
        known = self.ids.call(optional_text(call.get("id"), f"{at}.id"), name)
        return ToolCall(known, name, json_text({} if args is None else args), signature)

    def _result(self, value: Any, at: str) -> ToolResult:
        result = record(value, at)
        name = text(result.get("name"), f"{at}.name")
        known = self.ids.result(optional_text(result.get("id"), f"{at}.id"), name)
        for key in ("willContinue", "scheduling"):
            if result.get(key) is not None:
                self.extras[f"{at}.{key}"] = result[key]
        response = result.get("response")
        if response is not None and not isinstance(response, dict):
            record(response, f"{at}.response")
        said, error = _said(response or {})
        parts: list[Text | Image | File] = [Text(said)] if said else []
        for index, item in enumerate(array(result.get("parts"), f"{at}.parts")):
            blob = self._attached(item, f"{at}.parts[{index}]")
            if isinstance(blob, Audio):
                self.extras[f"{at}.parts[{index}] (audio)"] = item
            elif blob is not None:
                parts.append(blob)
        return ToolResult(known, tuple(parts), name, error)

    def _attached(self, value: Any, at: str) -> Blob | None:
        part = optional_record(value, at)
        if part.get("inlineData") is not None:
            return inline(part["inlineData"], f"{at}.inlineData")
        if part.get("fileData") is not None:
            return linked(part["fileData"], f"{at}.fileData")
        return None


def _said(response: dict[str, Any]) -> tuple[str, bool]:
    """A result's text, and whether it is an error. `output` and `error` are the API's keys for them."""
    if len(response) == 1:
        ((key, value),) = response.items()
        if key in ("output", "result", "error") and isinstance(value, str):
            return value, key == "error"
    return (json_text(response) if response else ""), False


def inline(value: Any, at: str) -> Blob:
    """Bytes in the request. Raises ClientFault."""
    blob = record(value, at)
    mime = text(blob.get("mimeType"), f"{at}.mimeType")
    data = text(blob.get("data"), f"{at}.data").translate(_STANDARD)
    data += "=" * (-len(data) % 4)
    if not _BASE64.fullmatch(data):
        wrong(f"{at}.data", f"'{at}.data' must be base64.", "invalid_value")
    return blob_type(mime)(mime, data=data, name=_name(blob, at))


def linked(value: Any, at: str) -> Blob:
    """A file by its URI: one of the Files API by `id`, any other by `url`. Raises ClientFault."""
    blob = record(value, at)
    uri = text(blob.get("fileUri"), f"{at}.fileUri")
    mime = optional_text(blob.get("mimeType"), f"{at}.mimeType")
    kind = blob_type(mime or "")
    if uri.startswith(FILES):
        return kind(mime, id=uri, name=_name(blob, at))
    return kind(mime, url=uri, name=_name(blob, at))


def _name(blob: dict[str, Any], at: str) -> str | None:
    return optional_text(blob.get("displayName"), f"{at}.displayName")


def blob_type(mime: str) -> type[Image | Audio | File]:
    """What a media type is a type of."""
    family = mime.partition("/")[0].lower()
    if family == "image":
        return Image
    return Audio if family == "audio" else File
