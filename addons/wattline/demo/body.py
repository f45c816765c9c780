"""A request's body: JSON or a form, read within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http import HttpProcessingError

from wattline.demo.check import Refused

MOST_BYTES = 64 * 1024 * 1024
MOST_FILE_BYTES = 25 * 1024 * 1024
"""OpenAI's limit for audio."""
MOST_FIELD_BYTES = 64 * 1024
MOST_PARTS = 100
_BROKEN = (HttpProcessingError, web.RequestPayloadError)
_BROKEN_FORM = (*_BROKEN, ValueError, AssertionError, RuntimeError, LookupError)
"""aiohttp's form reader has no error of its own."""
_NOT_JSON = "We could not parse the JSON body of your request. It must be a JSON object."


@dataclass(frozen=True, slots=True)
class Body:
    """`raw` is the body of anything but a form, `values` what was read from it (None: no JSON
    object), `file` a form's upload.
    """

    raw: bytes = field(repr=False, default=b"")
    values: Mapping[str, Any] | None = field(repr=False, default=None)
    file: bytes | None = field(repr=False, default=None)

    @property
    def model(self) -> str | None:
        """The model asked for, if it is a text."""
        model = self.values.get("model") if self.values else None
        return model if isinstance(model, str) else None

    def fields(self) -> Mapping[str, Any]:
        """The values. Raises Refused."""
        if self.values is None:
            raise Refused(_NOT_JSON)
        return self.values


async def read_body(request: web.BaseRequest) -> Body:
    """All of a request's body. Raises Refused."""
    if request.headers.get("expect", "").lower() == "100-continue":
        await _go_on(request)
    if request.content_type.startswith("multipart/"):
        return await _read_form(request)
    raw = await _read_bounded(request)
    try:
        values = msgspec.json.decode(raw) if raw else None
    except (msgspec.DecodeError, RecursionError):
        values = None
    return Body(raw, values if isinstance(values, dict) else None)


async def _go_on(request: web.BaseRequest) -> None:
    writer = request.writer
    await writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    writer.output_size = 0


async def _read_bounded(request: web.BaseRequest) -> bytes:
    _check_length(request)
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MOST_BYTES:
                raise _too_large(MOST_BYTES)
    except _BROKEN:
        raise Refused("Could not read the body: its encoding is broken.") from None
    return bytes(body)


async def _read_form(request: web.BaseRequest) -> Body:
    _check_length(request)
    values: dict[str, Any] = {}
    file: bytes | None = None
    try:
        reader = await request.multipart()
        for _ in range(MOST_PARTS):
            part = await reader.next()
            if part is None:
                return Body(values=values, file=file)
            if isinstance(part, MultipartReader):
                raise Refused("A form can't hold another form.")
            if part.filename is not None:
                file = await _read_part(part, MOST_FILE_BYTES)
            else:
                text = await _read_part(part, MOST_FIELD_BYTES)
                values[part.name or ""] = text.decode("utf-8", "replace")
    except _BROKEN_FORM:
        raise Refused("Could not parse multipart form.") from None
    raise Refused(f"A form can have at most {MOST_PARTS} parts.")


async def _read_part(part: BodyPartReader, most: int) -> bytes:
    body = bytearray()
    while chunk := await part.read_chunk(64 * 1024):
        body += chunk
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


def _check_length(request: web.BaseRequest) -> None:
    if (request.content_length or 0) > MOST_BYTES:
        raise _too_large(MOST_BYTES)


def _too_large(most: int) -> Refused:
    return Refused(f"Maximum content size limit ({most}) exceeded.", status=413)
