"""Rerank, as providers beside OpenAI's API have it: `POST {base}/rerank`. Both ways.

Cohere, Jina, OpenRouter, vLLM, Together and LiteLLM answer with `results`, Voyage with `data`:
https://docs.cohere.com/reference/rerank, https://docs.voyageai.com/reference/reranker-api. NVIDIA's has
paths and words of its own: https://docs.api.nvidia.com/nim/reference (Retrieval).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from urllib.parse import quote

import msgspec

from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.fields import count, flag, kind, wrong
from wattline.dialects.json_text import dumps
from wattline.dialects.openai.omissions import Omissions
from wattline.dialects.openai.places import array, text
from wattline.dialects.openai.stream import lenient
from wattline.dialects.openai.usage import Count, read_usage
from wattline.dialects.words import error_word
from wattline.wire.call import Call
from wattline.wire.prompt import Written
from wattline.wire.rerank import Rank, Ranking, Rerank

_READ = frozenset({"model", "query", "documents", "top_n", "top_k", "return_documents", "provider"})
_EXTRAS = frozenset(
    {
        *("max_chunks_per_doc", "max_tokens_per_doc", "rank_fields"),  # Cohere
        *("truncation", "truncate", "truncate_prompt_tokens"),  # Voyage, NVIDIA, vLLM
        *("instruction", "overlap_tokens"),
    }
)
"""Fields of providers, without a neutral form."""


class RerankShape(Enum):
    """How a provider wants to be asked."""

    COMMON = auto()
    VOYAGE = auto()
    NVIDIA = auto()


@dataclass(frozen=True, slots=True)
class RerankCodec:
    """Both halves; see `dialects.task_codec`."""

    shape: RerankShape = RerankShape.COMMON

    def read_request(self, body: Mapping[str, Any], call: Call) -> Rerank:  # noqa: ARG002
        """The client's request. Raises ClientFault naming the field at fault."""
        top = count(body, "top_n")
        shown = None if body.get("return_documents") is None else flag(body, "return_documents")
        return Rerank(
            text(body.get("query"), "query"),
            tuple(
                _document(one, i) for i, one in enumerate(array(body.get("documents"), "documents"))
            ),
            count(body, "top_k") if top is None else top,
            shown,
            {key: value for key, value in body.items() if key not in _READ and value is not None},
        )

    def write_answer(self, found: Ranking, wanted: Rerank, call: Call) -> bytes:
        """The client's answer, as Jina has it."""
        body: dict[str, Any] = {
            "id": found.id or call.id,
            "model": found.model or call.model,
            "results": [
                {"index": rank.index, "relevance_score": rank.score}
                | ({"document": {"text": wanted.documents[rank.index]}} if wanted.shown else {})
                for rank in found.ranks
            ],
        }
        if found.usage is not None:
            usage = found.usage
            body["usage"] = {"prompt_tokens": usage.prompt, "total_tokens": usage.total}
        return dumps(body)

    def path(self, model: str) -> str:
        """The path below a base URL. With NVIDIA the model stands in it."""
        if self.shape is RerankShape.NVIDIA:
            name = quote(model.replace(".", "_"), safe="/", errors="replace")
            return f"/retrieval/{name}/reranking"
        return "/rerank"

    def write_request(self, wanted: Rerank, model: str) -> Written:
        """The request for a provider. The documents are not asked back: they are known here."""
        omissions = Omissions()
        body: dict[str, Any]
        if self.shape is RerankShape.NVIDIA:
            passages = [{"text": document} for document in wanted.documents]
            body = {"model": model, "query": {"text": wanted.query}, "passages": passages}
        else:
            body = {"model": model, "query": wanted.query, "documents": list(wanted.documents)}
            if wanted.top is not None:
                body["top_k" if self.shape is RerankShape.VOYAGE else "top_n"] = wanted.top
        for key, value in wanted.extras.items():
            if key in _EXTRAS:
                body[key] = value
            else:
                omissions.refuse(key)
        return omissions.written(body)

    def read_answer(self, body: bytes) -> Ranking:
        """A provider's whole 2xx answer, in any of the shapes. Raises BadReply, ReplyError."""
        answer = _decoded(body)
        if answer.error:
            raise ReplyError(error_word(answer.error))
        items = answer.results or answer.data or answer.rankings
        if not items:
            raise BadReply
        counted = rerank_usage(answer.usage, answer.meta)
        return Ranking(
            _ranks(items),
            answer.model if isinstance(answer.model, str) and answer.model else None,
            answer.id if isinstance(answer.id, str) and answer.id else None,
            counted.usage,
            counted.bad,
        )


def _document(value: Any, index: int) -> str:
    """A text, or an object with one."""
    at = f"documents[{index}]"
    if isinstance(value, dict):
        return text(value.get("text"), f"{at}.text")
    if not isinstance(value, str):
        wrong(at, f"'{at}' must be a string or an object with a 'text', not {kind(value)}.")
    return value


class _Item(msgspec.Struct, gc=False):
    """`document` is not read: it is the client's own."""

    index: int
    relevance_score: float | None = None
    score: float | None = None
    logit: float | None = None


class _Answer(msgspec.Struct, gc=False):
    results: list[_Item] | None = None
    data: list[_Item] | None = None
    rankings: list[_Item] | None = None
    id: Any = None
    model: Any = None
    usage: Any = None
    meta: Any = None
    error: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


def _decoded(body: bytes) -> _Answer:
    try:
        return _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if error := (lenient(body) or {}).get("error"):
            raise ReplyError(error_word(error)) from None
        raise BadReply from None


def _ranks(items: Sequence[_Item]) -> tuple[Rank, ...]:
    """The best first. Raises BadReply for an item without a score, and one that comes twice."""
    ranks = []
    for item in items:
        scores = (item.relevance_score, item.score, item.logit)
        score = next((score for score in scores if score is not None), None)
        if score is None or not math.isfinite(score) or item.index < 0:
            raise BadReply
        ranks.append(Rank(item.index, score))
    if len({rank.index for rank in ranks}) < len(ranks):
        raise BadReply
    return tuple(sorted(ranks, key=lambda rank: -rank.score))


def rerank_usage(usage: Any, meta: Any) -> Count:
    """The tokens in a parsed `usage`, or those in Cohere's `meta.tokens`. Search units are no tokens."""
    counted = read_usage(usage)
    if counted.usage is not None or counted.bad or not isinstance(meta, dict):
        return counted
    tokens = meta.get("tokens")
    if isinstance(tokens, dict) and tokens.get("output_tokens") is None:
        tokens = {**tokens, "output_tokens": 0}
    return read_usage(tokens)
