"""Windows through the whole sidecar: of providers (the next one is tried) and of callers (429)."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from kit.books import check_books, rows
from kit.clients import REVERSE, call, client
from kit.sidecars import running

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
LIMIT = 4


async def apply(sidecar, old, new):
    """Another version of the rules, in force on the next call."""
    text = sidecar.rules.read_text()
    assert text.count(old) == 1
    sidecar.rules.write_text(text.replace(old, new))
    await sidecar.sidecar.books.fresh()
    assert sidecar.sidecar.books.error is None


def with_rpm(calls):
    return "    key: ${KEY_0}\n", f"    key: ${{KEY_0}}\n    rpm: {calls}\n"


async def many(sidecar, count, body=CHAT, **more):
    return await asyncio.gather(*(sidecar.call(body, **more) for _ in range(count)))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("over", [1, 6])
async def test_calls_beyond_a_providers_window_go_to_the_next(tmp_path, over, stream):
    """C-080, C-081: of N + k concurrent calls exactly N reach a provider with room for N."""
    async with running(tmp_path) as sidecar:
        await apply(sidecar, *with_rpm(LIMIT))
        for upstream in sidecar.upstreams:
            upstream.always("stall_head")  # none ends before all have been decided on
        asked = asyncio.ensure_future(many(sidecar, LIMIT + over, {**CHAT, "stream": stream}))
        for upstream, count in zip(sidecar.upstreams, (LIMIT, over), strict=True):
            await upstream.journal.wait_for(lambda entry: entry.stalled, count=count)
        for upstream in sidecar.upstreams:
            upstream.release()
        replies = await asked
        assert [reply.status for reply in replies] == [200] * (LIMIT + over)
        by = Counter(reply.headers["x-wattline-provider"] for reply in replies)
        assert by == {"p0": LIMIT, "p1": over}
        assert [upstream.journal.count for upstream in sidecar.upstreams] == [LIMIT, over]
        # What was used stays used after the answers, too.
        sidecar.upstreams[1].clear()
        later = await sidecar.call(CHAT)
        assert later.headers["x-wattline-provider"] == "p1"
    assert {row["state"] for row in rows(sidecar.state)} == {"complete"}
    check_books(sidecar)


@pytest.mark.parametrize("fault", ["500", "close", "html", "stall_head"])
async def test_failed_calls_give_their_slot_back(tmp_path, fault):
    """C-082, decision 6: only successes count in the end."""
    async with running(tmp_path, timeouts="{first_byte: 0.3, total: 5}") as sidecar:
        await apply(sidecar, *with_rpm(2))
        sidecar.upstreams[0].script([fault] * 5)
        for _ in range(5):
            reply = await sidecar.call(CHAT)
            assert reply.headers["x-wattline-provider"] == "p1"
            assert reply.headers["x-wattline-attempts"] == "2"
        replies = [await sidecar.call(CHAT) for _ in range(3)]
        by = [reply.headers["x-wattline-provider"] for reply in replies]
        assert by == ["p0", "p0", "p1"]
        assert replies[2].headers["x-wattline-attempts"] == "1"
    check_books(sidecar)


async def test_a_client_that_leaves_keeps_its_slot_taken(tmp_path):
    """It was sent: an aborted call counts as a call."""
    async with running(tmp_path) as sidecar:
        await apply(sidecar, *with_rpm(1))
        sidecar.upstreams[0].script(["stall_head"])
        asked = asyncio.ensure_future(sidecar.call(CHAT))
        await sidecar.upstreams[0].journal.wait_for(lambda entry: entry.stalled)
        asked.cancel()
        await sidecar.upstreams[0].journal.wait_for(lambda entry: entry.ended is not None)
        reply = await sidecar.call(CHAT)
        assert reply.headers["x-wattline-provider"] == "p1"
    check_books(sidecar)


async def test_all_providers_at_their_windows(tmp_path):
    """Decision 13: every reason is a rate limit, so 429 with the time until the first is free."""
    async with running(tmp_path, 1) as sidecar:
        await apply(sidecar, *with_rpm(2))
        replies = await many(sidecar, 5)
        assert Counter(reply.status for reply in replies) == {200: 2, 429: 3}
        for reply in replies:
            if reply.status == 429:
                assert reply.json()["error"]["code"] == "rate_limit_exceeded"
                assert 55 <= int(reply.headers["retry-after"]) <= 60
        assert sidecar.upstreams[0].journal.count == 2
    check_books(sidecar)


WINDOW = """
windows:
  callers: {{calls: {calls}, per: 60s, scope: {scope}}}
"""
KEYS = """
auth:
  mode: keys
  keys: {ann: "${ANN}", bob: "${BOB}"}
"""
ENV = {"ANN": "key-of-ann-0123456789", "BOB": "key-of-bob-0123456789"}


def bearer(name):
    return [("authorization", f"Bearer {ENV[name]}")]


@pytest.mark.parametrize("scope", ["principal", "address", "global"])
async def test_calls_beyond_a_callers_window_are_refused(tmp_path, scope):
    """Decision 10, D-079: 429 with Retry-After, before any provider is asked; each scope counts
    whom it names."""
    extra = WINDOW.format(calls=LIMIT, scope=scope) + KEYS
    async with running(tmp_path, 1, extra=extra, env=ENV) as sidecar:
        ann = await many(sidecar, LIMIT + 3, headers=bearer("ANN"))
        assert Counter(reply.status for reply in ann) == {200: LIMIT, 429: 3}
        for reply in ann:
            if reply.status == 429:
                error = reply.json()["error"]
                assert error["code"] == "rate_limit_exceeded"
                assert "callers" in error["message"]
                assert 55 <= int(reply.headers["retry-after"]) <= 60
        bob = await sidecar.call(CHAT, headers=bearer("BOB"))
        assert bob.status == (200 if scope == "principal" else 429)
        admitted = LIMIT + (scope == "principal")
        assert sidecar.upstreams[0].journal.count == admitted
    assert len(rows(sidecar.state)) == admitted
    check_books(sidecar)


async def test_the_window_that_lasts_longest_answers(tmp_path):
    """Decision 10: every window counts; the tightest is the one that a caller hears of."""
    extra = """
    windows:
      short: {calls: 1, per: 10s, scope: principal}
      long: {calls: 1, per: 1h, scope: global}
    """
    async with running(tmp_path, 1, extra=extra) as sidecar:
        assert (await sidecar.call(CHAT)).status == 200
        reply = await sidecar.call(CHAT)
        assert reply.status == 429
        assert 3_590 <= int(reply.headers["retry-after"]) <= 3_600
        assert "long" in reply.json()["error"]["message"]
    check_books(sidecar)


async def test_a_window_survives_a_reload(tmp_path):
    """A saved edit of something else must not hand out new slots."""
    async with running(tmp_path) as sidecar:
        await apply(sidecar, *with_rpm(1))
        assert (await sidecar.call(CHAT)).headers["x-wattline-provider"] == "p0"
        await apply(sidecar, "name: up1, rate: '2.0'", "name: up1, rate: '3.0'")
        assert (await sidecar.call(CHAT)).headers["x-wattline-provider"] == "p1"
    check_books(sidecar)


async def test_a_refused_call_is_told_in_a_stream_of_calls_on_one_connection(tmp_path):
    """A 429 does not cost the client its connection."""
    extra = WINDOW.format(calls=1, scope="global")
    async with running(tmp_path, 1, extra=extra) as sidecar:
        connection = await client(sidecar.address, REVERSE, None)
        statuses = []
        for _ in range(3):
            reply = await call(sidecar.address, REVERSE, None, CHAT, over=connection)
            statuses.append(reply.status)
        assert statuses == [200, 429, 429]
        connection.close()
    check_books(sidecar)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_callers_tokens_are_those_that_were_used(tmp_path, stream):
    """E-080: what a call used counts, its answer too, not what was expected before it."""
    extra = "windows: {spent: {tokens: 30, per: 60s, scope: principal}}"
    async with running(tmp_path, 1, extra=extra) as sidecar:
        reply = await sidecar.call({**CHAT, "stream": stream})
        assert reply.status == 200
        usage = reply.events[-2]["usage"] if stream else reply.json()["usage"]
        assert usage["total_tokens"] > 22  # and its prompt was expected to be 8
        reply = await sidecar.call({**CHAT, "stream": stream})
        assert reply.status == 429
        assert "spent" in reply.json()["error"]["message"]
    check_books(sidecar)
