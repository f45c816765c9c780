"""The calls that go to providers, as operations: made from the table of paths that the gate uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from wattline.dialects.base import Route
from wattline.dialects.follow_up import MADE, verbs
from wattline.dialects.gemini import paths as gemini
from wattline.dialects.table import own_paths
from wattline.web.openapi.errors import CALL, reference
from wattline.web.openapi.security import any_key
from wattline.wire.call import Operation

type Json = dict[str, Any]

_SSE: Final = "text/event-stream"
_NDJSON: Final = "application/x-ndjson"
_JSON: Final = "application/json"
_STATUSES: Final = (400, 401, 403, 404, 408, 409, 413, 421, 422, 429, 431, 500, 502, 503, 508)
_SOUND: Final = ("audio/mpeg", "audio/wav", "audio/opus", "audio/*", "application/octet-stream")
_PASSED_ON: Final = (
    "A call to a model: rules.yaml decides which provider answers and what follows when one fails; the "
    "answer comes in this path's dialect. Members of the body that are not described here are passed on."
)
_FOLLOWED: Final = (
    "Goes to the provider that made it; only the caller that it was made for may ask."
)
_MODEL: Final[Json] = {
    "name": "model",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "A model's name; slashes may be sent as they are.",
}
_ALT: Final[Json] = {
    "name": "alt",
    "in": "query",
    "schema": {"enum": ["sse", "json"]},
    "description": "`sse`: server-sent events in place of one JSON array.",
}
_ID: Final[Json] = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.=-]*$", "maxLength": 256},
}


@dataclass(frozen=True, slots=True)
class Spec:
    """What is said of an operation. `asked` and `told` are names of schemas; `also` further media types of
    good answers.
    """

    summary: str
    asked: str = "Anything"
    told: str = "Anything"
    also: tuple[str, ...] = ()
    form: str | None = None
    """The schema of an upload."""


_UNKNOWN: Final = Spec("A call", also=(_SSE,))
_SPECS: Final[Mapping[tuple[str, Operation], Spec]] = MappingProxyType(
    {
        ("openai", Operation.CHAT): Spec("Chat", "ChatRequest", "ChatCompletion", (_SSE,)),
        ("openai", Operation.COMPLETION): Spec(
            "Complete a text", "CompletionRequest", "Completion", (_SSE,)
        ),
        ("openai", Operation.EMBEDDINGS): Spec("Embed", "EmbeddingsRequest", "Embeddings"),
        ("openai", Operation.RESPONSES): Spec(
            "Responses API", "ResponsesRequest", "Response", (_SSE,)
        ),
        ("openai", Operation.MODERATIONS): Spec("Moderate", "ModerationsRequest", "Moderations"),
        ("openai", Operation.RERANK): Spec("Rerank", "RerankRequest", "Rerank"),
        ("openai", Operation.TRANSCRIPTION): Spec(
            "Transcribe or translate a recording",
            told="Transcription",
            also=("text/plain", _SSE),
            form="TranscriptionForm",
        ),
        ("openai", Operation.SPEECH): Spec("Speak a text", "SpeechRequest", also=_SOUND),
        ("openai", Operation.IMAGES): Spec(
            "Make images", "ImagesRequest", "Images", (_SSE,), "ImagesForm"
        ),
        ("openai", Operation.VIDEOS): Spec(
            "Make a video", "VideosRequest", "Video", form="VideosRequest"
        ),
        ("anthropic", Operation.CHAT): Spec("Messages API", "MessagesRequest", "Message", (_SSE,)),
        ("anthropic", Operation.COUNT_TOKENS): Spec(
            "Count a prompt's tokens", "CountTokensRequest", "TokenCount"
        ),
        ("gemini", Operation.INTERACTIONS): Spec(
            "Interactions API", "InteractionRequest", "Interaction", (_SSE,)
        ),
        ("ollama", Operation.CHAT): Spec(
            "Ollama's chat", "OllamaChatRequest", "OllamaAnswer", (_NDJSON,)
        ),
        ("ollama", Operation.COMPLETION): Spec(
            "Ollama's generate", "OllamaGenerateRequest", "OllamaAnswer", (_NDJSON,)
        ),
        ("ollama", Operation.EMBEDDINGS): Spec(
            "Ollama's embeddings", "OllamaEmbedRequest", "OllamaEmbeddings"
        ),
        ("inference", Operation.CHAT): Spec(
            "Inference", "InferenceRequest", "ChatCompletion", (_SSE,)
        ),
        ("gateway", Operation.CHAT): Spec(
            "The gateway's chat", "GatewayChatRequest", "GatewayChat", (_SSE,)
        ),
        ("gateway", Operation.EMBEDDINGS): Spec(
            "The gateway's embeddings", "EmbeddingsRequest", "Anything"
        ),
        ("gateway", Operation.RERANK): Spec("The gateway's rerank", "RerankRequest", "Rerank"),
    }
)
_METHODS: Final[Mapping[str, Spec]] = MappingProxyType(
    {
        gemini.GENERATE: Spec("Generate", "GenerateContentRequest", "GenerateContentResponse"),
        gemini.STREAM: Spec(
            "Generate, streamed", "GenerateContentRequest", "GenerateContentResponse", (_SSE,)
        ),
        gemini.EMBED: Spec("Embed", "EmbedContentRequest", "GeminiEmbeddings"),
        gemini.EMBED_BATCH: Spec("Embed several", "BatchEmbedContentsRequest", "GeminiEmbeddings"),
        gemini.COUNT: Spec("Count a prompt's tokens", "GeminiCountRequest", "GeminiTokenCount"),
    }
)
_GEMINI_PREFIXES: Final = (
    *(f"/{version}" for version in gemini.VERSIONS),
    "/v2",
    *(f"/v2/{version}" for version in gemini.VERSIONS),
)


def operations() -> Iterator[tuple[str, str, Json]]:
    """Path, method (lower case) and operation of every call on our own address."""
    for path, route in own_paths().items():
        spec = _SPECS.get((route.dialect, route.operation), _UNKNOWN)
        yield path, "post", _operation(path, "post", route, spec)
        if route.operation in MADE:
            yield from _follow_ups(path, route)
    for prefix in _GEMINI_PREFIXES:
        for collection in ("models", "tunedModels"):
            for word, spec in _METHODS.items():
                path = f"{prefix}/{collection}/{{model}}:{word}"
                route = Route("gemini", gemini.OPERATIONS[word], "")
                operation = _operation(path, "post", route, spec)
                operation["parameters"] = [_MODEL, _ALT] if word == gemini.STREAM else [_MODEL]
                yield path, "post", operation


def _follow_ups(path: str, route: Route) -> Iterator[tuple[str, str, Json]]:
    for rest, methods in verbs(path.rpartition("/")[2]).items():
        for method in sorted(methods):
            below, word = f"{path}/{{id}}{rest}", method.lower()
            spec = Spec(f"{method} what an earlier call made", also=("video/mp4", "*/*"))
            operation = _operation(below, word, route, spec, body=False)
            operation["parameters"] = [_ID]
            yield below, word, operation


def _operation(path: str, method: str, route: Route, spec: Spec, *, body: bool = True) -> Json:
    made: Json = {
        "operationId": _name(path, method),
        "summary": spec.summary,
        "description": _PASSED_ON if body else _FOLLOWED,
        "tags": [route.switch],
        "security": any_key(),
        "responses": {"200": _good(spec), **_bad(route.dialect)},
    }
    if body:
        made["requestBody"] = {"required": True, "content": _asked(route, spec)}
    return made


def _asked(route: Route, spec: Spec) -> Json:
    content: Json = {}
    if route.json or route.either:
        content[_JSON] = {"schema": _schema(spec.asked)}
    if not route.json:
        content["multipart/form-data"] = {"schema": _schema(spec.form or spec.asked)}
    return content


def _good(spec: Spec) -> Json:
    content: Json = {_JSON: {"schema": _schema(spec.told)}}
    content |= {kind: {} for kind in spec.also}
    return {"description": "The provider's answer, with its usage and energy.", "content": content}


def _bad(style: str) -> Json:
    found: Json = {str(status): _refusal(style, status) for status in _STATUSES}
    found["4XX"] = {
        "description": "The provider refused the request, in its own words.",
        "content": {_JSON: {"schema": _schema("Anything")}, "*/*": {}},
    }
    return found


def _refusal(style: str, status: int) -> Json:
    """Ours, or a provider's own with the same status."""
    return reference(f"{CALL}{style}", status) if status < 500 else reference(style, status)


def _schema(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _name(path: str, method: str) -> str:
    """Unique, and the same in each document."""
    words = "".join(c if c.isalnum() else "_" for c in path).strip("_")
    return f"{method}_{words}"
