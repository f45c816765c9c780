"""Embeddings by both of Ollama's paths."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wattline.base.errors import ClientFault
from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.ollama.embeddings import (
    Vectors,
    Wanted,
    read_answer,
    read_legacy_request,
    read_request,
    write_answer,
    write_legacy_answer,
    write_request,
)
from wattline.wire.usage import Usage


@pytest.mark.parametrize(
    "wanted", [Wanted(("a", "b")), Wanted(("a",), 64, truncate=False), Wanted(())]
)
def test_a_request_means_the_same_after_the_way_there_and_back(wanted: Wanted) -> None:
    body = write_request(wanted, "m")
    assert body["model"] == "m"
    assert read_request(body) == wanted


def test_one_text_alone() -> None:
    assert read_request({"input": "a"}) == Wanted(("a",))
    assert read_legacy_request({"prompt": "a"}) == Wanted(("a",))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": 1}, "input"),
        ({"input": ["a", [1]]}, "input[1]"),
        ({"input": "a", "dimensions": "many"}, "dimensions"),
        ({"input": "a", "truncate": 1}, "truncate"),
    ],
)
def test_a_mistake_names_its_field(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientFault) as caught:
        read_request(body)
    assert caught.value.param == param


def test_a_legacy_mistake() -> None:
    for body in ({}, {"prompt": 5}):
        with pytest.raises(ClientFault, match="prompt"):
            read_legacy_request(body)


def test_answers() -> None:
    found = Vectors([[0.5, 1.0], [2.0, -3.0]], "m", Usage(8, 0))
    assert read_answer(write_answer(found, "x")) == found
    assert json.loads(write_answer(Vectors([]), "x")) == {"model": "x", "embeddings": []}
    assert json.loads(write_legacy_answer(found)) == {"embedding": [0.5, 1.0]}
    assert json.loads(write_legacy_answer(Vectors([]))) == {"embedding": []}
    assert read_answer(b'{"embedding":[1]}') == Vectors([[1.0]])
    assert read_answer(b'{"embeddings":[[1]],"prompt_eval_count":-4,"model":7}') == Vectors([[1.0]])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"embeddings":[["a"]]}', b'{"embeddings":[[NaN]]}']
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadReply):
        read_answer(body)


def test_an_error_in_a_success() -> None:
    with pytest.raises(ReplyError, match=r"^not_found$"):
        read_answer(b'{"error":"model not found"}')
