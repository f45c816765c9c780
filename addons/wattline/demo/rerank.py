"""`POST /v1/rerank`: documents by how many words they share with the query.

Shapes: https://docs.cohere.com/reference/rerank, with usage as Jina tells it.
"""

from __future__ import annotations

import re
from typing import Any

from wattline.demo.asked import Asked
from wattline.demo.check import Fields
from wattline.demo.reply import Reply
from wattline.demo.tokens import count

MOST_DOCUMENTS = 1000
_WORD = re.compile(r"\w+")


def rerank(asked: Asked) -> Reply:
    """A made-up score from 0 to 1 for each document, the best first. Raises Refused."""
    fields = asked.fields
    model = fields.text("model", required=True)
    query = fields.text("query", required=True) or ""
    documents = _documents(fields)
    most = fields.integer("top_n", 1, MOST_DOCUMENTS) or len(documents)
    shown = fields.flag("return_documents")
    scores = [(score(query, document), index) for index, document in enumerate(documents)]
    scores.sort(key=lambda pair: (-pair[0], pair[1]))
    results: list[dict[str, Any]] = [
        {"index": index, "relevance_score": found}
        | ({"document": {"text": documents[index]}} if shown else {})
        for found, index in scores[:most]
    ]
    tokens = count(query) * len(documents) + sum(map(count, documents))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    body = {"id": asked.id("rerank-"), "model": model, "results": results, "usage": usage}
    return Reply(body, prompt_tokens=tokens)


def score(query: str, document: str) -> float:
    """The share of the query's words that the document has too."""
    wanted = set(_WORD.findall(query.lower()))
    found = set(_WORD.findall(document.lower()))
    return round(len(wanted & found) / len(wanted), 4) if wanted else 0.0


def _documents(fields: Fields) -> list[str]:
    """Texts, or objects with a text."""
    value = fields.need("documents")
    if not isinstance(value, list):
        raise fields.wrong_type("documents", "an array")
    if not value:
        raise fields.empty("documents")
    if len(value) > MOST_DOCUMENTS:
        raise fields.too_long("documents", MOST_DOCUMENTS, len(value))
    texts = [one.get("text") if isinstance(one, dict) else one for one in value]
    found = [text for text in texts if isinstance(text, str)]
    if len(found) < len(texts):
        raise fields.wrong_type("documents", "an array of strings or of objects with a text")
    return found
