"""A request as bytes: its head, its framing, and a body from memory or from a file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress

import aiohttp
from aiohttp.http import RawResponseMessage, StreamWriter
from aiohttp.streams import StreamReader

from wattline.base.tasks import spawn
from wattline.upstream.base import Broken, File, Outgoing
from wattline.upstream.connections import Handler, Target
from wattline.upstream.credentials import header_lines
from wattline.upstream.faults import NotHttp, UnreadableBody

MAX_LINE = 8_190
MAX_FIELD = 16_384
MAX_HEADERS = 128
MAX_INFORMATIONAL = 16
"""1xx answers before the real one."""
READ_BUFFER = 65_536
"""Bytes of a body that wait for their reader; beyond twice as many the socket is not read."""
UPLOAD_BLOCK = 65_536

_PATH = re.compile(r"/[\x21-\x7e]*")
COPIED = 16_384
"""Larger bodies are not joined with their head: that would copy them once more."""
_METHOD = re.compile(r"[A-Z]{1,20}")
_WITH_BODY = frozenset({"PATCH", "POST", "PUT"})

type Read = tuple[RawResponseMessage, StreamReader]


class Request:
    """One request to a target; can be written again, from its start, on another connection."""

    __slots__ = ("_body", "_head", "_method", "_size", "target")

    def __init__(self, outgoing: Outgoing, target: Target) -> None:
        """Raises Broken (`unsendable`)."""
        path, method, body = outgoing.path, outgoing.method, outgoing.body
        if not _PATH.fullmatch(path) or not _METHOD.fullmatch(method):
            raise Broken("unsendable", f"the method or the path for {target.origin} is not HTTP's")
        self.target = target
        self._method = method
        self._body = body
        self._size = len(body) if isinstance(body, bytes) else body.seek(0, 2)
        framing = f"content-length: {self._size}\r\n" if self._size or method in _WITH_BODY else ""
        lines = header_lines(outgoing).replace("\n", "\r\n")
        self._head = (
            f"{method} {target.path_prefix}{path} HTTP/1.1\r\n"
            f"{target.fixed_lines}{lines}{framing}\r\n"
        ).encode("latin-1")

    async def run(self, handler: Handler, progress: Callable[[], None]) -> Read:
        """Write it and read up to the answer's head. `progress` is called for each block of a file.

        Raises `faults.HEAD_ERRORS`.
        """
        handler.set_response_params(
            skip_payload=self._method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=READ_BUFFER,
            max_line_size=MAX_LINE,
            max_field_size=MAX_FIELD,
            max_headers=MAX_HEADERS,
        )
        transport = handler.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the connection was closed")
        if isinstance(self._body, bytes):
            if self._size > COPIED:
                transport.writelines((self._head, self._body))
            else:
                transport.write(self._head + self._body)
            message, payload = await _read_head(handler)
        else:
            transport.write(self._head)
            message, payload = await self._upload(self._body, handler, progress)
        if message.code >= 400 and self._size > UPLOAD_BLOCK:
            handler.force_close()  # a refusal may have come before all of a large body went out
        return message, payload

    async def _upload(self, file: File, handler: Handler, progress: Callable[[], None]) -> Read:
        """Write the file and listen at once: an upstream that refuses answers before the end."""
        writing = spawn(
            _copy(file, self._size, handler, progress), name=f"upload to {self.target.origin}"
        )
        try:
            return await _read_head(handler)
        finally:
            if not writing.done():
                handler.force_close()
                writing.cancel()
            with suppress(asyncio.CancelledError):
                await writing


async def _copy(file: File, size: int, handler: Handler, progress: Callable[[], None]) -> None:
    """Reads are not moved to a thread: the file was written a moment ago and is in memory still."""
    writer = StreamWriter(handler, asyncio.get_running_loop())
    try:
        file.seek(0)
        while size:
            block = file.read(min(UPLOAD_BLOCK, size))
            if not block:
                raise UnreadableBody
            size -= len(block)
            await writer.write(block)
            progress()
        await writer.drain()
    except aiohttp.ClientError:
        return  # the reader of the head learns the same
    except (OSError, ValueError, UnreadableBody) as error:
        handler.set_exception(UnreadableBody(), error)


async def _read_head(handler: Handler) -> Read:
    for _ in range(MAX_INFORMATIONAL + 1):
        message, payload = await handler.read()
        if message.code >= 200:
            return message, payload
        if message.code == 101:
            raise NotHttp("it changed the protocol")
    raise NotHttp("too many interim answers")
