from __future__ import annotations

import pytest

from wattline.demo.asked import Asked
from wattline.demo.check import Refused
from wattline.demo.rerank import rerank, score

DOCUMENTS = ["a dog", {"text": "Learning is fun"}, "what"]
ASK = {"model": "m", "query": "what is learning", "documents": DOCUMENTS}


def test_the_best_comes_first():
    reply = rerank(Asked(1, 0, ASK))
    assert [one["index"] for one in reply.body["results"]] == [1, 2, 0]
    assert "document" not in reply.body["results"][0]
    assert reply.body["usage"]["total_tokens"] == reply.prompt_tokens > 0


def test_only_so_many_and_with_their_texts():
    reply = rerank(Asked(1, 0, ASK | {"top_n": 1, "return_documents": True}))
    (only,) = reply.body["results"]
    assert only["document"] == {"text": "Learning is fun"}


@pytest.mark.parametrize(("query", "found"), [("", 0.0), ("dog", 1.0), ("A CAT", 0.5)])
def test_scores(query, found):
    assert score(query, "a dog") == found


@pytest.mark.parametrize(
    "changes",
    [
        {"model": None},
        {"query": None},
        {"query": 3},
        {"documents": None},
        {"documents": "x"},
        {"documents": []},
        {"documents": [3]},
        {"documents": [{"title": "x"}]},
        {"documents": ["x"] * 1001},
        {"top_n": 0},
        {"return_documents": "yes"},
    ],
)
def test_what_is_refused(changes):
    with pytest.raises(Refused) as refused:
        rerank(Asked(1, 0, ASK | changes))
    assert refused.value.param == next(iter(changes))
