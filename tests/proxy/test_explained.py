"""`x-wattline-explain`: where a call would go, asked of the sidecar itself, without making the call."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from kit.clients import WAYS, Way
from kit.sidecars import running

BODY = {"model": "m", "messages": [{"role": "user", "content": "a secret of the caller"}]}
ASK = [("x-wattline-explain", "1")]


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_nothing_is_sent_and_the_plan_is_told(tmp_path: Path, way: Way) -> None:
    async with running(tmp_path) as run:
        reply = await run.call(BODY, way, headers=ASK)
        assert (reply.status, reply.headers["x-wattline-explain"]) == (200, "1")
        told = reply.json()
        assert told["plan"]["rule"] == "by-model"
        assert [t["target"] for t in told["targets"]] == ["p0/up0", "p1/up1"]
        assert {t["credential"] for t in told["targets"]} == {"present"}
        assert {t["breaker"] for t in told["targets"]} == {"closed"}
        assert not any(upstream.journal.count for upstream in run.upstreams)
        assert "a secret of the caller" not in reply.body.decode()
        assert "sk-secret" not in reply.body.decode()


async def test_it_is_logged_and_counted_as_what_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path) as run:
        caplog.set_level("INFO", "wattline.requests")
        assert (await run.call(BODY, headers=ASK)).status == 200
        await run.call(BODY)
        counts = run.sidecar.parts.records.settlement.counts
        assert counts.requests == {("none", "explained"): 1, ("p0", "success"): 1}
        first, second = (r.getMessage() for r in caplog.records if r.name == "wattline.requests")
        assert "by-model: no target, explained, status 200, attempts 0" in first
        assert "p0/up0, complete, status 200" in second


async def test_the_request_is_compared_by_path(tmp_path: Path) -> None:
    extra = """
    rules:
      - name: set
        when: {}
        try: model
        set: {defaults: {top_p: 0.5}, override: {temperature: 0}}
    """
    text = _with_rules(extra)
    async with running(tmp_path, text=text) as run:
        reply = await run.call({**BODY, "temperature": 1, "stream": True}, headers=ASK)
        request = reply.json()["requests"][0]
        changes = {one["path"]: (one["was"], one["becomes"]) for one in request["changes"]}
        assert changes["$.model"] == ("'m'", "'up0'")
        assert changes["$.temperature"] == ("1", "0")
        assert changes["$.top_p"] == (None, "0.5")
        assert changes["$.stream_options.include_usage"] == (None, "true")
        assert request["path"] == "/v1/chat/completions"
        assert request["rewritten"] is None


def _with_rules(extra: str) -> str:
    head = """
    version: 1
    health: {breaker: false}
    providers:
      p0: {url: "http://127.0.0.1:9/v1", key: "${KEY_0}", dialect: openai}
    models:
      m: {provider: p0, name: up0, rate: '2.0'}
    """
    return textwrap.dedent(head) + textwrap.dedent(extra)


async def test_no_window_is_taken(tmp_path: Path) -> None:
    extra = "windows: {each: {calls: 1, per: 60s, scope: principal}}"
    async with running(tmp_path, extra=extra) as run:
        for _ in range(3):
            told = (await run.call(BODY, headers=ASK)).json()
            assert told["refused"] is None
        assert (await run.call(BODY)).status == 200
        told = (await run.call(BODY, headers=ASK)).json()
        assert "1 of 1 calls" in told["refused"]
        assert (await run.call(BODY)).status == 429


@pytest.mark.parametrize("word", ["0", "false", ""])
async def test_an_explanation_that_is_not_wanted_is_none(tmp_path: Path, word: str) -> None:
    async with running(tmp_path) as run:
        reply = await run.call(BODY, headers=[("x-wattline-explain", word)])
        assert reply.status == 200
        assert reply.json()["choices"]


async def test_what_can_mean_both_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        reply = await run.call(BODY, headers=[("x-wattline-explain", "maybe")])
        assert reply.status == 400
        assert "not made" in reply.json()["error"]["message"]


async def test_only_admins_are_told(tmp_path: Path) -> None:
    extra = """
    auth:
      mode: keys
      keys: {ann: {key: "${ANN}", role: admin}, bob: "${BOB}"}
    """
    env = {"ANN": "sk-ann-0123456789abcdef", "BOB": "sk-bob-0123456789abcdef"}
    async with running(tmp_path, extra=extra, env=env) as run:
        for name, status in (("ANN", 200), ("BOB", 403)):
            headers = [*ASK, ("authorization", f"Bearer {env[name]}")]
            reply = await run.call(BODY, headers=headers)
            assert reply.status == status
        assert reply.json()["error"]["code"] == "explain_not_allowed"
        assert not any(upstream.journal.count for upstream in run.upstreams)


async def test_an_explanation_under_an_idempotency_key_is_not_the_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        key = ("idempotency-key", "k-1")
        assert "plan" in (await run.call(BODY, headers=[*ASK, key])).json()
        assert (await run.call(BODY, headers=[key])).json()["choices"]
