"""Faults of an upstream x {plain, stream} x {base URL, CONNECT+TLS h1, CONNECT+TLS h2}.

The first upstream fails, the second answers: the client sees one good answer, the ledger one failed
row that owes nothing and one complete row with the tokens that the second upstream counted.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.books import check_books, rows
from kit.clients import WAYS, Way
from kit.sidecars import QUICK, running

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}

BOTH = {
    "refuse": "refused",
    "close": "reset",
    "reset": "reset",
    "429": "http_429",
    "429:2": "http_429",
    "408": "http_408",
    "500": "http_500",
    "502": "http_502",
    "503": "http_503",
    "529": "http_529",
    "401": "http_401",
    "402": "http_402",
    "403": "http_403",
    "404-model": "http_404",
    "stall_head": "first_byte_timeout",
    "html": "bad_answer",
    "error_in_200": None,
}
STREAM_ONLY = {"stall_first": "first_byte_timeout", "startup_then_error": None}
PLAIN_ONLY = {"truncated_json": None, "empty": "bad_answer"}

CASES = [(f, s) for f in BOTH for s in (False, True)]
CASES += [(f, True) for f in STREAM_ONLY] + [(f, False) for f in PLAIN_ONLY]
CODES = BOTH | STREAM_ONLY | PLAIN_ONLY


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize(
    ("fault", "stream"), CASES, ids=[f"{f}-{'stream' if s else 'plain'}" for f, s in CASES]
)
async def test_a_failed_upstream_is_followed_by_the_next(tmp_path, fault, stream, way: Way):
    """B-081, A-053, A-070, C-104: any failure before the first output moves on to the next target."""
    times = "{connect: 0.4, first_byte: 0.4, idle: 0.4, total: 5}"
    async with running(tmp_path, timeouts=times) as sidecar:
        if fault == "refuse":
            await sidecar.upstreams[0].refuse()
        else:
            sidecar.upstreams[0].script([fault])
        reply = await sidecar.call({**CHAT, "stream": stream}, way)
        assert (reply.status, reply.clean) == (200, True), reply.body
        assert reply.headers["x-wattline-provider"] == "p1"
        assert reply.headers["x-wattline-attempts"] == "2"
        if stream:
            assert reply.events[-1] == "[DONE]"
            usage = reply.events[-2]["usage"]
        else:
            usage = reply.json()["usage"]
        assert usage["energy"] == usage["total_tokens"] / 2 * 1.5
    failed, complete = rows(sidecar.state)
    assert (failed["state"], failed["energy"]) == ("failed", None)
    assert CODES[fault] is None or failed["error"] == CODES[fault]
    assert (complete["state"], complete["source"]) == ("complete", "provider")
    check_books(sidecar)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_all_upstreams_fail(tmp_path, stream, way: Way):
    """A-073, A-154: the reasons are gathered, without the upstreams' own words."""
    async with running(tmp_path) as sidecar:
        sidecar.upstreams[0].script(["500"])
        sidecar.upstreams[1].script(["close"])
        reply = await sidecar.call({**CHAT, "stream": stream}, way)
        assert reply.status == 500
        body = reply.json()
        assert body["error"]["message"].startswith("All providers unavailable: ")
        assert "p0" in body["error"]["message"]
        assert reply.headers["x-should-retry"] == "false"
        assert body["status"] == "error"
    check_books(sidecar)


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_all_upstreams_limit(tmp_path, way: Way):
    """Decision 13: when every reason is a rate limit, 429 with the earliest Retry-After."""
    async with running(tmp_path) as sidecar:
        sidecar.upstreams[0].script(["429:30"])
        sidecar.upstreams[1].script(["429:7"])
        reply = await sidecar.call(CHAT, way)
        assert reply.status == 429
        assert reply.headers["retry-after"] == "7"
    check_books(sidecar)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("fault", ["400", "413", "422"])
async def test_the_clients_own_mistake_is_passed_through(tmp_path, fault, way: Way):
    """A-151: no other target is tried for a request that is wrong."""
    async with running(tmp_path) as sidecar:
        sidecar.upstreams[0].script([fault])
        reply = await sidecar.call(CHAT, way)
        assert reply.status == int(fault)
        assert reply.headers["x-wattline-attempts"] == "1"
        assert len(sidecar.upstreams[1].journal.requests) == 0
    check_books(sidecar)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("fault", ["cut:3", "stall_mid:3", "error_mid:3", "cut_clean:3"])
async def test_a_break_after_output_is_told_and_metered(tmp_path, fault, way: Way):
    """A cut stream never gets a clean end: an error event, then the connection or stream breaks."""
    times = "{connect: 1, first_byte: 2, idle: 1, total: 10}"
    # What breaks in the same read as the first output is tried elsewhere: a busy machine must not join them.
    paced = replace(QUICK, token_speed=8)
    async with running(tmp_path, timeouts=times, knobs=paced) as sidecar:
        sidecar.upstreams[0].script([fault])
        reply = await sidecar.call({**CHAT, "stream": True}, way)
        assert reply.status == 200
        assert not reply.clean
        assert reply.events[-1]["error"]["code"] == "upstream_broke_off"
        assert "[DONE]" not in reply.events
        assert len(sidecar.upstreams[1].journal.requests) == 0
    (row,) = rows(sidecar.state)
    assert row["state"] == "truncated"
    assert row["completion"] >= 1
    check_books(sidecar)


@pytest.mark.parametrize(
    "fault",
    [
        "malformed",
        "one_byte",
        "split_utf8",
        "crlf",
        "many_pings",
        "events_after_done",
        "slow_drip:0.01",
    ],
)
async def test_odd_but_whole_streams_are_passed(tmp_path, fault):
    """A strange stream that ends as it should is no failure."""
    async with running(
        tmp_path, timeouts="{connect: 1, first_byte: 5, idle: 5, total: 30}"
    ) as sidecar:
        sidecar.upstreams[0].script([fault])
        body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
        reply = await sidecar.call(body)
        assert (reply.status, reply.clean) == (200, True)
        assert reply.body.rstrip().endswith(b"data: [DONE]")
        assert reply.headers["x-wattline-provider"] == "p0"
    (row,) = rows(sidecar.state)
    assert row["state"] == "complete"
    check_books(sidecar)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("fault", "source", "flag"),
    [
        ("usage_absent", "estimated", "no_usage"),
        ("usage_zero", "provider", None),
        ("usage_twice", "provider", None),
        ("usage_negative", "estimated", "bad_usage"),
        ("usage_huge", "estimated", "bad_usage"),
        ("usage_string", "estimated", "bad_usage"),
        ("usage_nan", None, None),
    ],
)
async def test_usage_that_can_not_be_true_is_estimated_and_flagged(
    tmp_path, fault, source, flag, stream
):
    """A-055: 0 stays 0, a missing or impossible count is an estimate and says so."""
    async with running(tmp_path) as sidecar:
        sidecar.upstreams[0].script([fault])
        reply = await sidecar.call({**CHAT, "stream": stream})
        assert reply.status == 200
    row = rows(sidecar.state)[-1]
    assert row["state"] == "complete"
    if source:
        assert row["source"] == source
    if flag:
        assert flag in row["flags"]
    if fault == "usage_zero":
        assert (row["prompt"], row["completion"], row["energy"]) == (0, 0, 0)
