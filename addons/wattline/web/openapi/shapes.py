"""Compact schemas of what calls send and get: what a client must give, and where to look in an answer.

They are no copy of the providers' own references: members that are not named here pass through.
"""

from __future__ import annotations

from typing import Any, Final

type Json = dict[str, Any]

_TEXT: Final[Json] = {"type": "string"}
_NUMBER: Final[Json] = {"type": "number"}
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}
_FLAG: Final[Json] = {"type": "boolean"}
_MODEL: Final[Json] = {
    "type": "string",
    "minLength": 1,
    "description": "A name from the list of models, an alias, or provider/model.",
}
_STREAM: Final[Json] = {"type": "boolean", "default": False}
_OBJECTS: Final[Json] = {"type": "array", "items": {"type": "object"}}
_SOME: Final[Json] = {**_OBJECTS, "minItems": 1}
_TEXTS: Final[Json] = {"type": "array", "items": _TEXT}
_TEXT_OR_TEXTS: Final[Json] = {"anyOf": [_TEXT, {**_TEXTS, "minItems": 1}]}
_ENERGY: Final[Json] = {
    "type": ["number", "null"],
    "description": "What the call cost in energy; null when no rate is known.",
}
_FILE: Final[Json] = {"type": "string", "contentMediaType": "application/octet-stream"}
_ANYTHING: Final[Json] = {"type": "object"}


def _shape(required: tuple[str, ...] = (), **properties: Json) -> Json:
    shape: Json = {"type": "object", "properties": properties}
    return {**shape, "required": list(required)} if required else shape


_USAGE: Final = {"$ref": "#/components/schemas/Usage"}
_MESSAGES: Final = _shape(
    ("model", "messages"),
    model=_MODEL,
    messages=_SOME,
    stream=_STREAM,
    temperature=_NUMBER,
    max_tokens={"type": "integer", "minimum": 1},
    tools=_OBJECTS,
)

SCHEMAS: Final[Json] = {
    "Anything": _ANYTHING,
    "Usage": _shape(
        prompt_tokens=_COUNT, completion_tokens=_COUNT, total_tokens=_COUNT, energy=_ENERGY
    ),
    "ChatRequest": _MESSAGES,
    "ChatCompletion": _shape(("choices",), id=_TEXT, model=_TEXT, choices=_OBJECTS, usage=_USAGE),
    "CompletionRequest": _shape(
        ("model", "prompt"), model=_MODEL, prompt=_TEXT_OR_TEXTS, stream=_STREAM
    ),
    "Completion": _shape(("choices",), id=_TEXT, model=_TEXT, choices=_OBJECTS, usage=_USAGE),
    "EmbeddingsRequest": _shape(
        ("model", "input"),
        model=_MODEL,
        input=_TEXT_OR_TEXTS,
        encoding_format={"enum": ["float", "base64"]},
    ),
    "Embeddings": _shape(("data",), data=_OBJECTS, usage=_USAGE),
    "ResponsesRequest": _shape(
        ("model",), model=_MODEL, input={"anyOf": [_TEXT, _OBJECTS]}, stream=_STREAM
    ),
    "Response": _shape(id=_TEXT, output=_OBJECTS, usage={"type": ["object", "null"]}),
    "ModerationsRequest": _shape(
        ("input",), model=_MODEL, input={"anyOf": [_TEXT, {"type": "array", "minItems": 1}]}
    ),
    "Moderations": _shape(("results",), results=_OBJECTS),
    "RerankRequest": _shape(
        ("model", "query", "documents"),
        model=_MODEL,
        query=_TEXT,
        documents={"type": "array", "minItems": 1},
        top_n={"type": "integer", "minimum": 1},
    ),
    "Rerank": _shape(("results",), results=_OBJECTS),
    "SpeechRequest": _shape(
        ("model", "input", "voice"), model=_MODEL, input=_TEXT, voice=_TEXT, response_format=_TEXT
    ),
    "TranscriptionForm": _shape(
        ("model", "file"), model=_MODEL, file=_FILE, language=_TEXT, response_format=_TEXT
    ),
    "Transcription": _shape(text=_TEXT, duration=_NUMBER, language=_TEXT),
    "ImagesRequest": _shape(("prompt",), model=_MODEL, prompt=_TEXT, n=_COUNT, size=_TEXT),
    "ImagesForm": _shape(("image",), model=_MODEL, prompt=_TEXT, image=_FILE),
    "Images": _shape(data=_OBJECTS),
    "VideosRequest": _shape(("prompt",), model=_MODEL, prompt=_TEXT, seconds=_TEXT, size=_TEXT),
    "Video": _shape(id=_TEXT, status=_TEXT),
    "MessagesRequest": {**_MESSAGES, "required": ["model", "messages", "max_tokens"]},
    "Message": _shape(
        ("content",),
        id=_TEXT,
        model=_TEXT,
        content=_OBJECTS,
        usage=_shape(input_tokens=_COUNT, output_tokens=_COUNT, energy=_ENERGY),
    ),
    "CountTokensRequest": _shape(("model", "messages"), model=_MODEL, messages=_SOME),
    "TokenCount": _shape(("input_tokens",), input_tokens=_COUNT),
    "GenerateContentRequest": _shape(
        ("contents",), contents=_SOME, generationConfig=_ANYTHING, tools=_OBJECTS
    ),
    "GenerateContentResponse": {
        "anyOf": [
            _shape(candidates=_OBJECTS, usageMetadata=_ANYTHING),
            {"type": "array", "items": _shape(candidates=_OBJECTS)},
        ]
    },
    "GeminiCountRequest": _shape(contents=_OBJECTS, generateContentRequest=_ANYTHING),
    "GeminiTokenCount": _shape(totalTokens=_COUNT),
    "EmbedContentRequest": _shape(("content",), content=_ANYTHING, taskType=_TEXT),
    "BatchEmbedContentsRequest": _shape(("requests",), requests=_SOME),
    "GeminiEmbeddings": _shape(embedding=_ANYTHING, embeddings=_OBJECTS),
    "InteractionRequest": _shape(model=_MODEL, input={}, stream=_STREAM),
    "Interaction": _shape(id=_TEXT, status=_TEXT),
    "OllamaChatRequest": _shape(
        ("model", "messages"), model=_MODEL, messages=_OBJECTS, stream={**_FLAG, "default": True}
    ),
    "OllamaGenerateRequest": _shape(
        ("model",), model=_MODEL, prompt=_TEXT, stream={**_FLAG, "default": True}
    ),
    "OllamaEmbedRequest": _shape(("model",), model=_MODEL, input=_TEXT_OR_TEXTS, prompt=_TEXT),
    "OllamaAnswer": _shape(
        model=_TEXT, message=_ANYTHING, response=_TEXT, done=_FLAG, eval_count=_COUNT
    ),
    "OllamaEmbeddings": _shape(model=_TEXT, embeddings={"type": "array"}),
    "InferenceRequest": _MESSAGES,
    "GatewayChatRequest": {
        **_MESSAGES,
        "properties": {**_MESSAGES["properties"], "provider": _TEXT},
    },
    "GatewayChat": _shape(id=_TEXT, provider=_TEXT, model=_TEXT, usage=_ANYTHING),
}
