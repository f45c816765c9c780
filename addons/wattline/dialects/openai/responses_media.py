"""Pictures and files in the Responses API's messages: `input_image` and `input_file`.

A picture is a URL, a data URL or a file's id; a file the same, under three names.
"""

from __future__ import annotations

from typing import Any

from wattline.dialects.fields import wrong
from wattline.dialects.openai.responses_fields import Item, join, optional_text
from wattline.wire.parts import File, Image

DEFAULT_IMAGE = "image/png"
"""The type that a picture of unknown type is sent as: a data URL needs one."""
DEFAULT_NAME = "document"
"""The name of a file without one: OpenAI wants one beside a file's bytes."""

_CACHE = {"type": "ephemeral"}


def cache_of(part: Item) -> dict[str, Any] | None:
    """A `prompt_cache_breakpoint`, as the hint that other dialects know."""
    return dict(_CACHE) if part.get("prompt_cache_breakpoint") else None


def read_image(part: Item, at: str) -> Image:
    """An `input_image`. `auto` is what no `detail` means. Raises ClientFault."""
    detail = optional_text(part, "detail", at)
    detail = None if detail == "auto" else detail
    url = optional_text(part, "image_url", at)
    if url:
        media_type, data = split_data_url(url)
        if data is None:
            return Image(url=url, detail=detail, cache=cache_of(part))
        return Image(media_type, data=data, detail=detail, cache=cache_of(part))
    return Image(id=_file_id(part, at, "image_url"), detail=detail, cache=cache_of(part))


def read_file(part: Item, at: str) -> File:
    """An `input_file`. Raises ClientFault."""
    name, cache = optional_text(part, "filename", at), cache_of(part)
    if content := optional_text(part, "file_data", at):
        media_type, data = split_data_url(content)
        return File(media_type, data=content if data is None else data, name=name, cache=cache)
    if url := optional_text(part, "file_url", at):
        return File(url=url, name=name, cache=cache)
    return File(id=_file_id(part, at, "file_data"), name=name, cache=cache)


def _file_id(part: Item, at: str, other: str) -> str:
    found = optional_text(part, "file_id", at)
    if not found:
        param = join(at, other)
        wrong(param, f"Give '{param}' or 'file_id'.", "missing_required_parameter")
    return found


def split_data_url(url: str) -> tuple[str | None, str | None]:
    """The media type (None: not told) and the base64 of a data URL; no data for any other URL."""
    if url[:5].lower() != "data:":
        return None, None
    head, comma, data = url[5:].partition(",")
    if not comma or not head.lower().endswith(";base64"):
        return None, None
    return head.partition(";")[0].lower() or None, data


def write_image(part: Image) -> dict[str, Any]:
    """An `input_image`."""
    written: dict[str, Any] = {"type": "input_image", "detail": part.detail or "auto"}
    if part.data is not None:
        written["image_url"] = f"data:{part.media_type or DEFAULT_IMAGE};base64,{part.data}"
    elif part.url is not None:
        written["image_url"] = part.url
    else:
        written["file_id"] = part.id
    return written


def write_file(part: File) -> dict[str, Any]:
    """An `input_file`."""
    written: dict[str, Any] = {"type": "input_file"}
    if part.name is not None:
        written["filename"] = part.name
    if part.data is not None:
        written.setdefault("filename", DEFAULT_NAME + _suffix(part.media_type))
        known = part.media_type is not None
        written["file_data"] = f"data:{part.media_type};base64,{part.data}" if known else part.data
    elif part.url is not None:
        written["file_url"] = part.url
    else:
        written["file_id"] = part.id
    return written


def _suffix(media_type: str | None) -> str:
    return ".pdf" if media_type == "application/pdf" else ""
