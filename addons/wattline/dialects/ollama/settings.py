"""What chat and generate have in common beside their words: format, thinking, images, keep-alive."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any

from wattline.dialects.fields import Fields, kind, wrong
from wattline.wire.parts import Image
from wattline.wire.prompt import Format, Thinking

_BASE64 = re.compile(r"[A-Za-z0-9+/]++={0,2}")
_SPACE = str.maketrans("", "", "\r\n")

# The first bytes of each format, in base64.
_SIGNATURES = (
    ("iVBORw", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("Qk", "image/bmp"),
)

_EFFORTS = frozenset({"minimal", "low", "medium", "high", "xhigh", "max"})
_LEVELS = MappingProxyType({"minimal": "low", "low": "low", "medium": "medium", "high": "high"})


def media_type(data: str) -> str | None:
    """The type of a picture in base64, by its first bytes."""
    return next((kind for start, kind in _SIGNATURES if data.startswith(start)), None)


def read_images(value: Any, at: str) -> tuple[Image, ...]:
    """Pictures in base64. Raises ClientFault."""
    if value is None:
        return ()
    if not isinstance(value, list):
        wrong(at, f"'{at}' must be an array of base64 strings, not {kind(value)}.")
    return tuple(_image(item, f"{at}[{index}]") for index, item in enumerate(value))


def _image(value: Any, at: str) -> Image:
    if not isinstance(value, str):
        wrong(at, f"'{at}' must be a base64 string, not {kind(value)}.")
    data = value.translate(_SPACE)
    if len(data) % 4 or not _BASE64.fullmatch(data):
        wrong(
            at, f"'{at}' must be the picture in standard base64, without a prefix.", "invalid_value"
        )
    return Image(media_type(data), data=data)


def read_format(value: Any) -> Format | None:
    """`json`, or a JSON schema. Raises ClientFault."""
    if value is None or value == "":
        return None
    if isinstance(value, dict):
        return Format(schema=value)
    message = "'format' must be 'json' or a JSON schema"
    if not isinstance(value, str):
        wrong("format", f"{message}, not {kind(value)}.")
    if value != "json":
        wrong("format", f"{message}.", "invalid_value")
    return Format()


def write_format(value: Format) -> Any:
    """`json`, or the schema."""
    return "json" if value.schema is None else dict(value.schema)


def read_think(value: Any) -> Thinking | None:
    """true, false or a level. Raises ClientFault."""
    if value is None:
        return None
    if isinstance(value, bool):
        return Thinking(budget=-1 if value else 0)
    if not isinstance(value, str):
        wrong("think", f"'think' must be true, false or a level, not {kind(value)}.")
    if value not in _EFFORTS:
        wrong("think", "'think' must be true, false, 'low', 'medium' or 'high'.", "invalid_value")
    return Thinking(effort=value)


def write_think(value: Thinking) -> bool | str:
    """A level where there was one: other servers than the newest know only three."""
    if value.effort is None:
        return value.budget != 0
    return False if value.effort == "none" else _LEVELS.get(value.effort, "high")


def read_hints(body: Fields) -> dict[str, Any]:
    """How long the model stays in memory: nothing of the answer."""
    return {"keep_alive": body["keep_alive"]} if body.get("keep_alive") is not None else {}
