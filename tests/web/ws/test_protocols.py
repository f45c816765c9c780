"""The two protocols of `/ws` through real sockets, with the ledger, and both at once."""

from __future__ import annotations

import json
import ssl

import pytest
import websockets

from kit.books import rows
from kit.chat_socket import MESSAGES, Closed, chatting
from kit.clients import REVERSE, Way
from kit.sidecars import Running, running

LOCAL = Way("wattline.local")
ENV = {"ANN": "key-of-ann-0123456789", "BOB": "key-of-bob-0123456789"}
MANY = {"WS_CONNECTIONS_PER_MINUTE": "1000"}
QUICKLY = {"WS_HEARTBEAT_INTERVAL": "80"}


def text_of(heard: list) -> str:
    return "".join(frame["delta"] for frame in heard if frame["type"] == "chat.delta")


@pytest.mark.parametrize("way", [REVERSE, LOCAL], ids=str)
async def test_a_chat(sidecar: Running, way):
    """B-043, B-181, B-182: start, then complete with the answer, its usage and its energy."""
    async with chatting(sidecar, way) as chat:
        await chat.ask("req-123")
        start, done = await chat.until("chat.complete")
    assert start == {"type": "chat.start", "requestId": "req-123"}
    assert done["requestId"] == "req-123"
    assert "demo provider" in done["response"]
    assert done["providerId"] == "p0"
    assert done["finishReason"] == "stop"
    assert isinstance(done["latencyMs"], int)
    (row,) = rows(sidecar.state)
    usage = done["usage"]
    assert usage["total_tokens"] == row["prompt"] + row["completion"]
    assert row["state"] == "complete"
    assert usage["energy"] * 1_000_000 == row["energy"]


async def test_a_streamed_chat(sidecar: Running):
    """B-186: deltas, and a complete with the whole text."""
    async with chatting(sidecar) as chat:
        await chat.ask("s", stream=True)
        heard = await chat.until("chat.complete")
    assert [frame["type"] for frame in heard[:2]] == ["chat.start", "chat.delta"]
    assert len(heard) > 10
    assert {frame["requestId"] for frame in heard} == {"s"}
    assert text_of(heard) == heard[-1]["response"]
    assert "demo provider" in heard[-1]["response"]
    (row,) = rows(sidecar.state)
    assert heard[-1]["usage"]["total_tokens"] == row["prompt"] + row["completion"]
    assert heard[-1]["usage"]["energy"] * 1_000_000 == row["energy"]


async def test_a_slow_answer_is_told_to_have_begun(sidecar: Running):
    """`chat.start` does not wait for the provider."""
    sidecar.upstreams[0].script(["stall_head"])
    async with chatting(sidecar) as chat:
        await chat.ask()
        assert (await chat.hear())["type"] == "chat.start"
        sidecar.upstreams[0].release()
        assert (await chat.hear())["type"] == "chat.complete"


async def test_tool_calls_come_as_chunks(sidecar: Running):
    """What is more than text comes as OpenAI's own chunk, or as its choices."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    asked = {"tools": tools, "tool_choice": "required"}
    async with chatting(sidecar) as chat:
        await chat.ask(stream=True, **asked)
        heard = await chat.until("chat.complete")
        chunks = [frame["chunk"] for frame in heard if "chunk" in frame]
        assert any(chunk["choices"][0]["delta"].get("tool_calls") for chunk in chunks)
        assert heard[-1]["finishReason"] == "tool_calls"
        await chat.ask(**asked)
        done = (await chat.until("chat.complete"))[-1]
        assert done["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "f"
        await chat.infer(**asked)
        answer = await chat.hear()
        assert answer["data"]["tool_calls"][0]["function"]["name"] == "f"


async def test_ping(sidecar: Running):
    """B-183."""
    async with chatting(sidecar) as chat:
        await chat.send(type="ping")
        assert await chat.hear() == {"type": "pong"}


async def test_errors_name_their_request(sidecar: Running):
    """B-184: an error of the call itself; the connection goes on."""
    async with chatting(sidecar) as chat:
        await chat.send(
            type="chat.completions", requestId=7, model="no-such-model", messages=MESSAGES
        )
        error = await chat.hear()
        assert (error["type"], error["requestId"]) == ("error", 7)
        assert error["code"] == "model_not_found"
        assert error["message"]
        await chat.send(type="chat.completions", requestId="x", model="m", messages="no list")
        error = await chat.hear()
        assert (error["requestId"], error["param"]) == ("x", "messages")
        sidecar.upstreams[0].always("500")
        await chat.ask("y")
        error = (await chat.until("error"))[-1]
        assert error["requestId"] == "y"
        sidecar.upstreams[0].clear()
        await chat.ask("z")
        assert (await chat.until("chat.complete"))[-1]["requestId"] == "z"


async def test_a_stream_that_breaks_off(sidecar: Running):
    """What was said is kept, the end is an error, and the row says `truncated`."""
    sidecar.upstreams[0].script(["cut:5", "cut:5"])
    async with chatting(sidecar) as chat:
        await chat.ask(stream=True)
        heard = await chat.until("error", "chat.complete")
        assert text_of(heard)
        assert heard[-1]["code"] == "upstream_broke_off"
        assert heard[-1]["requestId"] == "r1"
        await chat.infer(stream=True)
        heard = await chat.until("error")
        assert heard[-1]["error"]["type"] == "openrouter"
    assert [row["state"] for row in rows(sidecar.state)] == ["truncated", "truncated"]


@pytest.mark.parametrize("scope", ["principal", "address"])
async def test_windows_count_each_message(tmp_path, scope):
    """B-185: the windows of a caller hold for messages as for requests, and both share them."""
    extra = f"windows:\n  callers: {{calls: 3, per: 60s, scope: {scope}}}\n"
    async with running(tmp_path, 1, extra=extra) as sidecar, chatting(sidecar) as chat:
        assert (await sidecar.call({"model": "m", "messages": MESSAGES})).status == 200
        for name in ("a", "b"):
            await chat.ask(name)
            await chat.until("chat.complete")
        await chat.ask("c")
        error = await chat.hear()
        assert error.pop("retryAfterMs") > 50_000
        assert error == {
            "type": "error",
            "code": "rate_limited",
            "message": "Rate limit exceeded",
            "requestId": "c",
        }
        await chat.infer("d")
        error = await chat.hear()
        assert (error["id"], error["error"]["code"]) == ("d", 429)
        assert error["error"]["type"] == "rate_limit"
    assert len(rows(sidecar.state)) == 3


TIERS = """
auth:
  mode: keys
  keys: {ann: {key: "${ANN}", tier: gold}, bob: "${BOB}"}
tiers:
  gold: {rpm: 2}
"""


async def test_tiers(tmp_path):
    """B-185: the windows of the tier."""
    async with running(tmp_path, 1, extra=TIERS, env=ENV) as sidecar, chatting(sidecar) as chat:
        await chat.send(type="auth", apiKey=ENV["ANN"])
        assert await chat.hear() == {"type": "auth.ok"}
        for name in range(2):
            await chat.ask(name)
            await chat.until("chat.complete")
        await chat.ask("over")
        assert (await chat.hear())["code"] == "rate_limited"
        await chat.send(type="auth", apiKey=ENV["BOB"])
        assert await chat.hear() == {"type": "auth.ok"}
        await chat.ask("of bob")
        await chat.until("chat.complete")


@pytest.mark.parametrize("bound", ["rps", "rpm", "rpd"])
async def test_each_bound_of_a_tier(tmp_path, bound):
    """B-185: calls in a second, a minute and a day; one error for each, word for word."""
    extra = TIERS.replace("rpm: 2", f"{bound}: 1")
    async with running(tmp_path, 1, extra=extra, env=ENV) as sidecar, chatting(sidecar) as chat:
        await chat.send(type="auth", apiKey=ENV["ANN"])
        for name in ("one", "two"):
            await chat.ask(name)
        heard = await chat.until("error")
        error = heard[-1]
        if not any(frame["type"] == "chat.complete" for frame in heard):
            await chat.until("chat.complete")
        assert error.pop("requestId") in {"one", "two"}
        assert 0 < error.pop("retryAfterMs") <= {"rps": 1, "rpm": 60, "rpd": 86_400}[bound] * 1000
        assert error == {"type": "error", "code": "rate_limited", "message": "Rate limit exceeded"}
    assert len(rows(sidecar.state)) == 1


async def test_an_inference(sidecar: Running):
    """D-002, D-052, D-060, D-061: one answer."""
    async with chatting(sidecar) as chat:
        await chat.infer("req-123", temperature=0.7, max_tokens=100)
        answer = await chat.hear()
    assert (answer["type"], answer["id"]) == ("inference_response", "req-123")
    data = answer["data"]
    assert set(data) == {"content", "finish_reason", "usage", "model", "created"}
    assert "demo provider" in data["content"]
    assert data["finish_reason"] == "stop"
    assert data["usage"]["total_tokens"] > 0
    asked = json.loads(sidecar.upstreams[0].journal.requests[0].body)
    assert (asked["temperature"], asked["max_tokens"]) == (0.7, 100)
    assert set(asked) == {"model", "messages", "temperature", "max_tokens"}


async def test_a_streamed_inference(sidecar: Running):
    """D-061: parts, the last of them with the finish reason and the usage."""
    async with chatting(sidecar) as chat:
        await chat.infer(stream=True)
        parts = [(await chat.hear())["data"]]
        while parts[-1]["finish_reason"] is None:
            parts.append((await chat.hear())["data"])
    *texts, last = parts
    assert len(texts) > 10
    assert "demo provider" in "".join(part["content"] for part in texts)
    assert all(part["usage"] is None and part["content"] for part in texts)
    assert (last["content"], last["finish_reason"]) == ("", "stop")
    assert last["usage"]["energy"] > 0


async def test_errors_of_the_inference_protocol(sidecar: Running):
    """D-063."""
    async with chatting(sidecar) as chat:
        await chat.infer("bad", model="no-such-model")
        error = await chat.hear()
        assert (error["type"], error["id"]) == ("error", "bad")
        assert error["error"]["code"] == 404
        assert error["error"]["type"] == "validation"
        assert error["error"]["message"].startswith("The model 'no-such-model' is not known here.")
        await chat.send(type="inference_request", id="none", data=[])
        error = await chat.hear()
        assert (error["id"], error["error"]["code"]) == ("none", 400)
        assert error["error"]["details"]["field"] == "data"


async def test_a_heartbeat_is_answered(sidecar: Running):
    """D-062."""
    async with chatting(sidecar) as chat:
        await chat.send(type="heartbeat", timestamp=1704067200000)
        beat = await chat.hear()
        assert beat["type"] == "heartbeat"
        assert beat["timestamp"] > 1_600_000_000_000


async def test_a_close_message_is_answered_and_closes(sidecar: Running):
    """D-064: with its reason and 1000; what was under way is aborted."""
    sidecar.upstreams[0].script(["stall_head"])
    async with chatting(sidecar) as chat:
        await chat.infer()
        await sidecar.upstreams[0].journal.wait_for(lambda entry: entry.stalled)
        await chat.send(type="close", reason="Client requested close", code=1000)
        said = await chat.hear()
        assert said == {"type": "close", "reason": "Client requested close", "code": 1000}
        with pytest.raises(Closed) as closed:
            await chat.hear()
        assert closed.value.args == (1000, "Client requested close")
    (row,) = rows(sidecar.state)
    assert row["state"] == "aborted"


async def test_heartbeats_are_sent(tmp_path):
    """D-028: by message to those who speak that protocol, by a ping to all."""
    async with running(tmp_path, 1, env={**QUICKLY, **MANY}) as sidecar:
        async with chatting(sidecar) as chat:
            await chat.infer()
            assert (await chat.hear())["type"] == "inference_response"
            for _ in range(3):
                assert (await chat.hear())["type"] == "heartbeat"
            assert chat.pings >= 1
        async with chatting(sidecar) as chat:
            await chat.send(type="ping")
            await chat.hear()
            while chat.pings < 3:
                chat.socket._events.append(await chat._next())
                assert not [e for e in chat.socket._events if type(e).__name__ == "TextMessage"]
                chat.socket._events.clear()


async def test_who_answers_no_ping_is_closed(tmp_path):
    """D-028: after two intervals."""
    async with running(tmp_path, 1, env=QUICKLY) as sidecar, chatting(sidecar) as chat:
        chat.mute = True
        code, _ = await chat.closed()
        assert code == 1011


async def test_two_protocols_on_one_connection(sidecar: Running):
    """Each message says which it is of; ids of one are not those of the other."""
    async with chatting(sidecar) as chat:
        await chat.ask("same", stream=True)
        await chat.infer("same")
        heard = [await chat.hear()]
        while {"chat.complete", "inference_response"} - {frame["type"] for frame in heard}:
            heard.append(await chat.hear())
        kinds = {frame["type"] for frame in heard}
        assert kinds == {"chat.start", "chat.delta", "chat.complete", "inference_response"}
    assert len(rows(sidecar.state)) == 2


async def test_a_client_of_another_library(sidecar: Running):
    """Over TLS too: wss to wattline.local, inside a CONNECT."""
    host, port = sidecar.address
    context = ssl.create_default_context(cafile=str(sidecar.ca))
    for url, more in (
        (f"ws://{host}:{port}/ws", {"proxy": None}),
        ("wss://wattline.local/ws", {"proxy": f"http://{host}:{port}", "ssl": context}),
    ):
        async with websockets.connect(url, **more) as socket:
            ask = {"type": "chat.completions", "requestId": 1, "model": "m", "messages": MESSAGES}
            await socket.send(json.dumps(ask))
            kinds = [json.loads(await socket.recv())["type"] for _ in range(2)]
            assert kinds == ["chat.start", "chat.complete"]
