"""A gateway's whole answers, with their energy."""

from __future__ import annotations

import json

from hypothesis import given

from kit.gateway_calls import DIALECT, call
from kit.neutral_answers import REPLIES
from wattline.dialects.base import Energy
from wattline.dialects.gateway.codec import GatewayCodec
from wattline.dialects.gateway.embeddings import GatewayEmbeddings
from wattline.dialects.gateway.rerank import GatewayRerank
from wattline.wire.embedding import Embedding, Vectors
from wattline.wire.parts import Text
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.rerank import Rank, Ranking, Rerank
from wattline.wire.usage import Usage, UsageSource

CODEC = GatewayCodec()
CALL = call()
USAGE = Usage(15, 250)
ESTIMATE = Usage(3, 0, source=UsageSource.ESTIMATED)
REPLY = Reply((Alternative((Text("Hi."),), Stop.END),), "msg_123", "claude", usage=USAGE)


def test_a_chat() -> None:
    """E-043: {id, provider, model, choices, usage}."""
    raw = CODEC.write_reply(REPLY, CALL)
    found = json.loads(DIALECT.write_answer(CALL, raw, USAGE, Energy(198_750_000)))
    assert list(found) == ["id", "provider", "model", "choices", "usage"]
    assert (found["id"], found["provider"], found["model"]) == ("msg_123", "anthropic", "claude")
    assert found["choices"][0]["message"]["role"] == "assistant"
    assert found["choices"][0]["message"]["content"] == "Hi."
    assert found["choices"][0]["finish_reason"] == "stop"
    assert found["usage"] == {
        "prompt_tokens": 15,
        "completion_tokens": 250,
        "total_tokens": 265,
        "energy": 198.75,
    }


def test_the_provider_is_the_one_that_answered() -> None:
    other = Reply(REPLY.alternatives, provider="openrouter")
    found = json.loads(CODEC.write_reply(other, CALL))
    assert (found["provider"], found["model"], found["id"]) == ("openrouter", "m", "msg_req_1")


def test_a_usage_that_was_estimated_says_so() -> None:
    raw = CODEC.write_reply(Reply(REPLY.alternatives), CALL)
    usage = json.loads(DIALECT.write_answer(CALL, raw, ESTIMATE, Energy(None)))["usage"]
    assert usage["estimated"] is True
    assert usage["energy"] is None


@given(REPLIES)
def test_any_answer_is_written_and_read_back(reply: Reply) -> None:
    found = CODEC.read_reply(CODEC.write_reply(reply, CALL))
    assert found.alternatives == reply.alternatives
    assert found.usage == reply.usage


def test_the_energy_of_a_stream() -> None:
    """A-051, E-044."""
    raw = DIALECT.write_usage(CALL, None, USAGE, Energy(1_500_000))
    assert raw.startswith(b'data: {"delta":{"content":""},"usage":{')
    assert json.loads(raw[6:])["usage"]["energy"] == 1.5


def test_vectors() -> None:
    """E-045: {embeddings[], model, usage:{total_tokens}}."""
    asked = call("/api/v1/embeddings")
    found = Vectors(((0.5, -0.25),), "bge", Usage(10, 0))
    raw = GatewayEmbeddings().write_answer(found, Embedding(("a",), single=True), asked)
    body = json.loads(DIALECT.write_answer(asked, raw, Usage(10, 0), Energy(7_500_000)))
    usage = {"total_tokens": 10, "energy": 7.5}
    assert body == {"embeddings": [0.5, -0.25], "model": "bge", "usage": usage}
    raw = GatewayEmbeddings().write_answer(Vectors(((1.0,),)), Embedding(("a",)), asked)
    assert json.loads(raw) == {"embeddings": [[1.0]], "model": "m"}
    usage = json.loads(DIALECT.write_answer(asked, raw, ESTIMATE, Energy(None)))["usage"]
    assert usage == {"prompt_tokens": 3, "total_tokens": 3, "estimated": True, "energy": None}


def test_an_order() -> None:
    """E-046: {results:[{index, relevance_score, document}]}."""
    asked = call("/api/v1/rerank")
    found = Ranking((Rank(1, 0.95), Rank(0, 0.5)), usage=Usage(4, 0))
    raw = GatewayRerank().write_answer(found, Rerank("q", ("a", "b")), asked)
    body = json.loads(DIALECT.write_answer(asked, raw, Usage(4, 0), Energy(3_000_000)))
    assert body == {
        "results": [
            {"index": 1, "relevance_score": 0.95, "document": "b"},
            {"index": 0, "relevance_score": 0.5, "document": "a"},
        ],
        "usage": {"total_tokens": 4, "energy": 3},
    }
    bare = GatewayRerank().write_answer(
        Ranking(found.ranks), Rerank("q", ("a", "b"), shown=False), asked
    )
    assert json.loads(bare)["results"][0] == {"index": 1, "relevance_score": 0.95}
    usage = json.loads(DIALECT.write_answer(asked, bare, ESTIMATE, Energy(None)))["usage"]
    assert usage["total_tokens"] == 3
    assert usage["estimated"] is True
