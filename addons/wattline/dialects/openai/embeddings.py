"""Embeddings as OpenAI and those like it do them, both ways.

Shapes: https://platform.openai.com/docs/api-reference/embeddings. A vector in base64 is packed as
little-endian 32-bit floats.
"""

from __future__ import annotations

import binascii
import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.fields import Fields, count, kind, required, wrong
from wattline.dialects.json_text import dumps
from wattline.dialects.openai.omissions import Omissions
from wattline.dialects.openai.stream import lenient
from wattline.dialects.openai.usage import read_usage
from wattline.dialects.words import error_word
from wattline.wire.call import Call
from wattline.wire.embedding import Embedding, Input, Vectors
from wattline.wire.prompt import Written

_READ = frozenset({"model", "input", "dimensions", "encoding_format", "user", "provider", "stream"})
_EXTRAS = frozenset(
    {
        *("input_type", "truncate", "truncation", "modality"),  # NVIDIA, Voyage, Cohere
        *("task", "late_chunking", "normalized", "embedding_type"),  # Jina
        *("output_dimension", "output_dtype"),  # Voyage, Mistral
        "instruction",
    }
)
"""Fields of providers of this API, without a neutral form."""
_FLOAT = 4


class OpenAIEmbeddings:
    """Both halves; see `dialects.task_codec`."""

    def read_request(self, body: Mapping[str, Any], call: Call) -> Embedding:  # noqa: ARG002
        """The client's request. Raises ClientFault naming the field at fault."""
        value = required(body, "input")
        inputs = read_inputs(value)
        user = body.get("user")
        return Embedding(
            inputs,
            count(body, "dimensions"),
            base64=_packed(body),
            single=isinstance(value, str) or bool(value and type(value[0]) is int),
            hints={"user": user} if isinstance(user, str) and user else {},
            extras={k: v for k, v in body.items() if k not in _READ and v is not None},
        )

    def write_answer(self, found: Vectors, wanted: Embedding, call: Call) -> bytes:
        """The client's answer, packed if it wants that."""
        write = pack if wanted.base64 else list
        body: dict[str, Any] = {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": write(vector)}
                for index, vector in enumerate(found.vectors)
            ],
            "model": found.model or call.model,
        }
        if found.usage is not None:
            prompt = found.usage.prompt
            body["usage"] = {"prompt_tokens": prompt, "total_tokens": found.usage.total}
        return dumps(body)

    def path(self, model: str) -> str:  # noqa: ARG002  (the protocol's)
        """The same for all."""
        return "/embeddings"

    def write_request(self, wanted: Embedding, model: str) -> Written:
        """The request for a provider. Vectors come as numbers: not all know how to pack them."""
        omissions = Omissions()
        inputs: list[Any] = [one if isinstance(one, str) else list(one) for one in wanted.inputs]
        body: dict[str, Any] = {"model": model, "input": inputs[0] if wanted.single else inputs}
        if wanted.dimensions is not None:
            body["dimensions"] = wanted.dimensions
        for key, value in wanted.hints.items():
            if key == "user":
                body[key] = value
            else:
                omissions.drop(key)
        for key, value in wanted.extras.items():
            if key in _EXTRAS:
                body[key] = value
            else:
                omissions.refuse(key)
        return omissions.written(body)

    def read_answer(self, body: bytes) -> Vectors:
        """A provider's whole 2xx answer. Raises BadReply, ReplyError."""
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if error := (lenient(body) or {}).get("error"):
                raise ReplyError(error_word(error)) from None
            raise BadReply from None
        if answer.error:
            raise ReplyError(error_word(answer.error))
        if not answer.data:
            raise BadReply
        counted = read_usage(answer.usage)
        return Vectors(
            _in_order(answer.data),
            answer.model if isinstance(answer.model, str) and answer.model else None,
            counted.usage,
            counted.bad,
        )


class _Item(msgspec.Struct, gc=False):
    embedding: tuple[float, ...] | str
    index: int | None = None


class _Answer(msgspec.Struct, gc=False):
    data: list[_Item] = []
    model: Any = None
    usage: Any = None
    error: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


def read_inputs(value: Any) -> tuple[Input, ...]:
    """A text, its tokens, or an array of texts and of tokens. Raises ClientFault."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        wrong("input", f"'input' must be a string or an array, not {kind(value)}.")
    if not value:
        wrong("input", "'input' is empty. Send at least one item.", "empty_array")
    if type(value[0]) is int:
        return (_tokens(value, "input"),)
    return tuple(
        one if isinstance(one, str) else _tokens(one, f"input[{index}]")
        for index, one in enumerate(value)
    )


def _tokens(value: Any, at: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        wrong(at, f"'{at}' must be a string or an array of tokens, not {kind(value)}.")
    for index, token in enumerate(value):
        if type(token) is not int:
            wrong(f"{at}[{index}]", f"'{at}[{index}]' must be an integer, not {kind(token)}.")
    return tuple(value)


def _packed(body: Fields) -> bool:
    found = body.get("encoding_format")
    if found not in (None, "float", "base64"):
        wrong("encoding_format", "'encoding_format' must be 'float' or 'base64'.", "invalid_value")
    return found == "base64"


def _in_order(items: list[_Item]) -> tuple[Sequence[float], ...]:
    """By their indexes, if these are what they must be. Raises BadReply."""
    indexes = [item.index for item in items]
    if None not in indexes:
        if sorted(index for index in indexes if index is not None) != list(range(len(items))):
            raise BadReply
        items = sorted(items, key=lambda item: item.index or 0)
    return tuple(
        unpack(item.embedding) if isinstance(item.embedding, str) else item.embedding
        for item in items
    )


def pack(vector: Sequence[float]) -> str:
    """A vector in base64. What is beyond a 32-bit float becomes infinite, as it does everywhere."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode()


def unpack(text: str) -> Sequence[float]:
    """The vector in base64. Raises BadReply when it is none."""
    try:
        raw = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadReply from error
    if not raw or len(raw) % _FLOAT:
        raise BadReply
    numbers = array("f")
    numbers.frombytes(raw)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
