"""Embeddings by `/api/embed` or, one text at a time, `/api/embeddings`; both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.fields import Fields, count, kind, required, wrong
from wattline.dialects.json_text import dumps
from wattline.dialects.ollama.line import Line
from wattline.dialects.ollama.request import LEGACY_EMBEDDINGS
from wattline.dialects.ollama.usage import read_counts
from wattline.dialects.words import error_word
from wattline.wire.call import Call
from wattline.wire.embedding import Embedding, Vectors
from wattline.wire.prompt import Written

TOKENS = "tokens as input"
_HINTS = frozenset({"keep_alive", "options", "truncate"})
_READ = _HINTS | {"model", "input", "prompt", "dimensions"}


class OllamaEmbeddings:
    """Both halves; see `dialects.task_codec`. A provider is always asked at `/api/embed`."""

    def read_request(self, body: Mapping[str, Any], call: Call) -> Embedding:
        """What a client of either path wants. Raises ClientFault naming the field at fault."""
        more: dict[str, Any] = {
            "hints": {key: body[key] for key in _HINTS if body.get(key) is not None},
            "extras": {k: v for k, v in body.items() if k not in _READ and v is not None},
        }
        if _is_legacy(call):
            return Embedding((_prompt(body),), single=True, **more)
        truncate = body.get("truncate")
        if truncate is not None and not isinstance(truncate, bool):
            wrong("truncate", f"'truncate' must be true or false, not {kind(truncate)}.")
        value = required(body, "input")
        single = isinstance(value, str)
        return Embedding(_texts(value), count(body, "dimensions"), single=single, **more)

    def write_answer(self, found: Vectors, wanted: Embedding, call: Call) -> bytes:  # noqa: ARG002
        """The client's answer; that of `/api/embeddings` is the first vector."""
        if _is_legacy(call):
            return dumps({"embedding": list(found.vectors[0]) if found.vectors else []})
        body: dict[str, Any] = {
            "model": found.model or call.model,
            "embeddings": [list(vector) for vector in found.vectors],
        }
        if found.usage is not None:
            body["prompt_eval_count"] = found.usage.prompt
        return dumps(body)

    def path(self, model: str) -> str:  # noqa: ARG002  (the protocol's)
        """Below a host: Ollama's base URL has no version."""
        return "/api/embed"

    def write_request(self, wanted: Embedding, model: str) -> Written:
        """The body of `/api/embed`."""
        texts = wanted.texts
        body: dict[str, Any] = {"model": model, "input": list(texts or ())}
        if wanted.dimensions is not None:
            body["dimensions"] = wanted.dimensions
        body |= {key: value for key, value in wanted.hints.items() if key in _HINTS}
        dropped = tuple(key for key in wanted.hints if key not in _HINTS)
        unsupported = (*(() if texts is not None else (TOKENS,)), *wanted.extras)
        return Written(body, dropped, unsupported)

    def read_answer(self, body: bytes) -> Vectors:
        """A provider's whole 2xx answer, of either path. Raises BadReply, ReplyError."""
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadReply from error
        if answer.error:
            raise ReplyError(error_word(answer.error))
        vectors = answer.embeddings
        if vectors is None and answer.embedding is not None:
            vectors = (answer.embedding,)
        if vectors is None:
            raise BadReply
        counted = read_counts(Line(prompt_eval_count=answer.prompt_eval_count))
        model = answer.model if isinstance(answer.model, str) else None
        return Vectors(vectors, model, counted.usage, counted.bad)


class _Answer(msgspec.Struct, gc=False):
    embeddings: tuple[tuple[float, ...], ...] | None = None
    embedding: tuple[float, ...] | None = None
    model: Any = None
    prompt_eval_count: Any = None
    error: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


def _is_legacy(call: Call) -> bool:
    return call.path.endswith(LEGACY_EMBEDDINGS)


def _prompt(body: Fields) -> str:
    prompt = required(body, "prompt")
    if not isinstance(prompt, str):
        wrong("prompt", f"'prompt' must be a string, not {kind(prompt)}.")
    return prompt


def _texts(value: Any) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        wrong("input", f"'input' must be a string or an array of strings, not {kind(value)}.")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            wrong(f"input[{index}]", f"'input[{index}]' must be a string, not {kind(text)}.")
    return tuple(texts)
