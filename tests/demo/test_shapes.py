"""Each fault of status, body and connection, as its bytes arrive at a raw socket."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from kit.raw_http import RawClient, ask
from wattline.demo.journal import Ended
from wattline.demo.knobs import Knobs
from wattline.demo.provider import DemoProvider
from wattline.demo.shapes import HTML, STATUSES, WIDE_TEXT


async def test_close_ends_the_connection_without_a_byte(chat, provider):
    wire = await chat("close")
    assert (wire.end, wire.status, wire.chunks) == ("cut", 0, [])
    assert provider.journal.requests[0].ended is Ended.FAULT


async def test_reset_sends_rst(chat, provider):
    wire = await chat("reset")
    assert (wire.end, wire.status) == ("reset", 0)
    assert provider.journal.requests[0].ended is Ended.FAULT


@pytest.mark.parametrize("name", STATUSES)
@pytest.mark.parametrize("streamed", [True, False])
async def test_statuses(chat, provider, name, streamed):
    """An error object in OpenAI's shape, for a stream too, and the connection stays usable."""
    wire = await chat(name, stream=streamed)
    expected = STATUSES[name]
    assert (wire.status, wire.end) == (expected.status, "clean")
    assert wire.header("content-type") == "application/json"
    assert set(wire.json()["error"]) == {"message", "type", "param", "code"}
    assert wire.json()["error"]["code"] == expected.code
    entry = provider.journal.requests[0]
    assert (entry.status, entry.ended, entry.usage) == (expected.status, Ended.FAULT, None)
    assert entry.completion_tokens == entry.prompt_tokens == 0


async def test_retry_after_is_a_header(chat):
    assert (await chat("429:7")).header("retry-after") == "7"
    assert (await chat("429")).header("retry-after") is None


async def test_an_error_needs_no_valid_request(chat):
    assert (await chat("503", messages="nonsense")).status == 503
    assert (await chat("ok", messages="nonsense")).status == 400


async def test_cut_stops_after_k_events_without_an_end(stream, provider):
    whole, wire = await stream(), await stream("cut:4")
    assert wire.end == "cut"
    assert len(wire.events()) == 4
    assert len(whole.events()) > 10
    entry = provider.journal.requests[1]
    assert (entry.ended, entry.events, entry.completion_tokens) == (Ended.FAULT, 4, 3)
    assert entry.usage is None


async def test_cut_at_0_is_the_head_alone(stream):
    wire = await stream("cut:0")
    assert (wire.status, wire.end, wire.body) == (200, "cut", b"")


async def test_cut_beyond_the_last_event_takes_only_the_http_end(stream):
    whole, wire = await stream(), await stream("cut:999999")
    assert wire.end == "cut"
    assert len(wire.events()) == len(whole.events())


async def test_cut_of_a_plain_answer_leaves_its_length_unkept(chat):
    wire = await chat("cut")
    assert wire.end == "cut"
    assert 0 < len(wire.body) < int(wire.header("content-length"))


async def test_cut_reset_sends_rst_in_the_middle(provider, stream):
    wire = await stream("cut_reset:3")
    assert wire.end == "reset"
    assert provider.journal.requests[0].events == 3


async def test_cut_clean_ends_http_but_not_the_answer(stream, provider):
    wire = await stream("cut_clean:3")
    assert wire.end == "clean"
    assert len(wire.events()) == 3
    assert b"[DONE]" not in wire.body
    assert provider.journal.requests[0].ended is Ended.FAULT


async def test_html_and_empty(chat, stream):
    for send in (chat, stream):
        wire = await send("html")
        assert (wire.status, wire.header("content-type")) == (200, "text/html; charset=utf-8")
        assert wire.body == HTML
        wire = await send("empty")
        assert (wire.status, wire.body, wire.end) == (200, b"", "clean")


@pytest.mark.parametrize("name", ["truncated_json", "cut_clean"])
async def test_truncated_json_is_complete_http(chat, name):
    wire = await chat(name)
    assert wire.end == "clean"
    with pytest.raises(json.JSONDecodeError):
        wire.json()


async def test_one_byte_at_a_time(chat, stream):
    wire = await stream("one_byte")
    assert {len(chunk) for chunk in wire.chunks} == {1}
    assert wire.events()[-1] == "[DONE]"
    assert (await chat("one_byte")).json()["object"] == "chat.completion"


async def test_characters_are_split_between_chunks(stream):
    wire = await stream("split_utf8")
    said = "".join(
        event["choices"][0]["delta"].get("content") or ""
        for event in wire.events()
        if isinstance(event, dict) and event["choices"]
    )
    assert said == WIDE_TEXT
    starts = [chunk for chunk in wire.chunks if chunk[0] & 0xC0 == 0x80]
    beyond_ascii = sum(len(char.encode()) - 1 for char in WIDE_TEXT)
    assert len(starts) == beyond_ascii


async def test_crlf(stream):
    wire = await stream("crlf")
    assert wire.body.count(b"\r\n") == wire.body.count(b"\n")
    assert wire.body.endswith(b"data: [DONE]\r\n\r\n")


async def test_gzip_whatever_is_accepted(chat, stream):
    wire = await chat("gzip", headers={"accept-encoding": "identity"})
    assert wire.header("content-encoding") == "gzip"
    assert json.loads(gzip.decompress(wire.body))["object"] == "chat.completion"
    wire = await stream("gzip")
    first = zlib.decompressobj(wbits=31).decompress(wire.chunks[0])
    assert first.endswith(b"\n\n"), "each event can be read as it comes"
    assert gzip.decompress(wire.body).endswith(b"data: [DONE]\n\n")


async def test_echo_headers_in_body_and_headers(chat, stream):
    """What a test needs to see that a header did not leak."""
    headers = {"authorization": "Bearer k1", "x-odd": "a b"}
    wire = await chat("echo_headers", headers=headers)
    said = json.loads(wire.json()["choices"][0]["message"]["content"])
    assert ["authorization", "Bearer k1"] in said
    assert wire.header("x-echo-x-odd") == "a b"
    wire = await stream("echo_headers", headers=headers)
    assert wire.header("x-echo-authorization") == "Bearer k1"


async def test_stall_head_until_released(provider):
    async with await RawClient.connect(provider.url) as client:
        client.send(
            "POST", "/v1/embeddings", {"model": "m", "input": "x"}, {"x-demo-fault": "stall_head"}
        )
        await provider.journal.wait_for(lambda e: e.stalled)
        provider.release()
        assert (await client.answer()).status == 200
    assert provider.journal.requests[0].ended is Ended.COMPLETE


async def test_stall_first_sends_the_head_only(provider):
    async with await RawClient.connect(provider.url) as client:
        body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}
        client.send("POST", "/v1/chat/completions", body, {"x-demo-fault": "stall_first"})
        assert (await client.head()).status == 200
        assert provider.journal.requests[0].events == 0
        assert provider.live == 1
    entry = await provider.journal.wait_for(lambda e: e.ended is not None)
    assert (entry.ended, entry.body_bytes) == (Ended.CLIENT_GONE, 0)


async def test_stall_mid_goes_on_when_released(provider):
    async with await RawClient.connect(provider.url) as client:
        body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}
        client.send("POST", "/v1/chat/completions", body, {"x-demo-fault": "stall_mid:2"})
        await client.head()
        entry = await provider.journal.wait_for(lambda e: e.stalled)
        assert entry.events == 2
        seen = await client.chunk() + await client.chunk()
        assert seen.count(b"data: ") == 2
        provider.release()
        while data := await client.chunk():
            seen += data
    assert seen.endswith(b"data: [DONE]\n\n")
    assert provider.journal.requests[0].ended is Ended.COMPLETE


async def test_a_released_stall_does_not_release_the_next(provider):
    provider.release()
    async with await RawClient.connect(provider.url) as client:
        client.send(
            "POST", "/v1/embeddings", {"model": "m", "input": "x"}, {"x-demo-fault": "stall_first"}
        )
        await client.head()
        await provider.journal.wait_for(lambda e: e.stalled)


async def test_without_permission_the_header_means_nothing():
    provider = DemoProvider(Knobs.instant())
    url = await provider.start()
    body = {"model": "m", "input": "x"}
    wire = await ask(url, "/v1/embeddings", body, headers={"x-demo-fault": "500"})
    await provider.stop()
    assert wire.status == 200


async def test_an_unknown_fault_is_a_bad_request(chat):
    wire = await chat("stall_mit")
    assert wire.status == 400
    assert "did you mean 'stall_mid'" in wire.json()["error"]["message"]
