"""Balances through the whole sidecar: a hold for each call, taken before anything is sent."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter

import pytest

from kit.books import check_books, rows
from kit.sidecars import running

BODY = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
AUTH = """
auth:
  mode: keys
  keys: {ann: "${ANN}", bob: "${BOB}"}
"""
ENV = {"ANN": "key-of-ann-0123456789", "BOB": "key-of-bob-0123456789"}
CALLS = 50


def ask(sidecar, name, body=BODY):
    return sidecar.call(body, headers=[("authorization", f"Bearer {ENV[name]}")])


def account(sidecar, name):
    """Balance and holds, as they are in the file."""
    path = sidecar.state / "ledger.sqlite"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        sql = "SELECT balance, held FROM accounts WHERE principal = ?"
        return connection.execute(sql, (name,)).fetchone()
    finally:
        connection.close()


async def nothing_held(sidecar, name):
    """The answer to a call that owes nothing does not wait for its settlement."""
    async with asyncio.timeout(10):
        while account(sidecar, name)[1]:
            await asyncio.sleep(0.01)


async def hold_of_one(sidecar, body=BODY):
    """What one call holds while it is under way, and costs in the end: from a caller without a limit."""
    assert (await ask(sidecar, "BOB", body)).status == 200
    row = rows(sidecar.state)[-1]
    assert row["energy"] < row["hold"]
    return row["hold"], row["energy"]


def assert_insufficient(reply):
    assert reply.status == 429
    error = reply.json()["error"]
    assert error["code"] == "insufficient_balance"
    assert "retry-after" not in reply.headers
    assert reply.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_of_50_concurrent_calls_a_balance_for_3_admits_3(tmp_path, stream):
    """A-134, A-153: the check and the hold are one step, so that no two calls spend the same money."""
    body = {**BODY, "stream": stream}
    async with running(tmp_path, 1, extra=AUTH, env=ENV) as sidecar:
        upstream = sidecar.upstreams[0]
        hold, cost = await hold_of_one(sidecar, body)
        await sidecar.sidecar.ledger.credit("ann", 3 * hold + hold // 2, "gift")
        upstream.always("stall_head")  # none gives its hold back before all were decided on
        asked = [asyncio.ensure_future(ask(sidecar, "ANN", body)) for _ in range(CALLS)]
        async with asyncio.timeout(20):
            while sum(task.done() for task in asked) < CALLS - 3:
                await asyncio.wait(
                    [task for task in asked if not task.done()],
                    return_when=asyncio.FIRST_COMPLETED,
                )
        await upstream.journal.wait_for(lambda entry: entry.stalled, count=3)
        assert upstream.live == 3
        assert account(sidecar, "ann") == (3 * hold + hold // 2, 3 * hold)
        upstream.release()
        replies = await asyncio.gather(*asked)
        assert Counter(reply.status for reply in replies) == {200: 3, 429: CALLS - 3}
        for reply in replies:
            if reply.status == 429:
                assert_insufficient(reply)
        assert upstream.journal.count == 4
        assert account(sidecar, "ann") == (3 * hold + hold // 2 - 3 * cost, 0)
    assert Counter(row["principal"] for row in rows(sidecar.state)) == {"ann": 3, "bob": 1}
    check_books(sidecar)


async def test_a_call_that_failed_costs_nothing_and_holds_nothing(tmp_path):
    """The hold of a failed attempt is given back before the next target takes its own."""
    async with running(tmp_path, extra=AUTH, env=ENV) as sidecar:
        hold, cost = await hold_of_one(sidecar)
        await sidecar.sidecar.ledger.credit("ann", hold, "gift")
        sidecar.upstreams[0].script(["500"])
        reply = await ask(sidecar, "ANN")
        assert (reply.status, reply.headers["x-wattline-provider"]) == (200, "p1")
        assert account(sidecar, "ann") == (hold - cost, 0)
        assert_insufficient(await ask(sidecar, "ANN"))
        await sidecar.sidecar.ledger.credit("ann", cost, "refill")
        for upstream in sidecar.upstreams:
            upstream.script(["500"])
        assert (await ask(sidecar, "ANN")).status == 500
        await nothing_held(sidecar, "ann")
        assert account(sidecar, "ann") == (hold, 0)
        assert (await ask(sidecar, "ANN")).status == 200
    check_books(sidecar)


async def test_a_client_that_leaves_gives_its_hold_back(tmp_path):
    """What it used is owed; the rest of the hold is not."""
    async with running(tmp_path, 1, extra=AUTH, env=ENV) as sidecar:
        upstream = sidecar.upstreams[0]
        hold, _ = await hold_of_one(sidecar)
        await sidecar.sidecar.ledger.credit("ann", 2 * hold, "gift")
        upstream.script(["stall_mid:3"])
        asked = asyncio.ensure_future(ask(sidecar, "ANN", {**BODY, "stream": True}))
        await upstream.journal.wait_for(lambda entry: entry.stalled)
        assert account(sidecar, "ann") == (2 * hold, hold)
        asked.cancel()
        await nothing_held(sidecar, "ann")
        (row,) = [row for row in rows(sidecar.state) if row["principal"] == "ann"]
        assert row["state"] == "aborted"
        assert account(sidecar, "ann") == (2 * hold - row["energy"], 0)
    check_books(sidecar)


async def test_a_refused_call_gives_its_window_slot_back(tmp_path):
    """It was never sent: others must not find the provider's window taken."""
    async with running(tmp_path, extra=AUTH, env=ENV) as sidecar:
        text = sidecar.rules.read_text()
        sidecar.rules.write_text(text.replace("${KEY_0}\n", "${KEY_0}\n    rpm: 2\n", 1))
        hold, _ = await hold_of_one(sidecar)
        await sidecar.sidecar.ledger.credit("ann", hold - 1, "too little")
        for _ in range(5):
            assert_insufficient(await ask(sidecar, "ANN"))
        assert (await ask(sidecar, "BOB")).headers["x-wattline-provider"] == "p0"
    check_books(sidecar)


async def test_a_limited_balance_does_not_stop_others(tmp_path):
    """A-134: only who has a balance is limited by it."""
    async with running(tmp_path, 1, extra=AUTH, env=ENV) as sidecar:
        await sidecar.sidecar.ledger.credit("ann", 1, "next to nothing")
        assert_insufficient(await ask(sidecar, "ANN"))
        assert (await ask(sidecar, "BOB")).status == 200
    check_books(sidecar)
