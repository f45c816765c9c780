"""Embeddings by both of Ollama's paths."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from kit.ollama_calls import call
from wattline.base.errors import ClientFault
from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.ollama.embeddings import OllamaEmbeddings
from wattline.wire.call import Operation
from wattline.wire.embedding import Embedding, Vectors
from wattline.wire.usage import Usage

CODEC = OllamaEmbeddings()
CALL = call(Operation.EMBEDDINGS)
LEGACY = replace(CALL, path="/v5/api/embeddings")


@pytest.mark.parametrize(
    "wanted",
    [
        Embedding(("a", "b")),
        Embedding(("a",), 64, hints={"truncate": False, "keep_alive": "5m"}),
        Embedding(()),
    ],
)
def test_a_request_means_the_same_after_the_way_there_and_back(wanted: Embedding) -> None:
    written = CODEC.write_request(wanted, "m")
    assert written.body["model"] == "m"
    assert (written.dropped, written.unsupported) == ((), ())
    assert CODEC.read_request(written.body, CALL) == wanted


def test_one_text_alone() -> None:
    assert CODEC.read_request({"input": "a"}, CALL) == Embedding(("a",), single=True)
    assert CODEC.read_request({"prompt": "a"}, LEGACY) == Embedding(("a",), single=True)


def test_what_ollama_can_not_do_is_told() -> None:
    wanted = Embedding(((1,),), hints={"user": "u"}, extras={"input_type": "query"})
    written = CODEC.write_request(wanted, "m")
    assert written.unsupported == ("tokens as input", "input_type")
    assert written.dropped == ("user",)


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
        CODEC.read_request(body, CALL)
    assert caught.value.param == param


def test_a_legacy_mistake() -> None:
    for body in ({}, {"prompt": 5}):
        with pytest.raises(ClientFault, match="prompt"):
            CODEC.read_request(body, LEGACY)


def test_answers() -> None:
    wanted = Embedding(("a", "b"))
    found = Vectors(((0.5, 1.0), (2.0, -3.0)), "m", Usage(8, 0))
    assert CODEC.read_answer(CODEC.write_answer(found, wanted, CALL)) == found
    empty = json.loads(CODEC.write_answer(Vectors(()), wanted, CALL))
    assert empty == {"model": "llama3.2", "embeddings": []}
    assert json.loads(CODEC.write_answer(found, wanted, LEGACY)) == {"embedding": [0.5, 1.0]}
    assert json.loads(CODEC.write_answer(Vectors(()), wanted, LEGACY)) == {"embedding": []}
    assert CODEC.read_answer(b'{"embedding":[1]}') == Vectors(((1.0,),))
    odd = b'{"embeddings":[[1]],"prompt_eval_count":-4,"model":7}'
    assert CODEC.read_answer(odd) == Vectors(((1.0,),), bad_usage=True)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"embeddings":[["a"]]}', b'{"embeddings":[[NaN]]}']
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadReply):
        CODEC.read_answer(body)


def test_an_error_in_a_success() -> None:
    with pytest.raises(ReplyError, match=r"^not_found$"):
        CODEC.read_answer(b'{"error":"model not found"}')
