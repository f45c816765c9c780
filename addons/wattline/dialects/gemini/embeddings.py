"""Embeddings by Gemini's two methods, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.fields import MAX_COUNT, wrong
from wattline.dialects.gemini import paths
from wattline.dialects.gemini.paths import EMBED_BATCH, method_of, resource
from wattline.dialects.gemini.places import array, optional_whole, record, text
from wattline.dialects.gemini.stream import lenient
from wattline.dialects.gemini.usage import counts, read_usage
from wattline.dialects.gemini.words import response_error, word
from wattline.dialects.json_text import dumps
from wattline.wire.call import Call, Operation
from wattline.wire.embedding import Embedding, Vectors
from wattline.wire.prompt import Written

TOKENS = "tokens as input"
_READ = frozenset({"model", "content", "outputDimensionality"})


class GeminiEmbeddings:
    """Both halves; see `dialects.task_codec`. A provider is always asked by batchEmbedContents."""

    def read_request(self, body: Mapping[str, Any], call: Call) -> Embedding:
        """The client's request. Raises ClientFault for content that is no text, and for dimensions that
        differ within one request.
        """
        fields = record(body, "the body")
        if method_of(call.path) != EMBED_BATCH:
            return _one(fields, "")
        found = [
            _one(record(request, f"requests[{index}]"), f"requests[{index}].")
            for index, request in enumerate(array(fields.get("requests"), "requests"))
        ]
        dimensions = {one.dimensions for one in found}
        if len(dimensions) > 1:
            at = "requests[].outputDimensionality"
            wrong(at, f"'{at}' must be the same in all requests here.", "invalid_value")
        return Embedding(
            tuple(one.inputs[0] for one in found),
            next(iter(dimensions), None),
            extras={
                f"requests[{index}].{name}": value
                for index, one in enumerate(found)
                for name, value in one.extras.items()
            },
        )

    def write_answer(self, found: Vectors, wanted: Embedding, call: Call) -> bytes:  # noqa: ARG002
        """The client's answer: `embeddings`, or the `embedding` of the method for one content."""
        body: dict[str, Any]
        if method_of(call.path) == EMBED_BATCH:
            body = {"embeddings": [{"values": list(vector)} for vector in found.vectors]}
        else:
            body = {"embedding": {"values": list(found.vectors[0]) if found.vectors else []}}
        if found.usage is not None:
            body["usageMetadata"] = counts(found.usage, Operation.EMBEDDINGS)
        return dumps(body)

    def path(self, model: str) -> str:
        """The path below a base URL that ends in the version."""
        return paths.path(model, EMBED_BATCH)

    def write_request(self, wanted: Embedding, model: str) -> Written:
        """The body of batchEmbedContents."""
        more: dict[str, Any] = {}
        if wanted.dimensions is not None:
            more["outputDimensionality"] = wanted.dimensions
        texts = wanted.texts
        requests = [
            {"model": resource(model), "content": {"parts": [{"text": one}]}} | more
            for one in texts or ()
        ]
        unsupported = (*(() if texts is not None else (TOKENS,)), *wanted.extras)
        return Written({"requests": requests}, tuple(wanted.hints), unsupported)

    def read_answer(self, body: bytes) -> Vectors:
        """The vectors of a provider's answer, of either method. Raises BadReply, ReplyError."""
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if error := response_error(lenient(body)):
                raise ReplyError(word(error)) from None
            raise BadReply from None
        if answer.error:
            raise ReplyError(word(answer.error))
        found = answer.embeddings
        if found is None:
            found = [answer.embedding] if answer.embedding is not None else []
        if not found:
            raise BadReply
        count = read_usage(answer.usageMetadata)
        vectors = tuple(embedding.values for embedding in found)
        return Vectors(vectors, usage=count.usage, bad_usage=count.bad)


class _Embedding(msgspec.Struct, gc=False):
    values: tuple[float, ...]


class _Answer(msgspec.Struct, gc=False):
    embedding: _Embedding | None = None
    embeddings: list[_Embedding] | None = None
    usageMetadata: Any = None  # noqa: N815  (the wire's name)
    error: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


def _one(fields: dict[str, Any], at: str) -> Embedding:
    content = record(fields.get("content"), f"{at}content")
    parts = array(content.get("parts"), f"{at}content.parts")
    said = [
        text(record(part, place).get("text"), f"{place}.text")
        for index, part in enumerate(parts)
        if (place := f"{at}content.parts[{index}]")
    ]
    dimensions = fields.get("outputDimensionality")
    return Embedding(
        ("".join(said),),
        optional_whole(dimensions, f"{at}outputDimensionality", 1, MAX_COUNT),
        extras={k: value for k, value in fields.items() if k not in _READ and value is not None},
    )
