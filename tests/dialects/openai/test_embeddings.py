"""Embeddings in OpenAI's shape, both ways."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.openai_calls import call
from wattline.base.errors import ClientFault
from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.openai.embeddings import OpenAIEmbeddings, pack, unpack
from wattline.wire.call import Operation
from wattline.wire.embedding import Embedding, Vectors
from wattline.wire.usage import Usage

CODEC = OpenAIEmbeddings()
CALL = call(Operation.EMBEDDINGS, stream=False)
TEXTS = st.text(max_size=8)
TOKENS = st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(
    st.lists(TEXTS | TOKENS, min_size=1, max_size=4),
    st.none() | st.integers(1, 4096),
    st.none() | st.text(min_size=1, max_size=4),
)
def test_a_request_means_the_same_after_the_way_there_and_back(
    inputs: list[Any], dimensions: int | None, user: str | None
) -> None:
    hints = {"user": user} if user else {}
    wanted = Embedding(tuple(inputs), dimensions, hints=hints, extras={"input_type": "query"})
    written = CODEC.write_request(wanted, "m")
    assert written.body["model"] == "m"
    assert (written.dropped, written.unsupported) == ((), ())
    assert CODEC.read_request(written.body, CALL) == wanted


@pytest.mark.parametrize(
    ("value", "inputs"), [("a", ("a",)), ([1, 2], ((1, 2),)), (["a", [3]], ("a", (3,)))]
)
def test_inputs(value: Any, inputs: tuple[Any, ...]) -> None:
    found = CODEC.read_request({"input": value}, CALL)
    assert found.inputs == inputs
    assert found.single is (value in ("a", [1, 2]))
    assert CODEC.write_request(found, "m").body["input"] == value


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": 3}, "input"),
        ({"input": []}, "input"),
        ({"input": [True]}, "input[0]"),
        ({"input": [1, "a"]}, "input[1]"),
        ({"input": ["a", []]}, "input[1]"),
        ({"input": ["a", [1, None]]}, "input[1][1]"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "encoding_format": []}, "encoding_format"),
    ],
)
def test_a_mistake_names_its_field(body: dict[str, Any], param: str) -> None:
    """E-084: types and ranges."""
    with pytest.raises(ClientFault) as caught:
        CODEC.read_request(body, CALL)
    assert caught.value.param == param


@given(st.dictionaries(st.sampled_from(["input", "dimensions", "encoding_format"]), ANYTHING))
def test_any_body_is_read_or_refused(body: dict[str, Any]) -> None:
    with suppress(ClientFault):
        assert CODEC.read_request(body, CALL).inputs


def test_what_is_not_known_is_told() -> None:
    wanted = Embedding(("a",), hints={"keep_alive": "5m"}, extras={"requests[0].taskType": "X"})
    written = CODEC.write_request(wanted, "m")
    assert (written.dropped, written.unsupported) == (("keep_alive",), ("requests[0].taskType",))


@given(
    vectors=st.lists(st.lists(FLOATS, min_size=1, max_size=5), min_size=1, max_size=4),
    packed=st.booleans(),
)
def test_answers_are_written_and_read_back(vectors: list[list[float]], *, packed: bool) -> None:
    wanted = Embedding(("a",) * len(vectors), base64=packed)
    found = Vectors(tuple(map(tuple, vectors)), "m", Usage(3, 0))
    raw = CODEC.write_answer(found, wanted, CALL)
    assert isinstance(json.loads(raw)["data"][0]["embedding"], str if packed else list)
    back = CODEC.read_answer(raw)
    assert [list(vector) for vector in back.vectors] == vectors
    assert (back.model, back.usage) == ("m", Usage(3, 0))


@given(st.lists(FLOATS, min_size=1))
def test_packing(vector: list[float]) -> None:
    assert list(unpack(pack(vector))) == vector


def test_the_order_is_that_of_the_indexes() -> None:
    raw = b'{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}]}'
    assert CODEC.read_answer(raw) == Vectors(((1.0,), (2.0,)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"data":[]}',
        b'{"data":[{"embedding":["x"]}]}',
        b'{"data":[{"embedding":"%%%"}]}',
        b'{"data":[{"embedding":"AAA="}]}',
        b'{"data":[{"embedding":""}]}',
        b'{"data":[{"index":1,"embedding":[1]}]}',
        b'{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}',
        b"<html>",
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadReply):
        CODEC.read_answer(body)


@pytest.mark.parametrize(
    "body", [b'{"error":{"code":"rate_limit_exceeded"}}', b'{"data":3,"error":{"code":429}}']
)
def test_an_error_in_a_success(body: bytes) -> None:
    with pytest.raises(ReplyError, match=r"^rate_limit$"):
        CODEC.read_answer(body)


def test_a_usage_that_can_not_be_true() -> None:
    raw = b'{"data":[{"embedding":[1]}],"usage":{"prompt_tokens":-1,"total_tokens":-1}}'
    assert CODEC.read_answer(raw) == Vectors(((1.0,),), bad_usage=True)
