"""Rerank, in the shapes that providers have."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.openai_calls import DIALECT, call, read
from wattline.base.errors import ClientFault
from wattline.dialects.base import Energy
from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.openai.rerank import RerankCodec, RerankShape, rerank_usage
from wattline.wire.call import Operation
from wattline.wire.rerank import Rank, Ranking, Rerank
from wattline.wire.usage import Usage

COMMON = RerankCodec()
VOYAGE = RerankCodec(RerankShape.VOYAGE)
NVIDIA = RerankCodec(RerankShape.NVIDIA)
CALL = call(Operation.RERANK, stream=False)
WANTED = Rerank("q", ("a", "b", "c"), 2)


def test_a_request_means_the_same_after_the_way_there_and_back() -> None:
    for codec in (COMMON, VOYAGE):
        written = codec.write_request(WANTED, "m")
        assert (written.dropped, written.unsupported) == ((), ())
        assert codec.read_request(written.body, CALL) == WANTED
    assert COMMON.path("m") == VOYAGE.path("m") == "/rerank"


def test_nvidias_own_shape() -> None:
    """E-046: the sample's model."""
    body = NVIDIA.write_request(WANTED, "nvidia/llama-3.2-nv-rerankqa-1b-v2").body
    assert body == {
        "model": "nvidia/llama-3.2-nv-rerankqa-1b-v2",
        "query": {"text": "q"},
        "passages": [{"text": "a"}, {"text": "b"}, {"text": "c"}],
    }
    path = NVIDIA.path("nvidia/llama-3.2-nv-rerankqa-1b-v2?x=#")
    assert path == "/retrieval/nvidia/llama-3_2-nv-rerankqa-1b-v2%3Fx%3D%23/reranking"


def test_documents_may_be_objects_and_more_may_be_asked_for() -> None:
    body = {
        "model": "m",
        "query": "q",
        "documents": ["a", {"text": "b", "title": "t"}],
        "top_k": 1,
        "return_documents": True,
        "max_tokens_per_doc": 9,
        "strange": 1,
    }
    wanted = COMMON.read_request(body, CALL)
    extras = {"max_tokens_per_doc": 9, "strange": 1}
    assert wanted == Rerank("q", ("a", "b"), 1, shown=True, extras=extras)
    written = COMMON.write_request(wanted, "m")
    assert written.body["max_tokens_per_doc"] == 9
    assert written.unsupported == ("strange",)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"documents": ["a"]}, "query"),
        ({"query": 1, "documents": ["a"]}, "query"),
        ({"query": "q"}, "documents"),
        ({"query": "q", "documents": "a"}, "documents"),
        ({"query": "q", "documents": [1]}, "documents[0]"),
        ({"query": "q", "documents": [{"text": 1}]}, "documents[0].text"),
        ({"query": "q", "documents": ["a"], "top_n": 0}, "top_n"),
        ({"query": "q", "documents": ["a"], "return_documents": 1}, "return_documents"),
    ],
)
def test_a_mistake_names_its_field(body: dict[str, Any], param: str) -> None:
    """E-084: types and ranges."""
    with pytest.raises(ClientFault) as caught:
        COMMON.read_request(body, CALL)
    assert caught.value.param == param


COHERE = {
    "id": "r1",
    "results": [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}],
    "meta": {"billed_units": {"search_units": 1}, "tokens": {"input_tokens": 7}},
}
JINA = {
    "model": "jina",
    "results": [
        {"index": 2, "relevance_score": 0.9, "document": {"text": "c"}},
        {"index": 0, "relevance_score": 0.1, "document": "a"},
    ],
    "usage": {"total_tokens": 7},
}
VOYAGES = {
    "object": "list",
    "data": [{"relevance_score": 0.9, "index": 2}, {"relevance_score": 0.1, "index": 0}],
    "model": "rerank-2",
    "usage": {"total_tokens": 7},
}
NVIDIAS = {
    "rankings": [{"index": 0, "logit": 0.1}, {"index": 2, "logit": 0.9}],
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}


@pytest.mark.parametrize("body", [COHERE, JINA, VOYAGES, NVIDIAS])
def test_answers_of_every_shape(body: dict[str, Any]) -> None:
    """E-046: `results` or `data`, `document` as a text or an object, scores by every name."""
    found = COMMON.read_answer(json.dumps(body).encode())
    assert found.ranks == (Rank(2, 0.9), Rank(0, 0.1))
    assert found.usage == Usage(7, 0)
    assert found.model == body.get("model")
    assert found.id == body.get("id")


def test_an_answer_is_written_and_read_back() -> None:
    found = Ranking((Rank(1, 0.5), Rank(0, -2.0)), "m", "r1", Usage(4, 0))
    raw = COMMON.write_answer(found, WANTED, CALL)
    assert COMMON.read_answer(raw) == found
    shown = Rerank("q", ("a", "b"), shown=True)
    results = json.loads(COMMON.write_answer(found, shown, CALL))["results"]
    assert results[0] == {"index": 1, "relevance_score": 0.5, "document": {"text": "b"}}


def test_search_units_are_no_tokens() -> None:
    """Cohere counts searches: such an answer has no usage."""
    assert rerank_usage(None, {"billed_units": {"search_units": 1}}).usage is None
    assert rerank_usage({"search_units": 1}, None).usage is None
    assert rerank_usage(None, {"tokens": {"input_tokens": 5, "output_tokens": 1}}).usage == Usage(
        5, 1
    )
    assert rerank_usage({"total_tokens": -5}, None).bad


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"results":[]}',
        b'{"results":[{"index":0}]}',
        b'{"results":[{"index":-1,"score":1}]}',
        b'{"results":[{"index":"0","score":1}]}',
        b'{"results":[{"index":0,"score":1},{"index":0,"score":1}]}',
        b'{"results":[{"index":0,"score":NaN}]}',
        b"<html>",
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadReply):
        COMMON.read_answer(body)


def test_an_error_in_a_success() -> None:
    for body in (b'{"error":{"code":429}}', b'{"results":3,"error":{"code":429}}'):
        with pytest.raises(ReplyError, match=r"^rate_limit$"):
            COMMON.read_answer(body)


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        COMMON.read_answer(body)
    except (BadReply, ReplyError):
        return


def test_a_clients_own_bytes() -> None:
    """E-046: the query counts once for each document."""
    body = {"model": "m", "query": "a" * 40, "documents": ["b" * 40, {"text": "c"}]}
    found = read(body, Operation.RERANK)
    assert (found.operation, found.model, found.stream) == (Operation.RERANK, "m", False)
    assert found.tokens == 2 * 11 + 11 + 1
    raw = json.dumps(body).encode()
    defaults = {"temperature": 0.3, "max_tokens": 9}
    assert DIALECT.write_body(raw, found, "m", defaults) == raw


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"documents": ["a"]}, "query"),
        ({"query": "q"}, "documents"),
        ({"query": "q", "documents": "abc"}, "documents"),
        ({"query": "q", "documents": []}, "documents"),
        ({"query": "q", "documents": [None]}, "documents[0]"),
        ({"query": "q", "documents": ["a"], "top_n": "2"}, "top_n"),
    ],
)
def test_what_no_provider_takes(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientFault) as caught:
        read({"model": "m", **body}, Operation.RERANK)
    assert caught.value.param == param


@pytest.mark.parametrize("body", [COHERE, JINA, VOYAGES])
def test_an_answer_that_goes_through_gets_its_energy(body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    answer = DIALECT.read_answer(CALL, raw)
    assert (answer.sound, answer.usage) == (True, Usage(7, 0))
    told = json.loads(DIALECT.write_answer(CALL, raw, Usage(7, 0), Energy(1_000_000)))
    assert told["usage"]["energy"] == 1
    assert told["usage"]["total_tokens"] == 7
    assert {key: told[key] for key in body if key != "usage"} == {
        key: value for key, value in body.items() if key != "usage"
    }


def test_an_answer_without_results_is_none() -> None:
    assert not DIALECT.read_answer(CALL, b'{"id":"x","results":[]}').sound
