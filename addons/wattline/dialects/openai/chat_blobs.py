"""Pictures, sounds and files in chat messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.fields import wrong
from wattline.dialects.openai.places import optional_record, optional_text, record, text
from wattline.wire.parts import Audio, Blob, File, Image

_DATA_URL = re.compile(r"data:([^,;]*)(?:;[^,;]*)*;base64,", re.IGNORECASE)
_HEAD = 256
"""Characters in which the head of a `data:` URL ends."""
_REMOTE = ("http://", "https://")

_FORMATS: Mapping[str, str] = MappingProxyType(
    {"mpeg": "mp3", "x-mp3": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav"}
)
"""Media subtypes whose format OpenAI calls otherwise."""


def split_data_url(url: str) -> tuple[str | None, str] | None:
    """The media type and the base64 text of a `data:` URL; None for any other."""
    match = _DATA_URL.match(url[:_HEAD])
    return None if match is None else (match[1].lower() or None, url[match.end() :])


def data_url(blob: Blob) -> str:
    """A `data:` URL for a blob with data."""
    return f"data:{blob.media_type or 'application/octet-stream'};base64,{blob.data}"


def image_from_url(
    url: str, detail: str | None = None, cache: Mapping[str, Any] | None = None
) -> Image:
    """A picture from a URL, `data:` URLs included."""
    inner = split_data_url(url)
    if inner is None:
        return Image(url=url, detail=detail, cache=cache)
    return Image(media_type=inner[0], data=inner[1], detail=detail, cache=cache)


def read_image(part: Mapping[str, Any], at: str) -> Image:
    """An `image_url` part. Mistral's clients give the URL without an object around it."""
    value, at = part.get("image_url"), f"{at}.image_url"
    cache = optional_record(part.get("cache_control"), "cache_control")
    if isinstance(value, str):
        return image_from_url(value, cache=cache)
    value = record(value, at)
    detail = optional_text(value.get("detail"), f"{at}.detail")
    return image_from_url(text(value.get("url"), f"{at}.url"), detail, cache)


def read_audio(part: Mapping[str, Any], at: str) -> Audio:
    """An `input_audio` part."""
    at = f"{at}.input_audio"
    value = record(part.get("input_audio"), at)
    media_type = "audio/" + text(value.get("format"), f"{at}.format")
    return Audio(media_type=media_type, data=text(value.get("data"), f"{at}.data"))


def read_file(part: Mapping[str, Any], at: str) -> File:
    """A `file` part: a file's id, or its data as a `data:` URL, as bare base64 or (OpenRouter) as a URL."""
    at = f"{at}.file"
    value = record(part.get("file"), at)
    name = optional_text(value.get("filename"), f"{at}.filename")
    cache = optional_record(part.get("cache_control"), "cache_control")
    found = optional_text(value.get("file_data"), f"{at}.file_data")
    if not found:
        found = optional_text(value.get("file_id"), f"{at}.file_id")
        if not found:
            wrong(at, f"'{at}' needs a 'file_id' or 'file_data'.", "missing_required_parameter")
        return File(id=found, name=name, cache=cache)
    inner = split_data_url(found)
    if inner is not None:
        return File(media_type=inner[0], data=inner[1], name=name, cache=cache)
    if found[:8].lower().startswith(_REMOTE):
        return File(url=found, name=name, cache=cache)
    return File(data=found, name=name, cache=cache)


def write_blob(blob: Blob) -> dict[str, Any] | None:
    """A part for a provider; None when chat completions have no form for it."""
    if isinstance(blob, Image):
        return _write_image(blob)
    if isinstance(blob, Audio):
        return None if blob.data is None else _write_audio(blob, blob.data)
    if blob.id is not None:
        file: dict[str, Any] = {"file_id": blob.id}
        if blob.name is not None:
            file["filename"] = blob.name
        return {"type": "file", "file": file}
    if blob.data is None:
        return None
    data = blob.data if blob.media_type is None else data_url(blob)
    return {"type": "file", "file": {"filename": blob.name or "file", "file_data": data}}


def _write_image(image: Image) -> dict[str, Any] | None:
    if image.url is None and image.data is None:
        return None
    value: dict[str, Any] = {"url": data_url(image) if image.url is None else image.url}
    if image.detail is not None:
        value["detail"] = image.detail
    return {"type": "image_url", "image_url": value}


def _write_audio(audio: Audio, data: str) -> dict[str, Any]:
    subtype = (audio.media_type or "").partition("/")[2].partition(";")[0].strip().lower()
    return {
        "type": "input_audio",
        "input_audio": {"data": data, "format": _FORMATS.get(subtype, subtype) or "wav"},
    }
