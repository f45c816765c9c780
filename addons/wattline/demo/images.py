"""`POST /v1/images/generations`, `/v1/images/edits` and `/v1/images/variations`: one grey pixel.

Shapes: https://platform.openai.com/docs/api-reference/images.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from wattline.demo.asked import Asked
from wattline.demo.check import Fields
from wattline.demo.reply import Reply
from wattline.demo.tokens import count

MOST_IMAGES = 10
TOKENS_PER_IMAGE = 16
"""Of each picture that is sent, and of each that is made."""


def generation(asked: Asked) -> Reply:
    """Pixels for a prompt. Raises Refused."""
    prompt = asked.fields.text("prompt", required=True) or ""
    return _made(asked, count(prompt), 0)


def edit(asked: Asked) -> Reply:
    """Pixels for pictures and a prompt, as a form or as JSON. Raises Refused."""
    fields = asked.fields
    prompt = fields.text("prompt", required=True) or ""
    if asked.file is None and fields.get("images") is None:
        fields.need("image")
    return _made(asked, count(prompt), 1)


def variation(asked: Asked) -> Reply:
    """Pixels for a picture alone. Raises Refused."""
    if asked.file is None:
        asked.fields.need("image")
    return _made(asked, 0, 1)


def _made(asked: Asked, text: int, pictures: int) -> Reply:
    made = _number(asked.fields)
    seen, drawn = TOKENS_PER_IMAGE * pictures, TOKENS_PER_IMAGE * made
    usage = {
        "input_tokens": text + seen,
        "input_tokens_details": {"text_tokens": text, "image_tokens": seen},
        "output_tokens": drawn,
        "total_tokens": text + seen + drawn,
    }
    pixel = {"b64_json": b64encode(_pixel()).decode()}
    body: Mapping[str, Any] = {
        "created": asked.created,
        "data": [pixel] * made,
        "output_format": "png",
        "usage": usage,
    }
    return Reply(dict(body), prompt_tokens=text + seen, completion_tokens=drawn)


def _number(fields: Fields) -> int:
    """How many are wanted. A form has only texts."""
    value = fields.get("n")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 4:
        fields = Fields({"n": int(value)})
    return fields.integer("n", 1, MOST_IMAGES) or 1


def _pixel() -> bytes:
    """A PNG of one grey pixel (https://www.w3.org/TR/png)."""
    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0\x80")
    chunks = (_chunk(b"IHDR", head), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
