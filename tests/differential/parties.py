"""Those whose translations are compared: ours, LiteLLM's and llm-rosetta's, each by its public way in."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import warnings
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, Final, Protocol

os.environ |= {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOG": "CRITICAL",
}

import litellm
from corpus import MODELS
from heard import assembled, heard, sse
from litellm.google_genai import agenerate_content_stream, generate_content
from llm_rosetta import ConversionPipeline

from wattline.dialects.codecs import client_codec, provider_side
from wattline.dialects.translation import TranslatingReader, translated
from wattline.wire.call import LOCAL, Call, Operation

litellm.suppress_debug_info = True
litellm.telemetry = False


class Refused(Exception):
    """The party says that the request can't be translated."""


class Party(Protocol):
    """One that translates."""

    name: str

    def request(self, client: str, provider: str, body: dict[str, Any]) -> dict[str, Any]:
        """The provider's request. Raises Refused."""
        ...

    def answer(self, client: str, provider: str, answer: Answer) -> dict[str, Any]:
        """What the client hears of it."""
        ...


class Answer:
    """A provider's answer, whole or as a stream."""

    def __init__(self, whole: dict[str, Any] | None, frames: list[bytes] | None = None) -> None:
        self.whole = whole
        self.frames = frames

    @property
    def stream(self) -> bool:
        return self.frames is not None


QUESTIONS: Final[Mapping[str, dict[str, Any]]] = MappingProxyType(
    {
        "openai": {"messages": [{"role": "user", "content": "Hi"}]},
        "anthropic": {"max_tokens": 77, "messages": [{"role": "user", "content": "Hi"}]},
        "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        "responses": {"input": "Hi"},
    }
)
"""What is asked where only the answer counts."""


class Ours:
    """wattline's codecs."""

    name = "ours"

    def request(self, client: str, provider: str, body: dict[str, Any]) -> dict[str, Any]:
        call = _call(client, stream=False)
        codec = client_codec(call.dialect, call.operation)
        prompt = codec.read_prompt({"model": MODELS[provider], **body}, call)
        written = _side(provider).codec.write_prompt(prompt, MODELS[provider])
        if written.unsupported:
            raise Refused(", ".join(written.unsupported))
        return json.loads(json.dumps(written.body))

    def answer(self, client: str, provider: str, answer: Answer) -> dict[str, Any]:
        call = _call(client, stream=answer.stream)
        codec, side = client_codec(call.dialect, call.operation), _side(provider)
        if not answer.stream:
            told = translated(side.codec, codec, call, json.dumps(answer.whole).encode())[1]
            return heard(client, json.loads(told))
        reader = TranslatingReader(side.streaming.decoder(), codec.encoder(call))
        pieces = [piece for frame in answer.frames for piece in reader.feed(frame)]
        raw = b"".join(piece.raw for piece in [*pieces, *reader.end()])
        return assembled(client, sse(raw))


def _call(client: str, *, stream: bool) -> Call:
    return Call(
        id="1",
        dialect="openai" if client == "responses" else client,
        operation=Operation.RESPONSES if client == "responses" else Operation.CHAT,
        method="POST",
        host="",
        path="/",
        model="m",
        stream=stream,
        principal=LOCAL,
        wants_usage=True,
    )


def _side(provider: str) -> Any:
    return provider_side(provider, {"openai": "api.openai.com"}.get(provider, ""))


class Rosetta:
    """llm-rosetta's pipeline."""

    name = "llm-rosetta"
    _NAMES: Final = MappingProxyType(
        {
            "openai": "openai_chat",
            "anthropic": "anthropic",
            "gemini": "google",
            "responses": "openai_responses",
        }
    )

    def request(self, client: str, provider: str, body: dict[str, Any]) -> dict[str, Any]:
        pipeline = self._pipeline(client, provider)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return pipeline.convert_request({"model": MODELS[provider], **_copy(body)})
            except Exception as error:  # its own way to say no
                raise Refused(str(error)) from error

    def answer(self, client: str, provider: str, answer: Answer) -> dict[str, Any]:
        pipeline = self._pipeline(client, provider)
        asked = {"model": MODELS[provider], **_copy(QUESTIONS[client])}
        if client != "gemini":
            asked["stream"] = answer.stream
        pipeline.convert_request(asked)
        if not answer.stream:
            return heard(client, pipeline.convert_response(_copy(answer.whole)))
        processor = pipeline.create_stream_processor()
        events = [
            event
            for chunk in sse(b"".join(answer.frames))
            for event in processor.process_chunk(chunk)
        ]
        return assembled(client, events)

    def _pipeline(self, client: str, provider: str) -> ConversionPipeline:
        return ConversionPipeline(self._NAMES[client], self._NAMES[provider])


class LiteLlm:
    """LiteLLM as an application uses it, with a provider on loopback that keeps what it is sent."""

    name = "LiteLLM"

    def __init__(self) -> None:
        self._sent: list[dict[str, Any]] = []
        self._answer = Answer(None)
        party = self

        class Provider(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                party._sent.append(json.loads(self.rfile.read(length)))
                answer = party._answer
                whole = json.dumps(answer.whole).encode()
                data = b"".join(answer.frames) if answer.frames is not None else whole
                self.send_response(200)
                kind = "text/event-stream" if answer.stream else "application/json"
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._loop = asyncio.new_event_loop()

    def request(self, client: str, provider: str, body: dict[str, Any]) -> dict[str, Any]:
        self._sent.clear()
        self._answer = Answer(SIMPLE[provider])
        try:
            self._ask(client, provider, _copy(body), stream=False)
        except Exception as error:  # its own way to say no; an answer that it can't read is none
            if not self._sent:
                raise Refused(str(error)) from error
        return self._sent[0]

    def answer(self, client: str, provider: str, answer: Answer) -> dict[str, Any]:
        self._answer = answer
        told = self._ask(client, provider, _copy(QUESTIONS[client]), stream=answer.stream)
        if answer.stream:
            return assembled(client, told)
        return heard(client, told)

    def _ask(self, client: str, provider: str, body: dict[str, Any], *, stream: bool) -> Any:
        url = f"http://127.0.0.1:{self._server.server_port}"
        prefix = {"openai": "together_ai", "anthropic": "anthropic", "gemini": "gemini"}[provider]
        ways = {
            "openai": self._chat,
            "anthropic": self._messages,
            "gemini": self._contents,
            "responses": self._responses,
        }
        known = {
            "model": f"{prefix}/{MODELS[provider]}",
            "api_base": url + ("/v1" if provider == "openai" else ""),
            "api_key": "k",
        }
        return ways[client](known, body, stream=stream)

    def _chat(self, known: dict[str, Any], body: dict[str, Any], *, stream: bool) -> Any:
        options = {"stream_options": {"include_usage": True}} if stream else {}
        told = litellm.completion(**known, **body, stream=stream, **options, max_retries=0)
        return [_plain(chunk) for chunk in told] if stream else _plain(told)

    def _messages(self, known: dict[str, Any], body: dict[str, Any], *, stream: bool) -> Any:
        async def ask() -> Any:
            told = await litellm.anthropic.messages.acreate(**known, **body, stream=stream)
            return b"".join([part async for part in told]) if stream else told

        told = self._loop.run_until_complete(ask())
        return sse(told) if stream else _plain(told)

    def _contents(self, known: dict[str, Any], body: dict[str, Any], *, stream: bool) -> Any:
        config = {**body.pop("generationConfig", {})}
        given = {
            "contents": body["contents"],
            "config": config,
            "tools": body.get("tools"),
            "systemInstruction": body.get("systemInstruction"),
            "toolConfig": body.get("toolConfig"),
        }
        given = {key: value for key, value in given.items() if value}
        if not stream:
            return _plain(generate_content(**known, **given))

        async def ask() -> bytes:
            told = await agenerate_content_stream(**known, **given)
            return b"".join([_bytes(part) async for part in told])

        return sse(self._loop.run_until_complete(ask()))

    def _responses(self, known: dict[str, Any], body: dict[str, Any], *, stream: bool) -> Any:
        told = litellm.responses(**known, **body, stream=stream)
        return [_plain(event) for event in told] if stream else _plain(told)


def _bytes(part: Any) -> bytes:
    return part if isinstance(part, bytes) else str(part).encode()


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    return json.loads(json.dumps(dump(mode="json") if dump else value, default=str))


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


SIMPLE: Final[Mapping[str, dict[str, Any]]] = MappingProxyType(
    {
        "openai": {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": '{"city": "Hi"}'},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
        },
        "anthropic": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": '{"city": "Hi"}'}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 5, "output_tokens": 2},
        },
        "gemini": {
            "candidates": [
                {
                    "content": {"role": "model", "parts": [{"text": '{"city": "Hi"}'}]},
                    "finishReason": "STOP",
                    "index": 0,
                }
            ],
            "usageMetadata": {
                "promptTokenCount": 5,
                "candidatesTokenCount": 2,
                "totalTokenCount": 7,
            },
        },
    }
)
"""An answer to each request, so that the party comes to its end."""
