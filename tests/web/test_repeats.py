"""Idempotency-Key on our own pages, through real sockets: what changes something changes it once."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from kit.clients import REVERSE, Reply, client
from kit.pages import BASE, Pages
from kit.sidecars import Running, running
from wattline.base.clock import ManualClock

CHANGE, CHANGING = f"{BASE}/change", f"{BASE}/changing"
AUTH = """
auth:
  mode: keys
  keys: {ann: "${ANN}", bob: "${BOB}"}
"""
KEYS = {"ANN": "key-of-ann-0123456789", "BOB": "key-of-bob-0123456789"}
MASTER = "f3b1c97de04a4a5d9e7c11aa82d5b6e0"


@pytest.fixture
async def site(tmp_path):
    pages = Pages()
    async with running(tmp_path, 1, extra=AUTH, env={**KEYS, "ADMIN_FIRST": MASTER}) as sidecar:
        pages.add(sidecar)
        yield sidecar, pages


async def change(
    sidecar: Running,
    name: str | None = "one",
    *,
    body: object = b"{}",
    who: str | None = "ANN",
    path: str = CHANGE,
    method: str = "PUT",
) -> Reply:
    headers = [] if name is None else [("idempotency-key", name)]
    if who is not None:
        headers.append(("authorization", f"Bearer {KEYS.get(who, who)}"))
    return await sidecar.call(body, path=path, method=method, headers=headers)


def code(reply: Reply) -> tuple[int, str]:
    error = reply.json()["error"]
    return reply.status, error.get("code") or error["type"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_twice_changes_once(site, method):
    """Issue 4, A-025: the second has the first one's answer, marked, with headers of its own exchange."""
    sidecar, pages = site
    first = await change(sidecar, method=method)
    again = await change(sidecar, method=method)
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body == b'{"change":1}'
    assert "x-wattline-idempotent" not in first.headers
    assert again.headers["x-wattline-idempotent"] == "replay"
    assert again.headers["x-of-the-page"] == "yes"
    assert again.headers["x-content-type-options"] == "nosniff"
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert again.headers["content-length"] == first.headers["content-length"]
    assert pages.changes == 1
    assert (await change(sidecar, None, method=method)).json() == {"change": 2}
    assert (await change(sidecar, None, method=method)).json() == {"change": 3}


async def test_another_request_with_the_key(site):
    sidecar, pages = site
    await change(sidecar)
    for more in ({"body": b'{"a": 1}'}, {"path": f"{CHANGE}?a=1"}, {"method": "POST"}):
        reply = await change(sidecar, **more)
        assert reply.status == 422
        assert "Idempotency-Key" in reply.json()["error"]["message"]
    call = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    reply = await change(sidecar, body=call, path="/v1/chat/completions", method="POST")
    assert code(reply) == (422, "idempotency_key_reused")
    assert pages.changes == 1
    assert not sidecar.upstreams[0].journal.requests


def rows_of(sidecar: Running) -> int:
    connection = sqlite3.connect(f"file:{sidecar.state / 'ledger.sqlite'}?mode=ro", uri=True)
    count: int = connection.execute("SELECT count(*) FROM repeats").fetchone()[0]
    connection.close()
    return count


async def test_whose_key_it_is(site):
    """Each principal has its own; so has the holder of the master token."""
    sidecar, pages = site
    for who in ("ANN", "BOB", MASTER):
        assert "x-wattline-idempotent" not in (await change(sidecar, who=who)).headers
    for who in ("ANN", "BOB", MASTER):
        reply = await change(sidecar, who=who)
        assert reply.headers["x-wattline-idempotent"] == "replay"
    assert pages.changes == 3


async def test_strangers_write_nothing(site):
    """Whoever has no right credential claims no key: the page says what it says without the header."""
    sidecar, pages = site
    for who in ("sk-nobody-0123456789", None):
        for _ in range(2):
            assert "x-wattline-idempotent" not in (await change(sidecar, who=who)).headers
    await change(sidecar, "x" * 256, who=None)
    for path in ("/api/admin/users", "/v1/generate_key", "/token?masterToken=wrong&userId=a"):
        await change(sidecar, who=None, path=path, method="POST")
    assert rows_of(sidecar) == 0
    assert pages.changes == 5


@pytest.mark.parametrize("path", ["/api/show", "/v5/api/show", "/api/v1/auth/login"])
async def test_what_changes_nothing_is_not_kept(site, path):
    """Even of those who may: a POST that only reads, or gives a token."""
    sidecar, _ = site
    body = {"model": "m", "email": "a@example.com", "password": "a-long-password-1"}
    for _ in range(2):
        reply = await change(sidecar, body=body, path=path, method="POST")
        assert "x-wattline-idempotent" not in reply.headers
        assert reply.status != 409
    assert rows_of(sidecar) == 0


async def test_the_way_of_a_credential_makes_no_difference(site):
    """The same caller, the same key: Bearer, x-api-key, the query."""
    sidecar, pages = site
    ways = {
        "ANN": [("authorization", f"Bearer {KEYS['ANN']}"), ("x-api-key", KEYS["ANN"]), None],
        MASTER: [("authorization", f"Bearer {MASTER}"), None],
    }
    for secret, shown in ways.items():
        for number, header in enumerate(shown):
            path, headers = CHANGE, [("idempotency-key", "one")]
            if header is None and secret is MASTER:
                path += f"?masterToken={MASTER}"
            elif header is None:
                path += f"?key={KEYS['ANN']}"
            else:
                headers.append(header)
            reply = await sidecar.call(b"{}", path=path, method="PUT", headers=headers)
            assert ("x-wattline-idempotent" in reply.headers) == (number > 0)
    assert pages.changes == 2


async def test_registering_twice_makes_one_user(tmp_path):
    """E-040: strangers may do it, so an address has ten claims a minute."""
    new = {"email": "ann@example.com", "password": "correct horse battery", "name": "Ann"}
    path = "/api/v1/auth/register"
    async with running(tmp_path, 1, extra="auth: {mode: jwt}\n", clock=ManualClock()) as sidecar:

        async def register(name: str, body: object) -> Reply:
            return await change(sidecar, name, body=body, who=None, path=path, method="POST")

        first, again = await register("one", new), await register("one", new)
        assert (first.status, again.status) == (201, 201)
        assert again.body == first.body
        statuses = [(await register(f"x{number}", {})).status for number in range(20)]
        assert statuses == [400] * 8 + [429] * 12
        assert rows_of(sidecar) == 1


async def test_while_it_runs(site):
    sidecar, pages = site
    first = asyncio.ensure_future(change(sidecar, body={"wait": True}))
    await asyncio.wait_for(pages.began.wait(), 10)
    replies = await asyncio.gather(*(change(sidecar, body={"wait": True}) for _ in range(20)))
    assert {reply.status for reply in replies} == {409}
    assert {reply.headers["retry-after"] for reply in replies} == {"1"}
    pages.go.set()
    assert (await first).status == 201
    again = await change(sidecar, body={"wait": True})
    assert again.headers["x-wattline-idempotent"] == "replay"
    assert pages.changes == 1


async def test_a_client_that_left_has_its_answer_kept(site):
    """What it asked for happens, once."""
    sidecar, pages = site
    connection = await client(sidecar.address, REVERSE, None)
    headers = [("host", "localhost"), ("idempotency-key", "one")]
    headers.append(("authorization", f"Bearer {KEYS['ANN']}"))
    await connection.send("PUT", CHANGE, headers, b'{"wait":true}')
    await asyncio.wait_for(pages.began.wait(), 10)
    connection.abort()
    pages.go.set()
    async with asyncio.timeout(30):
        while (reply := await change(sidecar, body=b'{"wait":true}')).status == 409:
            await asyncio.sleep(0.01)
    assert reply.headers["x-wattline-idempotent"] == "replay"
    assert pages.changes == 1


@pytest.mark.parametrize("fail", [400, 401, 404, 429, 500, 503, "bug"])
async def test_what_failed_is_tried_again(site, fail):
    sidecar, pages = site
    for _ in range(2):
        reply = await change(sidecar, body={"fail": fail})
        assert reply.status == (500 if fail == "bug" else fail)
        assert "x-wattline-idempotent" not in reply.headers
    assert pages.changes == (0 if fail == "bug" else 2)


async def test_a_stream_is_given_again_as_it_was(site):
    sidecar, pages = site
    pages.go.set()
    first = await change(sidecar, path=CHANGING, method="POST")
    again = await change(sidecar, path=CHANGING, method="POST")
    assert again.body == first.body == b"data: 1\n\ndata: 2\n\n"
    assert again.headers["content-type"].startswith("text/event-stream")
    assert again.headers["x-wattline-idempotent"] == "replay"
    assert pages.changes == 1


async def test_a_stream_that_broke_off_is_not(site):
    sidecar, pages = site
    pages.go.set()
    pages.gone.set()
    first = await change(sidecar, path=CHANGING, method="POST")
    assert not first.clean
    again = await change(sidecar, path=CHANGING, method="POST")
    assert again.status == 409
    assert "not made again" in again.json()["error"]["message"]
    assert pages.changes == 1


@pytest.mark.parametrize("value", ["", "x" * 256])
async def test_a_key_that_is_none(site, value):
    sidecar, pages = site
    reply = await change(sidecar, value)
    assert reply.status == 400
    assert pages.changes == 0


async def test_reading_needs_no_key(site):
    """GET has no effect: the header says nothing there, and costs no row."""
    sidecar, _ = site
    for _ in range(2):
        reply = await change(sidecar, path=f"{BASE}/seen", method="GET", body=b"")
        assert "x-wattline-idempotent" not in reply.headers
    connection = sqlite3.connect(f"file:{sidecar.state / 'ledger.sqlite'}?mode=ro", uri=True)
    assert connection.execute("SELECT count(*) FROM repeats").fetchone() == (0,)
    connection.close()
