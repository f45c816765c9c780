"""Streams that break off and are continued, against a real sidecar and real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, override

import pytest

from kit.clients import Reply
from kit.continuers import TEXT, Continuer, continuers, rules
from kit.sidecars import Running, running
from kit.trials import ahead, ask, rows
from wattline.base.tasks import spawn
from wattline.dialects.codecs import provider_side
from wattline.wire.events import Counted, TextDelta
from wattline.wire.usage import Usage

MESSAGES = [("anthropic-version", "2023-06-01")]
BEGUN = "Sure: "


class Beginner(Continuer):
    """It writes what comes after the client's own beginning."""

    @override
    def _said(self, begun: str) -> str:
        return super()._said(begun.removeprefix(BEGUN))


@asynccontextmanager
async def sidecar_of(
    tmp_path: Path, *behaviours: Continuer, fields: str = "midstream: continue"
) -> AsyncIterator[Running]:
    async with continuers(*behaviours) as servers:
        text = rules(servers, list(behaviours), fields)
        async with running(tmp_path, 0, text=text) as sidecar:
            yield sidecar


def events_of(reply: Reply, dialect: str = "openai") -> list[Any]:
    side = provider_side(dialect, "x").streaming
    assert side is not None
    decoder = side.decoder()
    return [*decoder.feed(reply.body), *decoder.end()]


def text_of(reply: Reply, dialect: str = "openai") -> str:
    events = events_of(reply, dialect)
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def asked(client: str, **more: Any) -> dict[str, Any]:
    body = ask(stream=True, **more)
    if client == "anthropic":
        return body | {"max_tokens": 500}
    return body | {"stream_options": {"include_usage": True}}


async def stream(sidecar: Running, client: str = "openai", **more: Any) -> Reply:
    path = "/v1/messages" if client == "anthropic" else "/v1/chat/completions"
    headers = MESSAGES if client == "anthropic" else []
    return await sidecar.call(asked(client, **more), path=path, headers=headers)


@pytest.mark.parametrize("second", ["openai", "anthropic"])
@pytest.mark.parametrize("first", ["openai", "anthropic"])
@pytest.mark.parametrize("client", ["openai", "anthropic"])
async def test_the_next_target_goes_on(
    tmp_path: Path, client: str, first: str, second: str
) -> None:
    """One id, one start, every character once, the sum of both, a row for each."""
    one = Continuer(first, after=5)
    two = Continuer(second, usage=Usage(30, 12))
    async with sidecar_of(tmp_path, one, two) as sidecar:
        reply = await stream(sidecar, client)
        assert reply.clean
        assert text_of(reply, client) == TEXT
        assert reply.body.count(b": x-wattline-continued: 1\n\n") == 1
        start = b'"message_start"' if client == "anthropic" else b'"role":"assistant"'
        assert reply.body.count(start) == 1
        assert f"id-{id(two)}".encode() not in reply.body
        last = two.asked[-1]["messages"][-1]
        assert last["role"] == "assistant"
        truncated, complete = rows(sidecar)
        assert (truncated["state"], truncated["error"]) == ("truncated", "cut")
        assert (complete["state"], complete["flags"]) == ("complete", ["continued"])
        assert (complete["prompt"], complete["completion"]) == (30, 12)
        counted = [event.usage for event in events_of(reply, client) if isinstance(event, Counted)]
        assert counted[-1].prompt == truncated["prompt"] + 30
        assert counted[-1].completion == truncated["completion"] + 12
        energy = truncated["energy"] + complete["energy"]
        assert f'"energy":{energy / 1_000_000:g}'.encode() in reply.body.replace(b" ", b"")


@pytest.mark.parametrize("breaks", ["close", "reset", "cut", "stall", "error"])
async def test_however_it_breaks_off(tmp_path: Path, breaks: str) -> None:
    one, two = Continuer(after=3, breaks=breaks), Continuer()
    async with sidecar_of(tmp_path, one, two) as sidecar:
        reply = await stream(sidecar)
        assert (reply.clean, text_of(reply)) == (True, TEXT)
        word = {"stall": "idle_timeout", "error": "inband_server_error"}.get(breaks, "cut")
        if breaks != "reset":  # which may come before anything was read
            assert rows(sidecar)[0]["error"] == word


async def test_every_place(tmp_path: Path) -> None:
    """After each event, white space and half of the text included; with a second break after the first."""
    one, two, three = Continuer(), Continuer(after=1), Continuer()
    async with sidecar_of(tmp_path, one, two, three) as sidecar:
        for after in range(1, len(TEXT) // 7 + 1):
            one.after = after
            before = len(rows(sidecar))
            reply = await stream(sidecar)
            assert (reply.clean, text_of(reply)) == (True, TEXT)
            states = [row["state"] for row in rows(sidecar)[before:]]
            assert states[0] == "truncated"
            assert states[-1] == "complete"


@pytest.mark.parametrize("leaves", [False, True])
async def test_an_end_from_outside_settles_both(tmp_path: Path, *, leaves: bool) -> None:
    """The client goes, or the sidecar stops, while the second target is at work."""
    one, two = Continuer(after=3), Continuer(after=2, breaks="stall")
    async with sidecar_of(tmp_path, one, two) as sidecar:
        call = spawn(stream(sidecar), name="a client")
        async with asyncio.timeout(30):
            while (
                len(rows(sidecar)) < 2
                or sidecar.sidecar.parts.records.settlement.counts.attempts == {}
            ):
                await asyncio.sleep(0.01)
        if leaves:
            call.cancel()
            await asyncio.wait([call])
        await sidecar.sidecar.stop(grace=0)
        if not leaves:
            assert not (await call).clean
        first, second = rows(sidecar)
        assert first["state"] == "truncated"
        assert second["state"] in ("aborted", "truncated", "failed")
        assert second["flags"][-1] == "continued"


async def test_a_target_that_repeats_the_beginning(tmp_path: Path) -> None:
    one, two = Continuer(after=8), Continuer(manner="repeats")
    async with sidecar_of(tmp_path, one, two) as sidecar:
        reply = await stream(sidecar)
        assert (reply.clean, text_of(reply)) == (True, TEXT)


async def test_a_target_that_starts_anew_is_taken_as_it_is(tmp_path: Path) -> None:
    one, two = Continuer(after=2), Continuer(manner="other")
    async with sidecar_of(tmp_path, one, two) as sidecar:
        assert text_of(await stream(sidecar)) == TEXT[:14] + "Something else."


async def test_a_target_that_refuses_is_passed_over(tmp_path: Path) -> None:
    """Some models take no beginning of an answer: 400."""
    one, two, three = Continuer(after=4), Continuer(refuses=400), Continuer()
    async with sidecar_of(tmp_path, one, two, three) as sidecar:
        reply = await stream(sidecar)
        assert (reply.clean, text_of(reply)) == (True, TEXT)
        assert [row["state"] for row in rows(sidecar)] == ["truncated", "failed", "complete"]


async def test_no_more_than_two_continuations(tmp_path: Path) -> None:
    """Then the client is told, and what was used is owed by each attempt's own row."""
    many = [Continuer(after=1) for _ in range(4)]
    async with sidecar_of(tmp_path, *many) as sidecar:
        reply = await stream(sidecar)
        assert not reply.clean
        said = text_of(reply)
        assert TEXT.startswith(said)
        assert len(said) > 14
        assert reply.events[-1]["error"]["code"] == "upstream_broke_off"
        assert [row["state"] for row in rows(sidecar)] == ["truncated"] * 3
        assert many[3].asked == []


@pytest.mark.parametrize(
    "more",
    [
        {"response_format": {"type": "json_object"}},
        {"n": 2},
        {"logprobs": True},
        {"reasoning_effort": "low"},
        {"modalities": ["text", "audio"], "audio": {"voice": "a", "format": "wav"}},
    ],
)
async def test_only_plain_text_is_continued(tmp_path: Path, more: dict[str, Any]) -> None:
    one, two = Continuer(after=2), Continuer()
    async with sidecar_of(tmp_path, one, two) as sidecar:
        reply = await stream(sidecar, **more)
        assert not reply.clean
        assert reply.events[-1]["error"]["code"] == "upstream_broke_off"
        assert two.asked == []
        assert [row["state"] for row in rows(sidecar)] == ["truncated"]


async def test_it_is_off_unless_the_rule_says_so(tmp_path: Path) -> None:
    one, two = Continuer(after=2), Continuer()
    async with sidecar_of(tmp_path, one, two, fields="cache: false") as sidecar:
        reply = await stream(sidecar)
        assert not reply.clean
        assert two.asked == []


async def test_a_stream_that_ends_well_is_untouched(tmp_path: Path) -> None:
    """Byte by byte what the provider sent, but for the usage."""
    one = Continuer(usage=Usage(3, 4))
    async with sidecar_of(tmp_path, one) as sidecar:
        reply = await stream(sidecar)
        sent = b"".join(raw for _, raw in one._events(TEXT))
        assert reply.body.split(b'"usage"')[0] == sent.split(b'"usage"')[0]
        assert b"x-wattline-continued" not in reply.body


async def test_fewer_tokens_are_left_for_the_rest(tmp_path: Path) -> None:
    one, two = Continuer(after=5), Continuer()
    async with sidecar_of(tmp_path, one, two) as sidecar:
        await stream(sidecar, max_tokens=100)
        left = two.asked[0].get("max_tokens") or two.asked[0]["max_completion_tokens"]
        assert 0 < left < 100
        assert left == 100 - rows(sidecar)[0]["completion"]


async def test_the_callers_window_counts_the_sum(tmp_path: Path) -> None:
    one, two = Continuer(after=5), Continuer(usage=Usage(30, 12))
    async with continuers(one, two) as servers:
        text = rules(servers, [one, two], "midstream: continue")
        text += "windows: {all: {tokens: 10000, per: 1h, scope: global}}\n"
        async with running(tmp_path, 0, text=text) as sidecar:
            assert text_of(await stream(sidecar)) == TEXT
            (window,) = sidecar.sidecar.books.current.windows
            now = sidecar.sidecar.clock.monotonic()
            calls, tokens = sidecar.sidecar.parts.memory.windows.used(window, "all", now)
            total = sum(row["prompt"] + row["completion"] for row in rows(sidecar))
            assert (calls, tokens) == (1, total)


async def test_a_drill_is_continued_too(tmp_path: Path) -> None:
    """Which is how an operator can see that it works."""
    one, two = Continuer(), Continuer()
    fields = (
        f"fault: {{kind: cut, share: 1, until: '{ahead(hours=1)}', after: 4, targets: [p0]}}, "
        "midstream: continue"
    )
    async with sidecar_of(tmp_path, one, two, fields=fields) as sidecar:
        reply = await stream(sidecar)
        assert (reply.clean, text_of(reply)) == (True, TEXT)
        assert rows(sidecar)[0]["flags"][-1:] == ["drill"]


@pytest.mark.parametrize("manner", ["goes_on", "repeats"])
async def test_a_beginning_of_the_clients_own_is_not_doubled(tmp_path: Path, manner: str) -> None:
    """The last message is the client's: a target may repeat what came after it alone."""
    first, second = Beginner(after=6), Beginner(manner=manner)
    async with sidecar_of(tmp_path, first, second) as sidecar:
        begun = {"role": "assistant", "content": BEGUN}
        reply = await stream(sidecar, messages=[*ask()["messages"], begun])
        assert reply.clean
        assert text_of(reply) == TEXT
        assert second.asked[-1]["messages"][-1]["content"].startswith(BEGUN + TEXT[:35])


OWN = {
    "user": "ann",
    "metadata": {"team": "blue"},
    "service_tier": "flex",
    "web_search_options": {"search_context_size": "low"},
    "max_completion_tokens": 900,
    "x_unknown": {"kept": 1.50},
}


async def test_a_target_of_the_same_dialect_gets_the_same_request(tmp_path: Path) -> None:
    first, second = Continuer(after=6), Continuer()
    async with sidecar_of(tmp_path, first, second) as sidecar:
        reply = await stream(sidecar, **OWN)
        assert text_of(reply) == TEXT
        (before,), (after,) = first.asked, second.asked
        assert after.pop("messages")[:-1] == before.pop("messages")
        assert 1 <= after.pop("max_completion_tokens") < before.pop("max_completion_tokens")
        assert (before.pop("model"), after.pop("model")) == ("up0", "up1")
        assert after == before


async def test_what_another_dialect_has_no_words_for_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="wattline.midstream")
    first, second = Continuer(after=6), Continuer(dialect="anthropic")
    async with sidecar_of(tmp_path, first, second) as sidecar:
        reply = await stream(sidecar, prompt_cache_key="k", service_tier="flex")
        assert text_of(reply) == TEXT
        (line,) = [r.getMessage() for r in caplog.records if "is continued" in r.getMessage()]
        assert ", after 42 characters, without " in line
        assert "prompt_cache_key" in line


async def test_the_log_tells_how_much_the_client_had(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not what was read ahead of the continuation."""
    caplog.set_level("INFO", logger="wattline.midstream")
    first, second = Continuer(after=6), Continuer()
    async with sidecar_of(tmp_path, first, second) as sidecar:
        await stream(sidecar)
        (line,) = [r.getMessage() for r in caplog.records if "is continued" in r.getMessage()]
        assert line.endswith(", after 42 characters")


@pytest.mark.parametrize(
    ("targets", "states"),
    [
        ("", ["truncated", "complete"]),
        (", targets: [p0]", ["truncated", "complete"]),
        (", targets: [p0, p1]", ["truncated", "truncated"]),
    ],
)
async def test_a_drill_hits_a_continuation_only_where_it_names_it(
    tmp_path: Path, targets: str, states: list[str]
) -> None:
    """The drill of docs/continuation.md shows what the second target does."""
    drill = f"fault: {{kind: cut, after: 4, share: 1, until: '{ahead(hours=1)}'{targets}}}"
    fields = f"midstream: continue, {drill}"
    async with sidecar_of(tmp_path, Continuer(), Continuer(), fields=fields) as sidecar:
        reply = await stream(sidecar)
        assert reply.clean is (states[-1] == "complete")
        assert [row["state"] for row in rows(sidecar)] == states
