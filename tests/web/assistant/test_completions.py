"""`POST /completions` and `/dialog`, through real sockets."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from kit.assistant import ADMIN, KEYED, assisting, told
from kit.books import check_books, rows
from kit.clients import REVERSE, client
from kit.outages import read_only
from wattline.service.dialogs.turns import Turns

ROOM = "dialogs: {waiting: 100}\n"


def answer_of(reply):
    assert reply.status == 200, reply.body
    return reply.json()["choices"][0]["message"]["content"]


def pairs_of(assistant):
    """Headers of a request that a test sends itself."""
    host, port = assistant.running.address
    return [("host", f"{host}:{port}"), ("authorization", f"Bearer {ADMIN}")]


async def test_a_dialog(assistant):
    """A-021, A-022, A-029: the history goes along, and question and answer are added to it."""
    first = await assistant.say("user_123", "What is 2+2?")
    second = await assistant.say("user_123", "And twice that?")
    kept = [
        ("user", "What is 2+2?"),
        ("assistant", answer_of(first)),
        ("user", "And twice that?"),
        ("assistant", answer_of(second)),
    ]
    assert await assistant.messages("user_123") == kept
    sent = [(m["role"], m["content"]) for m in assistant.sent()[1]]
    assert sent == kept[:3]


async def test_the_user_pays(assistant):
    """A-134: the ledger's row is the user's, and what it owes is what its client is told."""
    reply = await assistant.say("ann")
    energy = reply.json()["usage"]["energy"]
    (row,) = rows(assistant.running.state)
    assert row["principal"] == "ann"
    assert row["energy"] == energy * 1_000_000 > 0
    assert row["dialect"] == "assistant"
    assert row["call"] == reply.headers["x-wattline-call"]
    assert (await assistant.token("ann"))["tokens_gpt"] == 10_000 - energy


async def test_system_messages(assistant):
    """A-063: the request's own, else the user's, else none; an empty one is none."""

    async def first_sent(**more):
        answer_of(await assistant.say("ann", **more))
        return assistant.sent()[-1][0]

    assert (await first_sent())["role"] == "user"
    assert await first_sent(systemMessage="You are a weather assistant.") == {
        "role": "system",
        "content": "You are a weather assistant.",
    }
    assert told(await assistant.get("/system-message", "ann")) == (404, "system_message_not_found")
    assert told(await assistant.ask("DELETE", "/system-message", userId="ann"))[0] == 404
    for method, body in (("PUT", {"message": "Кратко."}), ("POST", {"systemMessage": "Коротко."})):
        reply = await assistant.ask(method, "/system-message", {"userId": "ann", **body})
        (text,) = body.values()
        assert reply.json() == {"userId": "ann", "systemMessage": text}
        assert (await assistant.get("/system-message", "ann")).json() == reply.json()
        assert await first_sent() == {"role": "system", "content": text}
    assert (await first_sent(systemMessage="Other."))["content"] == "Other."
    assert (await first_sent(systemMessage=""))["role"] == "user"
    assert (await first_sent(systemMessage=None))["content"] == "Коротко."
    reply = await assistant.ask("DELETE", "/system-message", userId="ann")
    assert reply.json() == {"deleted": True}
    assert (await first_sent())["role"] == "user"
    assert all(role != "system" for role, _ in await assistant.messages("ann"))


async def test_a_model_without_system_messages(tmp_path):
    """A-022, A-058: the text is not lost, and no system message is sent."""
    async with assisting(tmp_path) as assistant:
        rules = assistant.running.rules
        text = rules.read_text().replace("  m0: {provider", "  m0: {adapt: [no_system], provider")
        rules.write_text(text)
        await assistant.running.sidecar.books.fresh()
        answer_of(await assistant.say("ann", "Hello", systemMessage="Be brief."))
        assert assistant.sent()[0] == [{"role": "user", "content": "Be brief.\n\nHello"}]


@pytest.mark.parametrize("stream", [False, True])
async def test_cyrillic_and_others(assistant, stream):
    """Text goes through and comes back as it was, whatever its script."""
    texts = [
        "Привет, как дела?",
        "你好 👋🏽",
        "a\u0000b\u2028c",
        "'; DROP TABLE messages; --",
        "%_%",
    ]
    for text in texts:
        assert (await assistant.say("ann", text, stream=stream)).status == 200
    kept = await assistant.messages("ann")
    assert [content for role, content in kept if role == "user"] == texts
    assert [m["content"] for m in assistant.sent()[-1]] == [content for _, content in kept[:-1]]


async def test_a_stream(assistant):
    """A-022, A-060: it comes as it is made, and the dialog has it before the client has the end marker."""
    upstream = assistant.running.upstreams[0]
    upstream.script(["stall_mid:3"])
    body = {"model": "m", "content": "hi", "userId": "ann", "stream": True}
    asking = await client(assistant.running.address, REVERSE, None)
    await asking.send("POST", "/completions", pairs_of(assistant), json.dumps(body).encode())
    pieces = asking.pieces()
    assert b"data: " in await anext(pieces)
    assert await assistant.messages("ann") == []
    upstream.release()
    async for piece in pieces:
        if b"[DONE]" in piece:
            assert len(assistant.running.sidecar.ledger.dialogs.read("ann").messages) == 2
    reply = asking.reply
    asking.close()
    assert (reply.status, reply.clean) == (200, True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = reply.events
    assert events[-1] == "[DONE]"
    assert events[-2]["usage"]["energy"] > 0
    text = "".join(
        c["delta"].get("content") or "" for e in events[:-1] for c in e.get("choices") or []
    )
    assert await assistant.messages("ann") == [("user", "hi"), ("assistant", text)]


async def test_clearing(assistant):
    """A-028: gone for the next question, for the pages and from the file."""
    await assistant.say("ann", "a very particular question")
    await assistant.say("bob", "something else")
    for _ in range(2):
        reply = await assistant.ask("DELETE", "/dialog", userId="ann")
        assert reply.json() == {"cleared": True}
    assert await assistant.messages("ann") == []
    await assistant.say("ann", "new")
    assert [m["content"] for m in assistant.sent()[-1]] == ["new"]
    assert len(await assistant.messages("bob")) == 2


async def test_what_was_cleared_is_not_in_the_file(tmp_path):
    """T26: overwritten, not only unlinked; also what was forgotten as too old."""
    canary, old = "canary-7f3a9c51-in-a-dialog", "canary-55aa01f2-too-old"
    async with assisting(tmp_path, extra="dialogs: {messages: 2}\n") as assistant:
        await assistant.say("ann", canary)
        await assistant.say("bob", old * 200)
        await assistant.say("bob", "next")
        await assistant.ask("PUT", "/system-message", {"userId": "ann", "message": canary})
        await assistant.ask("DELETE", "/system-message", userId="ann")
        await assistant.ask("DELETE", "/dialog", userId="ann")
    found = [p for p in (tmp_path / "state").rglob("*") if p.is_file()]
    assert any(p.name == "ledger.sqlite" for p in found)
    for path in found:
        data = path.read_bytes()
        assert canary.encode() not in data, path
        assert old.encode() not in data, path


async def test_no_text_of_a_dialog_is_logged(assistant, caplog):
    caplog.set_level("DEBUG")
    await assistant.say("ann", "canary-in-a-question", systemMessage="canary-in-a-system")
    await assistant.say("ann", "canary-in-a-question", temperature="canary-bad")
    await assistant.say("ann", "canary" * 3, model="no-such-model")
    assert "canary" not in caplog.text


async def test_failures_add_nothing(assistant, caplog):
    """A-154, A-155, A-157: an error in the assistant's shape, and the dialog as it was."""
    upstream = assistant.running.upstreams[0]
    answer_of(await assistant.say("ann", "one"))
    before = await assistant.messages("ann")
    upstream.always("500")
    for stream in (False, True):
        reply = await assistant.say("ann", "two", stream=stream)
        assert told(reply) == (500, "all_providers_failed")
        assert reply.json()["error"].startswith("All providers unavailable: p0 http_500")
        assert reply.headers["x-should-retry"] == "false"
    upstream.always("400")
    assert (await assistant.say("ann", "two")).json()["status"] == "error"
    upstream.always("cut:3")
    broken = await assistant.say("ann", "two", stream=True)
    assert not broken.clean
    assert broken.events[-1]["status"] == "error"
    assert broken.events[-1]["code"] == "upstream_broke_off"
    assert not [record for record in caplog.records if record.name == "uvicorn.error"]
    upstream.always("ok")
    assert await assistant.messages("ann") == before
    assert told(await assistant.say("ann", "two", model="no-such"))[0] == 404
    assert await assistant.messages("ann") == before


async def test_failover_within_a_dialog(tmp_path):
    """The next provider gets the same history; it is added once."""
    async with assisting(tmp_path, 2) as assistant:
        assistant.running.upstreams[0].always("503")
        answer_of(await assistant.say("ann", "one"))
        answer_of(await assistant.say("ann", "two"))
        assert assistant.sent(0)[1] == assistant.sent(1)[1]
        assert len(await assistant.messages("ann")) == 4
    check_books(assistant.running)


async def test_trimming_by_messages(tmp_path):
    """A-061: the oldest go first, and are gone."""
    async with assisting(tmp_path, extra="dialogs: {messages: 4}\n") as assistant:
        for number in range(4):
            answer_of(await assistant.say("ann", f"question {number}"))
        kept = await assistant.messages("ann")
        assert [c for r, c in kept if r == "user"] == ["question 2", "question 3"]
        assert [m["content"] for m in assistant.sent()[-1] if m["role"] == "user"] == [
            "question 2",
            "question 3",
        ]


async def test_trimming_by_tokens(tmp_path):
    """A-061: and what is sent begins with a question."""
    async with assisting(tmp_path, extra="dialogs: {tokens: 200}\n") as assistant:
        answer_of(await assistant.say("ann", "old " * 300))
        answer_of(await assistant.say("ann", "new"))
        assert assistant.sent()[-1] == [{"role": "user", "content": "new"}]
        answer_of(await assistant.say("ann", "x" * 4000))
        answer_of(await assistant.say("ann", "last"))
        assert [c for r, c in await assistant.messages("ann") if r == "user"] == ["last"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_says_it_is_too_long(tmp_path, stream):
    """The older half is left out and the question asked once more; what is kept stays."""
    async with assisting(tmp_path) as assistant:
        for number in range(4):
            answer_of(await assistant.say("ann", f"question {number}"))
        upstream = assistant.running.upstreams[0]
        upstream.script(["context_length"])
        assert (await assistant.say("ann", "now", stream=stream)).status == 200
        first, second = assistant.sent()[-2:]
        assert len(first) == 9
        assert second == first[-len(second) :]
        assert 1 < len(second) < 9
        assert second[0]["role"] == "user"
        assert len(await assistant.messages("ann")) == 10
        upstream.always("context_length")
        before = len(assistant.sent())
        reply = await assistant.say("ann", "again", stream=stream)
        assert told(reply)[0] == 400
        assert len(assistant.sent()) == before + 2  # once more, and no further
        assert len(await assistant.messages("ann")) == 10
        await assistant.ask("DELETE", "/dialog", userId="ann")
        before = len(assistant.sent())
        assert told(await assistant.say("ann", "alone"))[0] == 400
        assert len(assistant.sent()) == before + 1  # there was nothing to leave out
    check_books(assistant.running)


async def test_too_long_for_every_provider_of_a_rule(tmp_path):
    """`on: [context_length]` tries the others first."""
    async with assisting(tmp_path, 2) as assistant:
        rules = assistant.running.rules
        text = rules.read_text().replace("try: model}", "try: model, on: [context_length]}")
        rules.write_text(text)
        await assistant.running.sidecar.books.fresh()
        for _ in range(3):
            answer_of(await assistant.say("ann", "question"))
        for upstream in assistant.running.upstreams:
            upstream.script(["context_length"])
        answer_of(await assistant.say("ann", "now"))
        counts = [upstream.journal.count for upstream in assistant.running.upstreams]
        assert counts == [5, 1]
    check_books(assistant.running)


async def test_one_at_a_time_in_their_order(tmp_path):
    """Completions of one dialog side by side: each has those before it in its history."""
    async with assisting(tmp_path, extra=ROOM) as assistant:
        asked = (assistant.say("ann", f"question {number}") for number in range(12))
        answers = [answer_of(reply) for reply in await asyncio.gather(*asked)]
        kept = await assistant.messages("ann")
        assert [role for role, _ in kept] == ["user", "assistant"] * 12
        questions = [content for role, content in kept if role == "user"]
        assert sorted(questions) == sorted(f"question {number}" for number in range(12))
        for place, question in enumerate(questions):
            assert kept[2 * place + 1][1] == answers[int(question.split()[1])]
        assert [len(messages) for messages in assistant.sent()] == list(range(1, 24, 2))
    check_books(assistant.running)


async def test_dialogs_do_not_wait_for_each_other_and_a_queue_has_a_bound(tmp_path):
    """One more than may wait is told to come again."""
    async with assisting(tmp_path, extra="dialogs: {waiting: 2}\n") as assistant:
        await assistant.token("ann")
        upstream = assistant.running.upstreams[0]
        upstream.script(["stall_head"])
        asked = [asyncio.ensure_future(assistant.say("ann", f"q{n}")) for n in range(10)]
        async with asyncio.timeout(20):
            while sum(task.done() for task in asked) < 7:
                await asyncio.wait(
                    [task for task in asked if not task.done()], return_when="FIRST_COMPLETED"
                )
        answer_of(await assistant.say("bob"))
        upstream.release()
        replies = await asyncio.gather(*asked)
        assert Counter(reply.status for reply in replies) == {200: 3, 429: 7}
        busy = [reply for reply in replies if reply.status == 429]
        assert {told(reply)[1] for reply in busy} == {"dialog_busy"}
        assert {reply.headers["retry-after"] for reply in busy} == {"1"}
        assert len(assistant.running.sidecar.ledger.dialogs.read("ann").messages) == 6
    check_books(assistant.running)


async def test_of_50_concurrent_completions_a_balance_for_3_admits_3(tmp_path):
    """A-134, A-153, T28: and the message says what it is."""
    async with assisting(tmp_path, extra="dialogs: {waiting: 100, messages: 2}\n") as assistant:
        answer_of(await assistant.say("bob", max_tokens=100))
        (row,) = rows(assistant.running.state)
        hold, cost = row["hold"], row["energy"]
        await assistant.running.sidecar.parts.callers.accounts.create_user(
            "ann", start=2 * cost + hold
        )
        asked = (assistant.say("ann", max_tokens=100) for _ in range(50))
        replies = await asyncio.gather(*asked)
        assert Counter(reply.status for reply in replies) == {200: 3, 429: 47}
        refused = [reply for reply in replies if reply.status == 429]
        assert {told(reply)[1] for reply in refused} == {"insufficient_balance"}
        assert {reply.json()["error"] for reply in refused} == {"Insufficient balance"}
        assert not any("retry-after" in reply.headers for reply in refused)
        assert assistant.running.sidecar.parts.callers.accounts.balance("ann") == hold - cost
        assert len(assistant.running.upstreams[0].journal.requests) == 4
    check_books(assistant.running)


async def test_the_bonus_account(tmp_path):
    """A-119: free while its balance is above; its dialog goes on as any other."""
    extra = "accounts: {bonus_user: '666', bonus_above: 100000}\n"
    async with assisting(tmp_path, extra=extra) as assistant:
        body = {"operation": "add", "amount": 95_000}
        assert (await assistant.ask("PUT", "/token", body, userId="666")).json()[
            "tokens_gpt"
        ] == 105_000
        reply = await assistant.say(666)
        assert reply.json()["usage"]["energy"] == 0
        assert (await assistant.token("666"))["tokens_gpt"] == 105_000
        for amount, left in (("4999.999999", 100_000.000001), ("0.000001", 100_000)):
            assert (await assistant.say(666)).json()["usage"]["energy"] == 0
            body = {"operation": "subtract", "amount": amount}
            changed = await assistant.ask("PUT", "/token", body, userId="666")
            assert changed.json()["tokens_gpt"] == left
        assert (await assistant.say("666")).json()["usage"]["energy"] > 0
        assert (await assistant.token("666"))["tokens_gpt"] < 100_000
        assert [row["flags"] for row in rows(assistant.running.state)] == ['["bonus"]'] * 3 + ["[]"]
    check_books(assistant.running)


async def test_windows_budgets_and_models_of_the_key_apply(tmp_path):
    """The call is the user's, whoever sent it."""
    extra = "tiers: {free: {rpm: 2}}\n"
    async with assisting(tmp_path, extra=extra) as assistant:
        accounts = assistant.running.sidecar.parts.callers.accounts
        await accounts.create_user("ann")
        issued = await accounts.create_key("ann", tier="free", models=("m",))
        assert told(await assistant.say("ann", model="m0")) == (403, "model_not_allowed")
        statuses = [(await assistant.say("ann")).status for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert told(await assistant.say("ann")) == (429, "rate_limit_exceeded")
        await accounts.change_key(issued.key.id, tier=None)
        await accounts.disable_key(issued.key.id)
        assert told(await assistant.say("ann")) == (403, "user_disabled")
        await accounts.enable_key(issued.key.id)
        await accounts.disable_user("ann")
        assert told(await assistant.say("ann")) == (403, "user_disabled")
    check_books(assistant.running)


async def test_a_token_renewed_meanwhile_stops_nothing(assistant):
    """The completion was asked for with the master token, not with the user's."""
    upstream = assistant.running.upstreams[0]
    token = await assistant.token("ann")
    upstream.script(["stall_head"])
    asked = asyncio.ensure_future(assistant.say("ann"))
    waiting = asyncio.ensure_future(assistant.say("ann", "next"))
    await upstream.journal.wait_for(lambda entry: entry.stalled)
    await assistant.ask("POST", "/token", userId="ann")
    upstream.release()
    answer_of(await asked)
    answer_of(await waiting)
    assert (await assistant.chat(token["id"])).status == 401


async def test_a_dialog_cleared_meanwhile_stays_clear(assistant):
    upstream = assistant.running.upstreams[0]
    answer_of(await assistant.say("ann", "before"))
    upstream.script(["stall_head"])
    asked = asyncio.ensure_future(assistant.say("ann", "secret"))
    await upstream.journal.wait_for(lambda entry: entry.stalled)
    await assistant.ask("DELETE", "/dialog", userId="ann")
    upstream.release()
    answer_of(await asked)
    assert await assistant.messages("ann") == []
    answer_of(await assistant.say("ann", "after"))
    assert [m["content"] for m in assistant.sent()[-1]] == ["after"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves(assistant, stream):
    """Its call is ended and settled, its turn is over, and nothing is added."""
    upstream = assistant.running.upstreams[0]
    upstream.script(["stall_mid:2" if stream else "stall_head"])
    body = {"model": "m", "content": "hi", "userId": "ann", "stream": stream}
    pairs = pairs_of(assistant)
    leaving = await client(assistant.running.address, REVERSE, None)
    await leaving.send("POST", "/completions", pairs, json.dumps(body).encode())
    await upstream.journal.wait_for(lambda entry: entry.stalled)
    leaving.abort()
    answer_of(await assistant.say("ann", "next"))
    assert [c for r, c in await assistant.messages("ann") if r == "user"] == ["next"]
    states = [row["state"] for row in rows(assistant.running.state)]
    assert states == ["aborted", "complete"]
    upstream.release()


async def test_a_client_that_waits_and_leaves(tmp_path, monkeypatch):
    """Its place in the queue is given back, and it is never asked for."""
    turns = Turns()
    monkeypatch.setattr("wattline.service.dialogs.dialogs.Turns", lambda: turns)

    async def queued(count):
        async with asyncio.timeout(20):
            while (line := turns._lines.get("ann")) is None or line.count != count:
                await asyncio.sleep(0.005)

    async with assisting(tmp_path, extra="dialogs: {waiting: 1}\n") as assistant:
        upstream = assistant.running.upstreams[0]
        upstream.script(["stall_head"])
        first = asyncio.ensure_future(assistant.say("ann", "first"))
        await upstream.journal.wait_for(lambda entry: entry.stalled)
        body = json.dumps({"model": "m", "content": "gone", "userId": "ann"}).encode()
        gone = await client(assistant.running.address, REVERSE, None)
        await gone.send("POST", "/completions", pairs_of(assistant), body)
        await queued(2)
        assert told(await assistant.say("ann", "full")) == (429, "dialog_busy")
        gone.abort()
        await queued(1)
        second = asyncio.ensure_future(assistant.say("ann", "second"))
        await queued(2)
        upstream.release()
        answer_of(await first)
        answer_of(await second)
        questions = [c for r, c in await assistant.messages("ann") if r == "user"]
        assert questions == ["first", "second"]
        assert len(turns) == 0
    check_books(assistant.running)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_stop_lets_completions_end(tmp_path, stream):
    """Within its grace the call ends, is paid and kept."""
    async with assisting(tmp_path) as assistant:
        upstream = assistant.running.upstreams[0]
        await assistant.token("ann")
        upstream.script(["stall_mid:2" if stream else "stall_head"])
        asked = asyncio.ensure_future(assistant.say("ann", stream=stream))
        await upstream.journal.wait_for(lambda entry: entry.stalled)
        stopping = asyncio.ensure_future(assistant.running.sidecar.stop(grace=20))
        await asyncio.sleep(0)
        upstream.release()
        await stopping
        reply = await asked
        assert (reply.status, reply.clean) == (200, True)
    assert [row["state"] for row in rows(tmp_path / "state")] == ["complete"]
    async with assisting(tmp_path) as assistant:
        assert len(await assistant.messages("ann")) == 2


async def test_a_stop_ends_the_others(tmp_path):
    """Each is settled, and nothing is added."""
    async with assisting(tmp_path) as assistant:
        upstream = assistant.running.upstreams[0]
        await assistant.token("ann")
        upstream.always("stall_head")
        asked = [asyncio.ensure_future(assistant.say(user)) for user in ("ann", "ann", "bob")]
        await upstream.journal.wait_for(lambda entry: entry.stalled, count=2)
        await assistant.running.sidecar.stop(grace=0)
        for reply in await asyncio.gather(*asked):
            assert (reply.status, reply.clean) == (503, True)
        upstream.release()
    states = [row["state"] for row in rows(tmp_path / "state")]
    assert len(states) == 2
    assert "sent" not in states


async def test_bad_questions(assistant):
    """A-151: the member at fault is named; nobody is made, nothing is sent."""
    good = {"model": "m", "content": "hi", "userId": "ann"}
    bad = [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 7}, "model"),
        ({"model": "x" * 301}, "model"),
        ({"content": None}, "content"),
        ({"content": ""}, "content"),
        ({"content": ["hi"]}, "content"),
        ({"content": {"text": "hi"}}, "content"),
        ({"content": "x" * 1_000_001}, "content"),
        ({"userId": None}, "userId"),
        ({"userId": ""}, "userId"),
        ({"userId": True}, "userId"),
        ({"userId": 1.5}, "userId"),
        ({"userId": -1}, "userId"),
        ({"userId": ["ann"]}, "userId"),
        ({"userId": "a b"}, "user"),
        ({"userId": "../ann"}, "user"),
        ({"userId": "%"}, "user"),
        ({"systemMessage": 7}, "systemMessage"),
        ({"systemMessage": "x" * 100_001}, "systemMessage"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
    ]
    for change, param in bad:
        reply = await assistant.ask("POST", "/completions", {**good, **change})
        assert told(reply)[0] == 400, change
        assert reply.json()["param"] == param
    for raw in (
        b"",
        b"[]",
        b"{",
        b'{"model":"m","model":"m"}',
        b"\xff",
        b'{"a":' * 40 + b"1" + b"}" * 40,
    ):
        assert told(await assistant.ask("POST", "/completions", raw))[0] == 400
    for raw in (rb'{"model":"m","content":"\ud800","userId":"ann"}',):
        assert told(await assistant.ask("POST", "/completions", raw))[0] == 400
    huge = json.dumps({**good, "content": "x" * 5_000_000}).encode()
    assert told(await assistant.ask("POST", "/completions", huge)) == (413, "body_too_large")
    assert assistant.running.sidecar.parts.callers.accounts.store.user("ann") is None
    assert assistant.sent() == []


async def test_bad_options_are_told_and_others_left_out(assistant):
    assert told(await assistant.say("ann", temperature=9))[0] == 400
    answer_of(await assistant.say("ann", max_tokens=5, temperature=0.5, messages=[], n=7, x={}))
    body = json.loads(assistant.running.upstreams[0].journal.requests[-1].body)
    assert (body["max_tokens"], body["temperature"]) == (5, 0.5)
    assert "n" not in body
    assert "x" not in body
    assert [m["content"] for m in body["messages"]] == ["hi"]


async def test_while_the_ledger_is_down(assistant):
    """503 before anything is sent; the dialog can be read."""
    answer_of(await assistant.say("ann", "before"))
    async with read_only(assistant.running.sidecar.ledger):
        assert told(await assistant.say("ann", "now")) == (503, "ledger_down")
        assert told(await assistant.say("new", "now")) == (503, "ledger_down")
        for method, path, body in (
            ("DELETE", "/dialog", b""),
            ("PUT", "/system-message", {"userId": "ann", "message": "x"}),
            ("DELETE", "/system-message", b""),
        ):
            reply = await assistant.ask(method, path, body, userId="ann")
            assert told(reply) == (503, "ledger_down")
        assert len(await assistant.messages("ann")) == 2
    assert len(assistant.sent()) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_can_not_be_kept_is_given(assistant, stream):
    """It was paid for. The header says that the dialog does not have it."""
    upstream = assistant.running.upstreams[0]
    await assistant.token("ann")
    upstream.script(["stall_head"])
    asked = asyncio.ensure_future(assistant.say("ann", stream=stream))
    await upstream.journal.wait_for(lambda entry: entry.stalled)
    async with read_only(assistant.running.sidecar.ledger):
        upstream.release()
        reply = await asked
    assert reply.status == 200
    assert reply.clean
    if not stream:
        assert reply.headers["x-wattline-dialog"] == "not-kept"
    assert await assistant.messages("ann") == []
    async with asyncio.timeout(10):
        while rows(assistant.running.state)[-1]["state"] == "sent":
            await asyncio.sleep(0.05)  # it looks again by itself


async def test_an_idempotency_key_asks_once(assistant):
    """The same question with the same key is asked, paid and added once."""
    body = {"model": "m", "content": "hi", "userId": "ann"}
    headers = [("idempotency-key", "one-question-0001")]
    first = await assistant.ask("POST", "/completions", body, headers=headers)
    again = await assistant.ask("POST", "/completions", body, headers=headers)
    assert first.body == again.body
    assert len(assistant.sent()) == 1
    assert len(await assistant.messages("ann")) == 2


async def test_dialogs_outlive_a_restart(tmp_path):
    async with assisting(tmp_path) as assistant:
        answer_of(await assistant.say("ann", "one"))
        kept = await assistant.messages("ann")
    async with assisting(tmp_path) as assistant:
        assert await assistant.messages("ann") == kept
        answer_of(await assistant.say("ann", "two"))
        assert [m["content"] for m in assistant.sent()[0]] == [*(c for _, c in kept), "two"]


async def test_in_open_mode_the_user_pays_too(tmp_path):
    async with assisting(tmp_path) as assistant:
        rules = assistant.running.rules
        rules.write_text(rules.read_text().replace(KEYED, "auth: {mode: open}\n"))
        await assistant.running.sidecar.books.fresh()
        answer_of(await assistant.say("ann"))
        assert told(await assistant.say("ann", master=None))[0] == 401
    (row,) = rows(tmp_path / "state")
    assert row["principal"] == "ann"
