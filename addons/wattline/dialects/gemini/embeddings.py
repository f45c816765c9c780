"""Embeddings between lists of texts and Gemini's two methods, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.fields import MAX_COUNT, wrong
from wattline.dialects.gemini.paths import EMBED_BATCH, method_of, resource
from wattline.dialects.gemini.places import array, optional_whole, record, text
from wattline.dialects.gemini.stream import lenient
from wattline.dialects.gemini.usage import counts, read_usage
from wattline.dialects.gemini.words import response_error, word
from wattline.dialects.json_text import dumps
from wattline.wire.call import Call, Operation
from wattline.wire.usage import Usage

_READ = frozenset({"model", "content", "outputDimensionality"})


@dataclass(frozen=True, slots=True)
class Texts:
    """What a client wants vectors of. `extras` names what only Gemini has (`requests[0].taskType`)."""

    texts: tuple[str, ...] = field(repr=False)
    dimensions: int | None = None
    extras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors in the order of the texts. Many models don't tell a usage."""

    vectors: tuple[tuple[float, ...], ...] = field(repr=False)
    usage: Usage | None = None


def write_texts(texts: Sequence[str], model: str, dimensions: int | None = None) -> dict[str, Any]:
    """The body of batchEmbedContents."""
    more = {} if dimensions is None else {"outputDimensionality": dimensions}
    name = resource(model)
    return {
        "requests": [
            {"model": name, "content": {"parts": [{"text": text}]}} | more for text in texts
        ]
    }


class _Embedding(msgspec.Struct, gc=False):
    values: tuple[float, ...]


class _Answer(msgspec.Struct, gc=False):
    embedding: _Embedding | None = None
    embeddings: list[_Embedding] | None = None
    usageMetadata: Any = None  # noqa: N815  (the wire's name)
    error: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


def read_vectors(body: bytes, expected: int) -> Vectors:
    """The vectors of a provider's answer, of either method. Raises BadReply, also when they are not as
    many as were asked for, and ReplyError.
    """
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
    if len(found) != expected:
        raise BadReply
    vectors = tuple(embedding.values for embedding in found)
    return Vectors(vectors, read_usage(answer.usageMetadata).usage)


def read_texts(body: Mapping[str, Any], call: Call) -> Texts:
    """The texts of a client's request. Raises ClientFault for content that is no text, and for
    dimensions that differ within one request.
    """
    fields = record(body, "the body")
    if method_of(call.path) != EMBED_BATCH:
        return _one(fields, "")
    found = [
        _one(record(request, f"requests[{index}]"), f"requests[{index}].")
        for index, request in enumerate(array(fields.get("requests"), "requests"))
    ]
    dimensions = {texts.dimensions for texts in found}
    if len(dimensions) > 1:
        at = "requests[].outputDimensionality"
        wrong(at, f"'{at}' must be the same in all requests here.", "invalid_value")
    extras = tuple(f"requests[{i}].{name}" for i, one in enumerate(found) for name in one.extras)
    return Texts(tuple(one.texts[0] for one in found), next(iter(dimensions), None), extras)


def _one(fields: dict[str, Any], at: str) -> Texts:
    content = record(fields.get("content"), f"{at}content")
    parts = array(content.get("parts"), f"{at}content.parts")
    said = [
        text(record(part, place).get("text"), f"{place}.text")
        for index, part in enumerate(parts)
        if (place := f"{at}content.parts[{index}]")
    ]
    dimensions = fields.get("outputDimensionality")
    return Texts(
        ("".join(said),),
        optional_whole(dimensions, f"{at}outputDimensionality", 1, MAX_COUNT),
        tuple(key for key, value in fields.items() if key not in _READ and value is not None),
    )


def write_vectors(vectors: Sequence[Sequence[float]], call: Call, usage: Usage | None) -> bytes:
    """The client's answer: `embeddings`, or the `embedding` of the method for one content."""
    found: dict[str, Any]
    if method_of(call.path) == EMBED_BATCH:
        found = {"embeddings": [{"values": list(vector)} for vector in vectors]}
    else:
        found = {"embedding": {"values": list(vectors[0]) if vectors else []}}
    if usage is not None:
        found["usageMetadata"] = counts(usage, Operation.EMBEDDINGS)
    return dumps(found)
