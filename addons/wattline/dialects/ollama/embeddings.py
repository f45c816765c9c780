"""Embeddings: a list of texts to vectors, by `/api/embed` or, one text at a time, `/api/embeddings`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.fields import Fields, count, kind, required, wrong
from wattline.dialects.json_text import dumps
from wattline.dialects.ollama.line import Line
from wattline.dialects.ollama.usage import read_counts
from wattline.dialects.words import error_word
from wattline.wire.usage import Usage


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to embed. `dimensions` None: as many as the model has; `truncate` None: not said."""

    texts: tuple[str, ...] = field(repr=False)
    dimensions: int | None = None
    truncate: bool | None = None


@dataclass(frozen=True, slots=True)
class Vectors:
    """A vector for each text, in their order. `usage` counts a prompt only."""

    vectors: Sequence[Sequence[float]] = field(repr=False)
    model: str | None = None
    usage: Usage | None = None


class _Answer(msgspec.Struct, gc=False):
    embeddings: list[list[float]] | None = None
    embedding: list[float] | None = None
    model: Any = None
    prompt_eval_count: Any = None
    error: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


def read_request(body: Fields) -> Wanted:
    """What a client of `/api/embed` wants. Raises ClientFault naming the field at fault."""
    value = required(body, "input")
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        wrong("input", f"'input' must be a string or an array of strings, not {kind(value)}.")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            wrong(f"input[{index}]", f"'input[{index}]' must be a string, not {kind(text)}.")
    truncate = body.get("truncate")
    if truncate is not None and not isinstance(truncate, bool):
        wrong("truncate", f"'truncate' must be true or false, not {kind(truncate)}.")
    return Wanted(tuple(texts), count(body, "dimensions"), truncate)


def read_legacy_request(body: Fields) -> Wanted:
    """What a client of `/api/embeddings` wants: one text. Raises ClientFault."""
    prompt = required(body, "prompt")
    if not isinstance(prompt, str):
        wrong("prompt", f"'prompt' must be a string, not {kind(prompt)}.")
    return Wanted((prompt,))


def write_request(wanted: Wanted, model: str) -> dict[str, Any]:
    """The body of `/api/embed`."""
    body: dict[str, Any] = {"model": model, "input": list(wanted.texts)}
    if wanted.dimensions is not None:
        body["dimensions"] = wanted.dimensions
    if wanted.truncate is not None:
        body["truncate"] = wanted.truncate
    return body


def read_answer(body: bytes) -> Vectors:
    """A provider's whole 2xx answer, of either path. Raises BadReply, ReplyError."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadReply from error
    if answer.error:
        raise ReplyError(error_word(answer.error))
    vectors = answer.embeddings
    if vectors is None and answer.embedding is not None:
        vectors = [answer.embedding]
    if vectors is None:
        raise BadReply
    usage = read_counts(Line(prompt_eval_count=answer.prompt_eval_count)).usage
    return Vectors(vectors, answer.model if isinstance(answer.model, str) else None, usage)


def write_answer(found: Vectors, model: str) -> bytes:
    """The answer of `/api/embed`; `model` stands in where the provider named none."""
    body: dict[str, Any] = {"model": found.model or model, "embeddings": found.vectors}
    if found.usage is not None:
        body["prompt_eval_count"] = found.usage.prompt
    return dumps(body)


def write_legacy_answer(found: Vectors) -> bytes:
    """The answer of `/api/embeddings`: the first vector."""
    return dumps({"embedding": found.vectors[0] if found.vectors else []})
