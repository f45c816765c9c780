"""A provider of sound on loopback: it refuses what the real ones refuse, and answers as it is told."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

WHISPER = "openai/whisper-large-v3-turbo"
_FORM = frozenset(
    {
        *("file", "model", "language", "prompt", "response_format", "temperature", "stream"),
        *("timestamp_granularities[]", "include[]", "chunking_strategy"),
    }
)
_SPEECH = frozenset(
    {"model", "input", "voice", "instructions", "response_format", "speed", "stream_format"}
)
_TRANSCRIPTS = frozenset({"json", "text", "srt", "verbose_json", "vtt"})
_SOUNDS = frozenset({"mp3", "opus", "aac", "flac", "wav", "pcm"})


@dataclass
class Seen:
    """One request as it arrived. `wrong` says why it was refused."""

    path: str
    headers: dict[str, str]
    fields: dict[str, Any] = field(default_factory=dict)
    file: bytes = b""
    filename: str | None = None
    wrong: str | None = None
    gone: bool = False
    """Whoever asked went away before the answer's end."""

    @property
    def attempt(self) -> str | None:
        return self.headers.get("x-wattline-attempt")


type Answering = Callable[[web.Request, Seen], Awaitable[web.StreamResponse]]


@dataclass
class Sounds:
    """`/audio/transcriptions`, `/audio/translations` and `/audio/speech` below `prefix`. `next` are the
    answers to the next requests; the last one stays.
    """

    key: str
    prefix: str = "/v1"
    next: deque[Answering] = field(default_factory=deque)
    requests: list[Seen] = field(default_factory=list)
    url: str = ""

    def script(self, *answers: Answering) -> None:
        self.next = deque(answers)

    @property
    def last(self) -> Seen:
        assert self.requests[-1].wrong is None, self.requests[-1].wrong
        return self.requests[-1]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.path, {k.lower(): v for k, v in request.headers.items()})
        self.requests.append(seen)
        seen.wrong = await self._wrong(request, seen)
        if seen.wrong is not None:
            return web.json_response({"error": {"message": seen.wrong}}, status=400)
        answer = self.next.popleft() if len(self.next) > 1 else self.next[0]
        try:
            return await answer(request, seen)
        except ConnectionResetError:
            seen.gone = True
            raise

    async def _wrong(self, request: web.Request, seen: Seen) -> str | None:
        """Why the real provider would say no."""
        if seen.headers.get("authorization") != f"Bearer {self.key}":
            return "another key"
        if any(name.startswith("x-image") or name == "cookie" for name in seen.headers):
            return "a header that is none of its business"
        operation = request.path.removeprefix(self.prefix)
        if operation == "/audio/speech":
            return await _speech(request, seen)
        if operation in ("/audio/transcriptions", "/audio/translations"):
            return await _form(request, seen)
        return f"no such path: {request.path}"


async def _speech(request: web.Request, seen: Seen) -> str | None:
    if request.content_type != "application/json":
        return "no JSON"
    seen.fields = json.loads(await request.read())
    unknown = set(seen.fields) - _SPEECH
    if unknown:
        return f"unknown fields: {sorted(unknown)}"
    if not all(isinstance(seen.fields.get(k), str) for k in ("model", "input", "voice")):
        return "model, input and voice are needed"
    if seen.fields.get("response_format", "mp3") not in _SOUNDS:
        return "response_format"
    return None


async def _form(request: web.Request, seen: Seen) -> str | None:
    if request.content_type != "multipart/form-data" or request.content_length is None:
        return "no form with a length"
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        name = part.name or ""
        if name not in _FORM or (name in seen.fields and not name.endswith("[]")):
            return f"unknown or second field {name!r}"
        data = bytes(await part.read())
        if name == "file":
            seen.file, seen.filename = data, part.filename
            seen.fields[name] = None
        else:
            seen.fields[name] = data.decode()
    if "model" not in seen.fields or seen.filename is None:
        return "model and file are needed"
    if seen.fields.get("response_format", "json") not in _TRANSCRIPTS:
        return "response_format"
    return None


# Answers


def told(body: object, status: int = 200, kind: str = "application/json") -> Answering:
    """A whole answer; bytes as they are, else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def answer(_request: web.Request, _seen: Seen) -> web.StreamResponse:
        return web.Response(status=status, body=data, headers={"content-type": kind})

    return answer


def pieces(
    *items: bytes | asyncio.Event | None, kind: str = "audio/mpeg", **headers: str
) -> Answering:
    """A body in pieces. At an event the upstream waits for it, at None it breaks off."""

    async def answer(request: web.Request, seen: Seen) -> web.StreamResponse:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        response = web.StreamResponse(headers={"content-type": kind, **more})
        await response.prepare(request)
        for item in items:
            if item is None:
                await asyncio.sleep(0)
                assert request.transport is not None
                request.transport.close()
                raise ConnectionError("broken off on purpose")
            if isinstance(item, asyncio.Event):
                await until(item, request, seen)
            else:
                await response.write(item)
                await asyncio.sleep(0)
        await response.write_eof()
        return response

    return answer


def held(event: asyncio.Event, then: Answering) -> Answering:
    """No head before the event."""

    async def answer(request: web.Request, seen: Seen) -> web.StreamResponse:
        await until(event, request, seen)
        return await then(request, seen)

    return answer


async def until(event: asyncio.Event, request: web.Request, seen: Seen) -> None:
    """Wait for an event, or for the client to go. Raises ConnectionResetError then."""
    while not event.is_set():
        if request.transport is None or request.transport.is_closing():
            seen.gone = True
            raise ConnectionResetError
        await asyncio.sleep(0.005)


@asynccontextmanager
async def sounding(*providers: Sounds) -> AsyncIterator[None]:
    """The providers run; each has its URL with its prefix."""
    runners = []
    try:
        for provider in providers:
            app = web.Application(client_max_size=1 << 28)
            app.router.add_route("*", "/{tail:.*}", provider.handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            runners.append(runner)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[0][1]
            provider.url = f"http://127.0.0.1:{port}{provider.prefix}"
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


# Recordings and forms


def wav(seconds: float, rate: int = 8000) -> bytes:
    """Silence of this length."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(1)
        out.setframerate(rate)
        out.writeframes(b"\x80" * round(seconds * rate))
    return file.getvalue()


BOUNDARY = "------------------------d74496d66958873e"


def form(file: bytes | None, filename: str = "a.wav", **fields: str) -> tuple[bytes, str]:
    """The body that curl -F sends, and its content type."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if file is not None:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"'
        parts.insert(1, f"{head}\r\nContent-Type: audio/wav\r\n\r\n".encode() + file + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode(), (
        f"multipart/form-data; boundary={BOUNDARY}"
    )
