"""`POST /v1/embeddings`: unit vectors made from a hash of the input.

Shapes: https://platform.openai.com/docs/api-reference/embeddings. The OpenAI SDKs ask for base64:
little-endian 32-bit floats.
"""

from __future__ import annotations

import hashlib
import math
import sys
from array import array
from base64 import b64encode
from typing import Any

from wattline.demo.asked import Asked
from wattline.demo.check import Fields
from wattline.demo.completion import read_inputs
from wattline.demo.reply import Reply, to_json

DIMENSIONS = 1536
MOST_DIMENSIONS = 3072
MOST_INPUTS = 2048


def embeddings(asked: Asked) -> Reply:
    """A vector for each input; the same input always gets the same one. Raises Refused."""
    fields = asked.fields
    model = fields.text("model", required=True)
    dimensions = fields.integer("dimensions", 1, MOST_DIMENSIONS) or DIMENSIONS
    packed = fields.one_of("encoding_format", ("float", "base64")) == "base64"
    tokens = sum(read_inputs(fields, "input"))
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _encoded(vector(key, dimensions), packed),
        }
        for index, key in enumerate(_inputs(fields))
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    body = {"object": "list", "data": data, "model": model, "usage": usage}
    return Reply(body, prompt_tokens=tokens)


def vector(key: bytes, dimensions: int) -> array[float]:
    """A unit vector: SHAKE-256 of `key` as 16-bit numbers, scaled."""
    numbers = array("h")
    numbers.frombytes(hashlib.shake_256(key).digest(2 * dimensions))
    length = math.sqrt(sum(number * number for number in numbers))
    if not length:
        return array("f", [1.0] + [0.0] * (dimensions - 1))
    return array("f", [number / length for number in numbers])


def _encoded(numbers: array[float], packed: bool) -> Any:  # noqa: FBT001 - a field's two values
    if not packed:
        return [round(number, 8) for number in numbers]
    if sys.byteorder == "big":
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode()


def _inputs(fields: Fields) -> list[bytes]:
    """What is hashed for each input: its text, or its tokens as JSON."""
    value = fields.need("input")
    if isinstance(value, str) or not isinstance(value[0], str | list):
        value = [value]
    if len(value) > MOST_INPUTS:
        raise fields.too_long("input", MOST_INPUTS, len(value))
    return [
        one.encode("utf-8", "replace") if isinstance(one, str) else to_json(one) for one in value
    ]
