"""Counting tokens where the chosen provider can't."""

from __future__ import annotations

import pytest

from kit.sidecars import running

PROMPT = "How many tokens is this, about?"
ASKED = [
    (
        "/v1/messages/count_tokens",
        {"model": "m", "messages": [{"role": "user", "content": PROMPT}]},
        "input_tokens",
    ),
    (
        "/v1beta/models/m:countTokens",
        {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]},
        "totalTokens",
    ),
]


@pytest.mark.parametrize(("path", "body", "key"), ASKED)
async def test_an_estimate_says_that_it_is_one_and_asks_nobody(tmp_path, path, body, key):
    async with running(tmp_path) as now:
        reply = await now.call(body, path=path)
        assert reply.status == 200
        assert 5 <= reply.json()[key] <= 30
        assert "x-wattline-estimated" in reply.headers
        assert reply.headers["x-wattline-attempts"] == "0"
        assert now.upstreams[0].journal.count == 0


async def test_an_unknown_model_is_still_unknown(tmp_path):
    async with running(tmp_path) as now:
        body = {"model": "nope", "messages": [{"role": "user", "content": PROMPT}]}
        reply = await now.call(body, path="/v1/messages/count_tokens")
        assert reply.status == 404
        assert reply.json()["type"] == "error"
