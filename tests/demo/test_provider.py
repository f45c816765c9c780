"""The provider as clients and tests meet it: life, order of faults, journal, pace, load."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging

import pytest

from kit.certs import authority
from kit.raw_http import RawClient, ask
from wattline.base.clock import ManualClock, SystemClock
from wattline.demo.journal import Ended, Journal
from wattline.demo.knobs import Knobs
from wattline.demo.provider import DemoProvider

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
EMBED = {"model": "m", "input": "x"}


def _chat(**more):
    return {"model": "m", "messages": [{"role": "user", "content": "hello"}], **more}


class ManualSleep:
    """Sleeps by moving a manual clock; remembers how long."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)
        await asyncio.sleep(0)


async def test_models_are_listed_and_any_name_is_known(provider):
    listed = (await ask(provider.url, "/v1/models", method="GET")).json()
    assert "wattline-demo" in [model["id"] for model in listed["data"]]
    one = (await ask(provider.url, "/v1/models/org/any", method="GET")).json()
    assert (one["id"], one["object"]) == ("org/any", "model")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/v1/nothing", 404),
        ("GET", "/v1/modelsx", 404),
        ("GET", "/x/v1/models", 404),
        ("GET", CHAT, 405),
        ("POST", "/v1/models", 405),
    ],
)
async def test_wrong_urls_and_methods(provider, method, path, status):
    wire = await ask(provider.url, path, method=method)
    assert wire.status == status
    assert wire.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", ["/v1/models", CHAT, "/nothing", "/_demo/knobs"])
async def test_every_answer_is_marked(provider, path):
    for method in ("GET", "POST"):
        assert (await ask(provider.url, path, method=method)).header("x-wattline-demo") == "1"


async def test_nothing_of_the_request_is_repeated(chat):
    secret = "Zq7-unlikely"
    wire = await chat(messages=[{"role": "user", "content": secret}], headers={"x-s": secret})
    assert secret.encode() not in wire.body
    assert secret not in str(wire.headers)


async def test_a_connection_serves_many_requests(provider):
    async with await RawClient.connect(provider.url) as client:
        for stream in (False, True, False):
            client.send("POST", CHAT, _chat(stream=stream))
            assert (await client.answer()).status == 200


async def test_http_1_0_gets_a_stream_that_ends_with_the_connection(provider):
    async with await RawClient.connect(provider.url) as client:
        client.send("POST", CHAT, _chat(stream=True), version="1.0")
        wire = await client.answer()
    assert wire.header("transfer-encoding") is None
    assert wire.events()[-1] == "[DONE]"


async def test_tls(tmp_path):
    ca = authority(tmp_path)
    provider = DemoProvider(Knobs.instant())
    url = await provider.start(ssl_context=ca.server("localhost"))
    assert url.startswith("https://")
    async with await RawClient.connect(url, tls=ca.client()) as client:
        client.send("POST", EMBEDDINGS, EMBED)
        assert (await client.answer()).status == 200
        client.send("POST", CHAT, _chat(stream=True), {})
        provider.script(["cut:2"])
        assert len((await client.answer()).events()) == 2
    await provider.stop()


async def test_it_can_be_started_again_and_not_twice(provider):
    with pytest.raises(RuntimeError, match="runs already"):
        await provider.start()
    first = provider.url
    await provider.stop()
    await provider.stop()
    with pytest.raises(ConnectionRefusedError):
        await RawClient.connect(first)
    await provider.start()
    assert (await ask(provider.url, EMBEDDINGS, EMBED)).status == 200


async def test_refuse_and_accept_on_the_same_port(provider):
    """Connection refused while the port stays taken; idle connections are closed."""
    async with await RawClient.connect(provider.url) as idle:
        idle.send("POST", EMBEDDINGS, EMBED)
        await idle.answer()
        await provider.refuse()
        await provider.refuse()
        assert await idle.reader.read() == b""
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await RawClient.connect(provider.url)
    await provider.accept()
    await provider.accept()
    assert (await ask(provider.url, EMBEDDINGS, EMBED)).status == 200


async def test_refuse_leaves_running_answers_alone(provider):
    provider.script(["stall_first"])
    async with await RawClient.connect(provider.url) as client:
        client.send("POST", EMBEDDINGS, EMBED)
        await provider.journal.wait_for(lambda e: e.stalled)
        await provider.refuse()
        provider.release()
        assert (await client.answer()).status == 200


async def test_a_script_is_followed_in_order(provider):
    provider.script(["500", "ok", "429:3"])
    statuses = [(await ask(provider.url, EMBEDDINGS, EMBED)).status for _ in range(4)]
    assert statuses == [500, 200, 429, 200]
    assert provider.scripted == 0
    assert [entry.fault for entry in provider.journal.requests] == ["500", "ok", "429:3", None]


async def test_a_script_for_a_model_and_always(provider):
    provider.always("503", model="bad")
    provider.script(["500"], model="other")
    assert (await ask(provider.url, EMBEDDINGS, EMBED)).status == 200
    assert (await ask(provider.url, EMBEDDINGS, {"model": "bad", "input": "x"})).status == 503
    provider.clear()
    assert (await ask(provider.url, EMBEDDINGS, {"model": "other", "input": "x"})).status == 200


async def test_a_health_check_takes_no_script(provider):
    provider.script(["500"])
    assert (await ask(provider.url, "/v1/models", method="GET")).status == 200
    provider.script(["503"], path="/v1/models")
    assert (await ask(provider.url, "/v1/models", method="GET")).status == 503
    assert (await ask(provider.url, EMBEDDINGS, EMBED)).status == 500


async def test_rates_reach_the_wire(provider):
    """B-129 B-130: errors and timeouts at their rate; a timeout ends when the client goes."""
    provider.knobs = Knobs.instant().changed({"error_rate": 0.3})
    answers = [await ask(provider.url, EMBEDDINGS, EMBED) for _ in range(100)]
    failed = sum(wire.status != 200 for wire in answers)
    assert failed == sum(e.fault is not None for e in provider.journal.requests)
    assert 15 <= failed <= 45
    provider.knobs = Knobs.instant().changed({"timeout_rate": 1})
    async with await RawClient.connect(provider.url) as client:
        client.send("POST", EMBEDDINGS, EMBED)
        await provider.journal.wait_for(lambda e: e.stalled)
    entry = await provider.journal.wait_for(lambda e: e.ended is Ended.CLIENT_GONE)
    assert (entry.status, entry.body_bytes) == (None, 0)


async def _timed(knobs: Knobs, **body) -> tuple[list[float], Journal]:
    sleep = ManualSleep()
    provider = DemoProvider(knobs, clock=sleep.clock, sleep=sleep, allow_faults=True)
    url = await provider.start()
    wire = await ask(url, CHAT, _chat(**body), headers={"x-demo-fault": "tokens:50"})
    await provider.stop()
    assert wire.status == 200
    return sleep.slept, provider.journal


async def test_a_stream_keeps_its_pace():
    """B-127 B-131: the delay, then 25 tokens a second."""
    slept, journal = await _timed(Knobs(delay_variance_ms=0), stream=True)
    assert slept[0] == pytest.approx(0.2)
    assert slept[1:] == pytest.approx([1 / 25] * 50)
    entry = journal.requests[0]
    assert entry.ended_at - entry.started == pytest.approx(0.2 + 50 / 25)


async def test_a_plain_answer_takes_as_long():
    """B-127 B-131."""
    slept, _ = await _timed(Knobs(delay_variance_ms=0))
    assert slept == pytest.approx([0.2 + 50 / 25])


async def test_the_delay_varies():
    """B-128: within 100 ms around 200."""
    sleep = ManualSleep()
    knobs = Knobs(error_rate=0, timeout_rate=0, token_speed=1_000_000)
    provider = DemoProvider(knobs, clock=sleep.clock, sleep=sleep)
    url = await provider.start()
    for _ in range(20):
        await ask(url, EMBEDDINGS, EMBED)
    await provider.stop()
    assert all(0.1 <= seconds <= 0.3 for seconds in sleep.slept)
    assert len(set(sleep.slept)) == 20


async def test_slow_drip_pauses_before_each_event():
    sleep = ManualSleep()
    provider = DemoProvider(Knobs.instant(), clock=sleep.clock, sleep=sleep, allow_faults=True)
    url = await provider.start()
    faults = {"x-demo-fault": "slow_drip:0.25"}
    wire = await ask(url, CHAT, _chat(stream=True), headers=faults)
    assert sleep.slept == [0.25] * len(wire.events())
    sleep.slept.clear()
    assert (await ask(url, CHAT, _chat(), headers=faults)).status == 200
    assert sleep.slept == [0.25] * 10
    await provider.stop()


async def test_the_pace_can_be_changed_in_the_middle_of_a_stream():
    """B-131 B-202."""
    sleep = ManualSleep()
    provider = DemoProvider(Knobs.demo(), clock=sleep.clock, sleep=sleep, allow_faults=True)
    url = await provider.start()
    async with await RawClient.connect(url) as client:
        client.send("POST", CHAT, _chat(stream=True), {"x-demo-fault": "stall_mid:5"})
        await provider.journal.wait_for(lambda e: e.stalled)
        provider.knobs = provider.knobs.changed({"token_speed": 10})
        provider.release()
        await client.answer()
    await provider.stop()
    assert sleep.slept[1:5] == pytest.approx([1 / 200] * 4)
    assert sleep.slept[5:] == pytest.approx([1 / 10] * len(sleep.slept[5:]))


async def test_a_client_that_goes_is_noticed_while_nothing_is_written(provider):
    """The moment the connection is lost, not the next write's."""
    clock = SystemClock()
    async with await RawClient.connect(provider.url) as client:
        client.send("POST", CHAT, _chat(stream=True), {"x-demo-fault": "stall_mid:3"})
        await provider.journal.wait_for(lambda e: e.stalled)
        left = clock.monotonic()
    entry = await provider.journal.wait_for(lambda e: e.ended is not None)
    assert entry.ended is Ended.CLIENT_GONE
    assert 0 <= entry.ended_at - left < 5
    assert entry.events == 3
    assert entry.usage is None


async def test_a_client_that_goes_while_it_sends_is_noticed(provider):
    async with await RawClient.connect(provider.url) as client:
        client.send("POST", CHAT, headers={"content-length": "1000"})
        client.writer.write(b"half")
        await provider.journal.wait_for(lambda e: e.path == CHAT)
    entry = await provider.journal.wait_for(lambda e: e.ended is not None)
    assert (entry.ended, entry.model) == (Ended.CLIENT_GONE, None)


async def test_a_client_that_does_not_read_holds_the_stream_back(provider):
    """Backpressure: far less than the whole is buffered; then the client goes."""
    size = 200_000_000
    async with await RawClient.connect(provider.url) as client:
        client.send("POST", CHAT, _chat(stream=True), {"x-demo-fault": f"big:{size}"})
        await client.head()
        client.writer.transport.pause_reading()
        await provider.journal.wait_for(lambda e: e.events > 3)
        client.writer.transport.abort()
    entry = await provider.journal.wait_for(lambda e: e.ended is not None)
    assert entry.ended is Ended.CLIENT_GONE
    assert entry.body_bytes < size / 4


async def test_stop_ends_stalled_answers():
    provider = DemoProvider(Knobs.instant(), allow_faults=True)
    url = await provider.start()
    async with await RawClient.connect(url) as client:
        client.send("POST", CHAT, _chat(stream=True), {"x-demo-fault": "stall_first"})
        await provider.journal.wait_for(lambda e: e.stalled)
        await provider.stop()
        assert (await client.answer()).end == "cut"
    assert provider.journal.requests[0].ended is Ended.STOPPED
    assert provider.live == 0


async def test_the_journal_counts_what_was_sent(stream, chat, provider):
    headers = {"authorization": "Bearer sk-1", "x-wattline-attempt": "a1"}
    streamed = await stream(headers=headers)
    plain = await chat()
    first, second = provider.journal.requests
    assert (first.method, first.path, first.model) == ("POST", CHAT, "some-model")
    assert first.attempt == "a1"
    assert first.authorization_sha256 == hashlib.sha256(b"Bearer sk-1").hexdigest()
    assert first.header("authorization") == "Bearer sk-1"
    assert json.loads(first.body)["stream"] is True
    assert first.events == len(streamed.events())
    assert first.body_bytes == len(streamed.body)
    assert first.usage == streamed.events()[-2]["usage"]
    assert first.prompt_tokens == first.usage["prompt_tokens"]
    assert first.completion_tokens == first.usage["completion_tokens"]
    assert second.usage == plain.json()["usage"]
    assert second.completion_tokens == first.completion_tokens
    assert (second.ended, second.authorization_sha256) == (Ended.COMPLETE, None)


async def test_without_faults_no_content_is_kept():
    provider = DemoProvider(Knobs.instant())
    url = await provider.start()
    await ask(url, EMBEDDINGS, EMBED, headers={"authorization": "Bearer sk-1"})
    await provider.stop()
    (entry,) = provider.journal.requests
    assert (entry.headers, entry.body) == ((), b"")
    assert entry.usage == {"prompt_tokens": 1, "total_tokens": 1}


async def test_the_file_has_a_line_before_the_answer_begins(tmp_path):
    """A kill in the middle of an answer leaves its `received` line."""
    path = tmp_path / "journal.jsonl"
    provider = DemoProvider(Knobs.instant(), allow_faults=True, journal=Journal(path))
    url = await provider.start()
    async with await RawClient.connect(url) as client:
        client.send("POST", CHAT, _chat(), {"x-demo-fault": "stall_head"})
        await provider.journal.wait_for(lambda e: e.stalled)
        (line,) = path.read_text().splitlines()
        assert json.loads(line)["event"] == "received"
        assert json.loads(line)["model"] == "m"
    await provider.journal.wait_for(lambda e: e.ended is not None)
    assert json.loads(path.read_text().splitlines()[1])["ended"] == "client_gone"
    await provider.stop()


async def test_one_log_line_without_content(caplog):
    """B-132: on or off; never a prompt or a key."""
    caplog.set_level(logging.INFO, "wattline.demo")
    provider = DemoProvider(Knobs.instant().changed({"logs": True}))
    url = await provider.start()
    headers = {"authorization": "Bearer sk-zq7"}
    await ask(url, CHAT, _chat(model="evil\nmodel", user="zq7"), headers=headers)
    await provider.journal.wait_for(lambda e: e.ended is not None)
    provider.knobs = Knobs.instant()
    await ask(url, CHAT, _chat())
    await provider.stop()
    (record,) = caplog.records
    assert "status=200" in record.getMessage()
    assert "\n" not in record.getMessage()
    assert "zq7" not in record.getMessage()
    assert "hello" not in record.getMessage()


async def test_64_streams_at_50_events_a_second_keep_their_pace():
    """Each takes what its tokens take, not more than half as long again."""
    provider = DemoProvider(Knobs.instant().changed({"token_speed": 50}), allow_faults=True)
    url = await provider.start()
    clock = SystemClock()
    started = clock.monotonic()
    faults = {"x-demo-fault": "tokens:50"}
    wires = await asyncio.gather(
        *(ask(url, CHAT, _chat(stream=True), headers=faults) for _ in range(64))
    )
    took = clock.monotonic() - started
    await provider.stop()
    assert all(wire.events()[-1] == "[DONE]" for wire in wires)
    assert all(entry.completion_tokens == 50 for entry in provider.journal.requests)
    assert took >= 1
    assert max(e.ended_at - e.started for e in provider.journal.requests) < 5
