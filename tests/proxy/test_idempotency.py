"""Idempotency-Key on calls, through real sockets: one key, one upstream call, one debit."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3

import openai
import pytest

from kit.books import check_books, rows
from kit.clients import CONNECT_H2, REVERSE, WAYS, H1Client, Reply, call, client
from kit.outages import back, read_only
from kit.processes import SidecarProcess
from kit.providers.fleet import fleet
from kit.sidecars import QUICK, Running, rules, running
from wattline.base.clock import ManualClock
from wattline.demo.provider import DemoProvider

PATH = "/v1/chat/completions"
AUTH = """
auth:
  mode: keys
  keys: {ann: "${ANN}", bob: "${BOB}"}
"""
KEYS = {"ANN": "key-of-ann-0123456789", "BOB": "key-of-bob-0123456789"}
SMALL = "limits: {idempotency_bytes: 65536}\n"


def body(text: str = "hello", *, stream: bool = False) -> dict[str, object]:
    turns = [{"role": "user", "content": text}]
    return {"model": "m", "stream": stream, "messages": turns}


def key(value: str = "one", secret: str | None = None) -> list[tuple[str, str]]:
    bearer = [] if secret is None else [("authorization", f"Bearer {secret}")]
    return [("idempotency-key", value), *bearer]


def asked(sidecar: Running) -> int:
    return sum(len(upstream.journal.requests) for upstream in sidecar.upstreams)


def code(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json()["error"]["code"]


def kept_rows(sidecar: Running) -> list[tuple[str, int]]:
    connection = sqlite3.connect(f"file:{sidecar.state / 'ledger.sqlite'}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT state, at FROM repeats ORDER BY at").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_same_again_gives_the_first_answer(tmp_path, way, stream):
    """Issue 4: same key and body replays, a stream as a stream, byte for byte, at no cost."""
    async with running(tmp_path, 1) as sidecar:
        first = await sidecar.call(body(stream=stream), way, path=PATH, headers=key())
        again = await sidecar.call(
            body(stream=stream), way, path=PATH, headers=[*key(), ("x-request-id", "second")]
        )
        assert first.status == again.status == 200
        assert again.clean
        assert again.body == first.body
        assert "x-wattline-idempotent" not in first.headers
        assert again.headers["x-wattline-idempotent"] == "replay"
        assert again.headers["content-type"] == first.headers["content-type"]
        for name in ("x-wattline-provider", "x-wattline-model", "x-wattline-rule"):
            assert again.headers[name] == first.headers[name]
        assert again.headers["x-request-id"] == "second"
        assert again.headers["x-wattline-call"] != first.headers["x-wattline-call"]
        assert asked(sidecar) == 1
        assert [row["state"] for row in rows(sidecar.state)] == ["complete"]
        check_books(sidecar)


async def test_fifty_at_once_are_one_call(tmp_path):
    """Issue 4: one upstream call, one debit; the others are told to wait, and then have the answer."""
    async with running(tmp_path, 1) as sidecar:
        sidecar.upstreams[0].script(["slow_drip:0.1"])
        replies = await asyncio.gather(*(sidecar.call(body(), headers=key()) for _ in range(50)))
        good = [reply for reply in replies if reply.status == 200]
        busy = [reply for reply in replies if reply.status == 409]
        assert (len(good), len(busy)) == (1, 49)
        for reply in busy:
            assert code(reply) == (409, "idempotency_key_in_use")
            assert reply.headers["retry-after"] == "1"
            assert reply.headers["x-should-retry"] == "true"
        assert (await sidecar.call(body(), headers=key())).body == good[0].body
        assert asked(sidecar) == 1
        assert len(rows(sidecar.state)) == 1
        check_books(sidecar)


async def test_repeats_are_counted_and_logged_in_words_of_their_own(tmp_path, caplog):
    """A replay is no success of a provider's, and a key that was used no ordinary refusal."""
    caplog.set_level("INFO", logger="wattline.requests")
    async with running(tmp_path, 1) as sidecar:
        counts = sidecar.sidecar.parts.records.settlement.counts
        first = await sidecar.call(body(), headers=key())
        assert (await sidecar.call(body(), headers=key())).body == first.body
        assert code(await sidecar.call(body("other"), headers=key()))[0] == 422
        assert (await sidecar.call(body(), headers=key("x" * 300))).status == 400
        assert counts.requests == {
            ("p0", "success"): 1,
            ("none", "replayed"): 1,
            ("none", "repeated"): 1,
            ("none", "refused"): 1,
        }
        assert sum(counts.attempts.values()) == 1
        shown = (await sidecar.call(b"", path="/metrics", method="GET")).body.decode()
        assert 'gateway_requests_total{provider="none",status="replayed"} 1' in shown
        assert 'gateway_requests_total{provider="none",status="repeated"} 1' in shown
    lines = [record for record in caplog.records if record.name == "wattline.requests"]
    told = [(line.args.get("outcome"), line.args["status"]) for line in lines]
    assert told == [("complete", 200), ("replayed", 200), ("repeated", 422), ("refused", 400)]
    assert len({line.args["request_id"] for line in lines}) == 4
    assert "idempotency_key_reused" in lines[2].getMessage()


async def leave(connection: H1Client) -> None:
    connection.abort()
    with contextlib.suppress(ConnectionError):
        await connection.writer.wait_closed()


async def started(sidecar: Running, over, raw: bytes) -> None:
    """One call on a connection of its own, until its upstream has it."""
    upstream = sidecar.upstreams[0]
    before = len(upstream.journal.requests)
    host = [("host", "localhost"), ("content-type", "application/json")]
    await over.send("POST", PATH, [*host, *key()], raw)
    await upstream.journal.wait_for(lambda _: len(upstream.journal.requests) > before)


async def test_another_request_with_the_key_is_422(tmp_path):
    """Draft, 2.7: while the first runs and after it; body, path and method count, headers don't."""
    async with running(tmp_path, 1) as sidecar:
        sidecar.upstreams[0].script(["stall_mid:3"])
        connection = await client(sidecar.address, REVERSE, None)
        await started(sidecar, connection, json.dumps(body(stream=True)).encode())
        reused = (422, "idempotency_key_reused")
        in_use = (409, "idempotency_key_in_use")
        assert code(await sidecar.call(body("other"), headers=key())) == reused
        assert code(await sidecar.call(body(stream=True), headers=key())) == in_use
        await leave(connection)
        sidecar.upstreams[0].script([])
        await sidecar.call(body(), headers=key("two"))
        assert code(await sidecar.call(body("other"), headers=key("two"))) == reused
        assert code(await sidecar.call(body(), path=f"{PATH}?a=1", headers=key("two"))) == reused
        other = await sidecar.call(body(), path="/v1/responses", headers=key("two"))
        assert code(other) == reused
        assert other.headers["x-should-retry"] == "false"
        same = await sidecar.call(body(), headers=[*key('"two"'), ("x-stainless-retry-count", "1")])
        assert same.headers["x-wattline-idempotent"] == "replay"


async def test_each_principal_has_keys_of_its_own(tmp_path):
    async with running(tmp_path, 1, extra=AUTH, env=KEYS) as sidecar:
        for secret in KEYS.values():
            reply = await sidecar.call(body(), headers=key(secret=secret))
            assert "x-wattline-idempotent" not in reply.headers
        again = await sidecar.call(body(), headers=key(secret=KEYS["ANN"]))
        assert again.headers["x-wattline-idempotent"] == "replay"
        assert (await sidecar.call(body(), headers=key())).status == 401
        assert asked(sidecar) == 2


BAD = ["", '""', "x" * 256, "caf\u00e9", "a\tb"]


@pytest.mark.parametrize("value", BAD, ids=range(len(BAD)))
async def test_a_key_that_is_none(tmp_path, value):
    async with running(tmp_path, 1) as sidecar:
        reply = await sidecar.call(body(), headers=[("idempotency-key", value.encode())])
        assert code(reply) == (400, "invalid_idempotency_key")
        twice = await sidecar.call(body(), headers=[*key("a"), *key("b")])
        assert code(twice) == (400, "invalid_idempotency_key")
        assert asked(sidecar) == 0


FAILED = [
    ("503", 500),
    ("429", 429),
    ("400", 400),
]


@pytest.mark.parametrize(("fault", "status"), FAILED, ids=[fault for fault, _ in FAILED])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_what_failed_before_it_cost_anything_is_tried_again(tmp_path, fault, status, stream):
    async with running(tmp_path, 1) as sidecar:
        sidecar.upstreams[0].script([fault])
        failed = await sidecar.call(body(stream=stream), headers=key())
        assert failed.status == status
        sidecar.sidecar.parts.memory.resting.clear()
        sidecar.upstreams[0].script([])
        again = await sidecar.call(body(stream=stream), headers=key())
        assert again.status == 200
        assert "x-wattline-idempotent" not in again.headers
        assert asked(sidecar) == 2
        assert (await sidecar.call({"model": "none"}, headers=key("bad"))).status >= 400
        assert (await sidecar.call(body(), headers=key("bad"))).status == 200


async def test_a_client_that_left_before_an_answer_may_try_again(tmp_path):
    """An SDK's timeout: the first call is aborted as any other, and the retry is a call."""
    async with running(tmp_path, 1, timeouts="{first_byte: 20, idle: 20, total: 30}") as sidecar:
        upstream = sidecar.upstreams[0]
        upstream.script(["stall_head"])
        connection = await client(sidecar.address, REVERSE, None)
        await started(sidecar, connection, json.dumps(body()).encode())
        assert (await sidecar.call(body(), headers=key())).status == 409
        await leave(connection)
        async with asyncio.timeout(30):
            await upstream.journal.wait_for(lambda record: record.ended is not None)
            upstream.script([])
            while (reply := await sidecar.call(body(), headers=key())).status == 409:
                await asyncio.sleep(0.01)
        assert reply.status == 200
        assert "x-wattline-idempotent" not in reply.headers
    assert [row["state"] for row in rows(sidecar.state)] == ["aborted", "complete"]


@pytest.mark.parametrize("way", ["upstream", "client"])
async def test_a_stream_that_was_cut_is_not_given_again_as_a_whole(tmp_path, way):
    """It was paid for, so it is not made again either."""
    async with running(tmp_path, 1) as sidecar:
        upstream = sidecar.upstreams[0]
        upstream.script(["cut:5" if way == "upstream" else "stall_mid:5"])
        connection = await client(sidecar.address, REVERSE, None)
        host = [("host", "localhost"), ("content-type", "application/json")]
        raw = json.dumps(body(stream=True)).encode()
        await connection.send("POST", PATH, [*host, *key()], raw)
        pieces = connection.pieces()
        await anext(pieces)
        if way == "client":
            await leave(connection)
            await upstream.journal.wait_for(lambda record: record.ended is not None)
        else:
            async for _ in pieces:
                pass
            assert not connection.reply.clean
            connection.close()
        upstream.script([])
        async with asyncio.timeout(30):
            while code(reply := await sidecar.call(raw, headers=key()))[1] != (
                "idempotency_answer_gone"
            ):
                await asyncio.sleep(0.01)
        assert reply.status == 409
        assert reply.headers["x-should-retry"] == "false"
        assert asked(sidecar) == 1


async def test_an_answer_that_is_too_large_is_not_kept(tmp_path):
    """And not made again."""
    async with running(tmp_path, 1, extra=SMALL) as sidecar:
        sidecar.upstreams[0].always("tokens:5000")
        for stream in (True, False):
            name = key(f"of {stream}")
            first = await sidecar.call(body(stream=stream), headers=name)
            assert first.clean
            assert len(first.body) > 8_192
            again = await sidecar.call(body(stream=stream), headers=name)
            assert code(again) == (409, "idempotency_answer_gone")
        once = sidecar.sidecar.parts.calls.once
        assert once.kept.filling == 0
        assert asked(sidecar) == 2


async def test_memory_is_bounded(tmp_path):
    """The least asked for goes first; its key is still used up."""
    async with running(tmp_path, 1, extra=SMALL) as sidecar:
        for number in range(100):
            assert (await sidecar.call(body(), headers=key(str(number)))).status == 200
        once = sidecar.sidecar.parts.calls.once
        assert once.kept.size <= 65_536
        newest = await sidecar.call(body(), headers=key("99"))
        assert newest.headers["x-wattline-idempotent"] == "replay"
        oldest = await sidecar.call(body(), headers=key("0"))
        assert code(oldest) == (409, "idempotency_answer_gone")
        assert code(await sidecar.call(body("x"), headers=key("0")))[0] == 422
        assert asked(sidecar) == 100


async def test_a_key_counts_for_a_day(tmp_path):
    async with running(tmp_path, 1) as sidecar:
        clock, once = ManualClock(), sidecar.sidecar.parts.calls.once
        once._clock = once.kept._clock = clock
        await sidecar.call(body(), headers=key())
        clock.advance(86_399)
        kept = await sidecar.call(body(), headers=key())
        assert kept.headers["x-wattline-idempotent"] == "replay"
        clock.advance(2)
        anew = await sidecar.call(body("other"), headers=key())
        assert anew.status == 200
        assert "x-wattline-idempotent" not in anew.headers
        await sidecar.call(body(), headers=key("old"))
        clock.advance(90_000)
        await sidecar.call(body(), headers=key("new"))
        assert [state for state, _ in kept_rows(sidecar)] == ["done"]


async def test_a_restart_doubles_nothing(tmp_path, nursery):
    """Killed after the answer, and in the middle of one: neither is made again."""
    upstream = DemoProvider(QUICK, allow_faults=True)
    url = await upstream.start()
    path = tmp_path / "rules.yaml"
    path.write_text(rules([f"{url}/v1"]))
    env = {"KEY_0": "sk-secret-of-upstream-0000"}
    process = SidecarProcess(path, tmp_path / "state", env, nursery)
    gone = (409, "idempotency_answer_gone")

    async def ask(text: str, name: str) -> Reply:
        return await call(process.address, REVERSE, None, body(text), headers=key(name))

    try:
        await process.start()
        assert (await ask("done", "done")).status == 200
        upstream.script(["stall_head"])
        running_one = asyncio.ensure_future(ask("running", "running"))
        await upstream.journal.wait_for(lambda _: len(upstream.journal.requests) == 2)
        process.kill()
        await process.process.wait()
        await asyncio.gather(running_one, return_exceptions=True)
        upstream.script([])
        await process.start()
        for text in ("done", "running"):
            assert code(await ask(text, text)) == gone
            assert code(await ask("another", text)) == (422, "idempotency_key_reused")
        assert (await ask("done", "fresh")).status == 200
        assert len(upstream.journal.requests) == 3
    finally:
        if process.process is not None and process.process.returncode is None:
            process.kill()
            await process.process.wait()
        await upstream.stop()


async def test_while_the_ledger_is_down(tmp_path):
    """Nothing begins; the key is free afterwards, though its row could not be deleted."""
    async with running(tmp_path, 1) as sidecar:
        ledger = sidecar.sidecar.ledger
        async with read_only(ledger):
            reply = await sidecar.call(body(), headers=key())
            assert code(reply) == (503, "ledger_down")
        await back(ledger)
        assert (await sidecar.call(body(), headers=key())).status == 200
        once = sidecar.sidecar.parts.calls.once
        claim = await once.begin("a" * 64, "b" * 64, "c" * 64)
        async with read_only(ledger):
            claim.free()
            await sidecar.call(body(), headers=key("other"))
        await back(ledger)
        again = await once.begin("a" * 64, "b" * 64, "c" * 64)
        again.use_up()
        assert asked(sidecar) == 1


async def test_where_calls_go_on_without_a_ledger(tmp_path):
    async with running(tmp_path, 1, extra="ledger: {down: allow}\n", check=False) as sidecar:
        async with read_only(sidecar.sidecar.ledger):
            first = await sidecar.call(body(), headers=key())
            again = await sidecar.call(body(), headers=key())
        assert first.status == 200
        assert again.headers["x-wattline-idempotent"] == "replay"


def form(boundary: str, text: str = "whisper-1") -> bytes:
    lines = [f"--{boundary}", 'content-disposition: form-data; name="model"', "", "m"]
    lines += [f"--{boundary}", 'content-disposition: form-data; name="prompt"', "", text]
    lines += [f"--{boundary}", 'content-disposition: form-data; name="file"; filename="a.wav"', ""]
    return "\r\n".join([*lines, "RIFF" * 100_000, f"--{boundary}--", ""]).encode()


async def test_a_form_is_the_same_with_another_boundary(tmp_path):
    """SDKs draw a new one each time that they try."""
    async with running(tmp_path, 1) as sidecar:

        async def send(boundary: str, text: str = "x") -> Reply:
            kind = ("content-type", f"multipart/form-data; boundary={boundary}")
            connection = await client(sidecar.address, REVERSE, None)
            await connection.send(
                "POST",
                "/v1/audio/transcriptions",
                [("host", "localhost"), kind, *key()],
                form(boundary, text),
            )
            async for _ in connection.pieces():
                pass
            connection.close()
            return connection.reply

        first, again = await send("a1b2c3"), await send("0123456789abcdef")
        assert first.status == 200
        assert again.headers["x-wattline-idempotent"] == "replay"
        assert again.body == first.body
        assert code(await send("a1b2c3", "y")) == (422, "idempotency_key_reused")


ASKED = {
    "openai": (PATH, {"model": "m-openai"}),
    "anthropic": ("/v1/messages", {"model": "m-anthropic", "max_tokens": 50}),
    "ollama": ("/api/chat", {"model": "m-ollama"}),
    "gemini": ("/v1beta/models/m-gemini:streamGenerateContent?alt=sse", {}),
}


@pytest.mark.parametrize("name", ASKED)
async def test_every_dialect(tmp_path, name):
    """Streams of each client's dialect are given again as they were; errors are in its shape."""
    path, asked_for = ASKED[name]
    async with fleet(tmp_path, [name]) as now:
        turns: dict[str, object] = {"messages": [{"role": "user", "content": "one of 42"}]}
        if name == "gemini":
            turns = {"contents": [{"role": "user", "parts": [{"text": "one of 42"}]}]}
        else:
            turns["stream"] = True
        first = await now.call(asked_for | turns, path=path, headers=key())
        again = await now.call(asked_for | turns, path=path, headers=key())
        assert first.status == 200, first.body
        assert again.headers["x-wattline-idempotent"] == "replay"
        assert again.headers["content-type"] == first.headers["content-type"]
        assert again.body == first.body
        other = await now.call(asked_for | turns | {"x": 1}, path=path, headers=key())
        assert other.status == 422
        assert "Idempotency-Key" in json.dumps(other.json()["error"])
        assert now.asked == [name]


async def test_over_http2_one_of_two_streams_on_a_connection(tmp_path):
    async with running(tmp_path, 1) as sidecar:
        first, again = await asyncio.gather(
            *(sidecar.call(body(), CONNECT_H2, headers=key()) for _ in range(2))
        )
        assert sorted((first.status, again.status)) in ([200, 409], [200, 200])
        assert asked(sidecar) == 1


async def test_no_text_is_on_disk(tmp_path):
    async with running(tmp_path, 1) as sidecar:
        await sidecar.call(body("very-private-words"), headers=key("very-private-key"))
    for file in sidecar.state.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert b"very-private" not in data, file


async def test_an_sdk_whose_client_loses_patience(tmp_path):
    """It tries again by itself, with the same key: the second try is a call, and the next one a replay."""
    async with running(tmp_path, 1, timeouts="{first_byte: 20, idle: 20, total: 30}") as sidecar:
        sidecar.upstreams[0].script(["stall_head"])
        host, port = sidecar.address
        async with openai.AsyncOpenAI(
            base_url=f"http://{host}:{port}/v1",
            api_key="sk-none",
            timeout=3.0,
            max_retries=3,
            http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
        ) as sdk:

            async def ask():
                return await sdk.chat.completions.with_raw_response.create(
                    model="m",
                    messages=[{"role": "user", "content": "hello"}],
                    extra_headers={"Idempotency-Key": "of-an-sdk"},
                )

            first, again = await ask(), await ask()
        assert "x-wattline-idempotent" not in first.headers
        assert again.headers["x-wattline-idempotent"] == "replay"
        assert again.content == first.content
        assert asked(sidecar) == 2
    assert [row["state"] for row in rows(sidecar.state)] == ["aborted", "complete"]


async def test_a_key_for_some_models_is_told_no_answers_of_others(tmp_path):
    """Two keys of an account share their Idempotency-Keys; what each may call stays as it is."""
    async with running(tmp_path, 1, extra=AUTH, env=KEYS) as sidecar:
        accounts = sidecar.sidecar.parts.callers.accounts
        await accounts.create_user("carol")
        wide = (await accounts.create_key("carol")).secret
        narrow = (await accounts.create_key("carol", models=("other",))).secret
        right = (await accounts.create_key("carol", models=("m",))).secret
        assert (await sidecar.call(body(), headers=key("one", wide))).status == 200
        reply = await sidecar.call(body(), headers=key("one", narrow))
        assert code(reply) == (403, "model_not_allowed")
        reply = await sidecar.call(body(), headers=key("one", right))
        assert reply.headers["x-wattline-idempotent"] == "replay"
        assert asked(sidecar) == 1


async def test_the_way_of_a_credential_makes_no_difference(tmp_path):
    """A caller of rules.yaml is one whichever header has its key."""
    async with running(tmp_path, 1, extra=AUTH, env=KEYS) as sidecar:
        first = await sidecar.call(body(), headers=key("one", KEYS["ANN"]))
        headers = [("idempotency-key", "one"), ("x-api-key", KEYS["ANN"])]
        again = await sidecar.call(body(), headers=headers)
        assert (first.status, again.status) == (200, 200)
        assert again.headers["x-wattline-idempotent"] == "replay"
        other = await sidecar.call(body(), headers=key("one", KEYS["BOB"]))
        assert "x-wattline-idempotent" not in other.headers
        assert asked(sidecar) == 2
