from __future__ import annotations

import math
from array import array
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.demo.asked import Asked
from wattline.demo.check import Refused
from wattline.demo.embeddings import embeddings, vector


def _reply(**body):
    return embeddings(Asked(1, 0, {"model": "m", "input": "hello there", **body}))


@given(st.binary(), st.integers(1, 64))
def test_vectors_have_length_1_and_belong_to_their_key(key, dimensions):
    numbers = vector(key, dimensions)
    assert len(numbers) == dimensions
    assert math.isclose(sum(number**2 for number in numbers), 1, rel_tol=1e-5)
    assert numbers == vector(key, dimensions)


def test_different_inputs_have_different_vectors():
    first, second = _reply(input=["a", "b"]).body["data"]
    assert first["embedding"] != second["embedding"]
    assert len(first["embedding"]) == 1536


def test_base64_holds_the_same_numbers():
    packed = _reply(dimensions=8, encoding_format="base64").body["data"][0]["embedding"]
    numbers = array("f", b64decode(packed))
    plain = _reply(dimensions=8).body["data"][0]["embedding"]
    assert all(math.isclose(a, b, abs_tol=1e-7) for a, b in zip(numbers, plain, strict=True))


def test_tokens_are_counted_for_all_inputs():
    assert _reply(input=["hello there", "x"]).body["usage"] == {
        "prompt_tokens": 4,
        "total_tokens": 4,
    }
    assert _reply(input=[1, 2, 3]).body["usage"]["prompt_tokens"] == 3
    assert len(_reply(input=[[1], [2, 3]]).body["data"]) == 2


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [None]}, "input"),
        ({"input": ["x"] * 2049}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": 3073}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_bad_requests(body, param):
    with pytest.raises(Refused) as refused:
        _reply(**body)
    assert refused.value.param == param
