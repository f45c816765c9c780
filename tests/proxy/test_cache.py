"""E-122: answers to deterministic calls are kept, for the caller that asked and nobody else."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from kit.books import check_books, rows
from kit.clients import REVERSE, WAYS, Reply, client
from kit.providers.base import FakeProvider
from kit.providers.fleet import Fleet, fleet
from kit.providers.saying import Saying
from kit.sidecars import Running, running
from wattline.base.clock import ManualClock
from wattline.store.reading import usage

ON = "cache: {enabled: true}\n"
TURN = [{"role": "user", "content": "one of 42"}]


class Asking:
    """How clients of one dialect ask at temperature 0, and read what they get."""

    def __init__(self, name: str) -> None:
        self.name = name

    def path(self, *, stream: bool) -> str:
        if self.name == "gemini":
            method = "streamGenerateContent?alt=sse" if stream else "generateContent"
            return f"/v1beta/models/m-gemini:{method}"
        paths = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
        return paths.get(self.name, "/api/chat")

    def body(self, *, stream: bool, temperature: float | None = 0) -> dict[str, Any]:
        warm = {} if temperature is None else {"temperature": temperature}
        if self.name == "gemini":
            contents = [{"role": "user", "parts": [{"text": "one of 42"}]}]
            return {"contents": contents, "generationConfig": warm}
        body: dict[str, Any] = {"model": f"m-{self.name}", "messages": TURN, "stream": stream}
        if self.name == "ollama":
            return body | {"options": warm}
        return body | warm | ({"max_tokens": 50} if self.name == "anthropic" else {})

    async def ask(self, fleet: Fleet, *, stream: bool, **more: Any) -> Reply:
        return await fleet.call(self.body(stream=stream), path=self.path(stream=stream), **more)

    def parts(self, reply: Reply) -> list[dict]:
        """The JSON objects of an answer."""
        if (
            "json" in reply.headers["content-type"]
            and "ndjson" not in reply.headers["content-type"]
        ):
            return [reply.json()]
        if self.name == "ollama":
            return [json.loads(line) for line in reply.body.splitlines()]
        return [event for event in reply.events if event != "[DONE]"]

    def text(self, reply: Reply) -> str:
        return "".join(found for part in self.parts(reply) for found in _texts(part))

    def energies(self, reply: Reply) -> list[float]:
        return [found for part in self.parts(reply) for found in _energies(part)]


def _texts(value: Any, key: str = "") -> list[str]:
    if isinstance(value, str):
        return [value] if key in ("content", "text") else []
    if isinstance(value, dict):
        return [found for name, item in value.items() for found in _texts(item, name)]
    return (
        [found for item in value for found in _texts(item, key)] if isinstance(value, list) else []
    )


def _energies(value: Any) -> list[float]:
    if not isinstance(value, dict):
        return []
    found = [value["energy"]] if "energy" in value else []
    return found + [one for item in value.values() for one in _energies(item)]


DIALECTS = [Asking(name) for name in ("openai", "anthropic", "gemini", "ollama")]
NAMES = [asking.name for asking in DIALECTS]
WORDS = "".join(Saying().texts)


@pytest.mark.parametrize("asking", DIALECTS, ids=NAMES)
async def test_an_answer_is_given_again_in_each_way(tmp_path, asking):
    """E-122: whole again whole, a stream again a stream, and each as the other."""
    extra = "cache: {enabled: true, hit_energy: 0.25}\n"
    async with fleet(tmp_path, NAMES, extra=extra) as now:
        for first in (False, True):
            emptied = replace(now.sidecar.books.current, version="other")
            now.sidecar.parts.calls.answers.caching.cache.follow(emptied)
            asked = len(now.asked)
            made = await asking.ask(now, stream=first)
            assert made.headers["x-wattline-cache"] == "miss"
            assert "age" not in made.headers
            assert asking.energies(made) == [31.5]
            for stream in (first, not first, first):
                kept = await asking.ask(now, stream=stream)
                assert kept.status == 200
                assert kept.clean
                assert kept.headers["x-wattline-cache"] == "hit"
                assert kept.headers["age"] == "0"
                assert kept.headers["x-wattline-provider"] == asking.name
                assert asking.text(kept) == asking.text(made) == WORDS
                assert asking.energies(kept) == [7.875]
                if stream == first:
                    assert kept.headers["content-type"] == made.headers["content-type"]
                    assert _without_energy(kept.body) == _without_energy(made.body)
                else:
                    assert len(asking.parts(kept)) > 1 if stream else len(asking.parts(kept)) == 1
            assert len(now.asked) == asked + 1
        now.check()
        found = rows(now.state)
        assert [row["provider"] for row in found] == [asking.name, *["cache"] * 3] * 2
        assert [row["energy"] for row in found] == [31_500_000, *[7_875_000] * 3] * 2
        assert {row["flags"] for row in found if row["provider"] == "cache"} == {
            '["cached_answer"]'
        }
        table = usage(now.state / "ledger.sqlite", "provider")
        assert {(row.label, row.calls, row.energy_micro) for row in table.rows} == {
            (asking.name, 2, 63_000_000),
            ("cache", 6, 47_250_000),
        }
        assert (table.whole.calls, table.whole.failed, table.whole.estimated) == (8, 0, 0.0)
        assert {(row["state"], row["prompt"], row["completion"]) for row in found} == {
            ("complete", 30, 12)
        }


def _without_energy(body: bytes) -> bytes:
    return body.replace(b'"energy":31.5', b"").replace(b'"energy":7.875', b"")


async def test_what_only_its_own_way_can_tell_is_not_told_in_another(tmp_path):
    """An answer with something in it that has no place in the other way is asked for anew."""
    async with fleet(tmp_path, NAMES[:2], extra=ON) as now:
        for asking in DIALECTS[:2]:
            for first in (False, True):
                emptied = replace(now.sidecar.books.current, version="other")
                now.sidecar.parts.calls.answers.caching.cache.follow(emptied)
                _say_with_sources(now.provider(asking.name), stream=first)
                made, again, other = [
                    await asking.ask(now, stream=way) for way in (first, first, not first)
                ]
                said = [reply.headers["x-wattline-cache"] for reply in (made, again, other)]
                assert said == ["miss", "hit", "miss"]
                assert [b"sources" in reply.body for reply in (made, again)] == [True, True]


def _say_with_sources(provider: FakeProvider, *, stream: bool) -> None:
    if stream:
        mark = b'"delta":{"'
        frames, _ = provider.frames(Saying())
        pieces = [frame.replace(mark, b'"delta":{"sources":["x"],"') for frame in frames]
        provider.raw.append((pieces, "text/event-stream"))
    else:
        whole = json.dumps(provider.whole(Saying()) | {"sources": ["x"]}).encode()
        provider.raw.append(([whole], "application/json"))


def body(**more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": TURN, "temperature": 0, **more}


async def cached(now: Running, sent: object = None, **more: Any) -> str | None:
    """Ask, and what the answer's header says."""
    reply = await now.call(body() if sent is None else sent, **more)
    assert reply.status == 200, reply.body
    return reply.headers.get("x-wattline-cache")


@pytest.mark.parametrize("extra", ["", "cache: {hit_energy: 1}\n"])
async def test_off_by_default(tmp_path, extra):
    async with running(tmp_path, extra=extra) as now:
        assert [await cached(now) for _ in range(2)] == [None, None]
        assert now.upstreams[0].journal.count == 2


async def test_a_rule_has_the_last_word(tmp_path):
    rule = "- {name: by-model, when: {}, try: model}"
    for own, section, said in (("true", "false", "hit"), ("false", "true", None)):
        folder = tmp_path / own
        folder.mkdir()
        async with running(folder, extra=f"cache: {{enabled: {section}}}\n") as now:
            text = now.rules.read_text()
            now.rules.write_text(text.replace(rule, rule[:-1] + f", cache: {own}}}"))
            await cached(now)
            assert await cached(now) == said


SURE = {
    "/v1/completions": {"model": "m", "prompt": "one of 42", "temperature": 0, "max_tokens": 9},
    "/v1/responses": {"model": "m", "input": "one of 42", "temperature": 0.0},
    "/v1/embeddings": {"model": "m", "input": ["one of 42"]},
    "/v1/chat/completions": body(seed=7, stop=["x"], max_tokens=40),
}


async def test_operations_that_are_kept(tmp_path):
    async with running(tmp_path, extra=ON) as now:
        for path, sent in SURE.items():
            before = now.upstreams[0].journal.count
            made, kept = [await now.call(sent, path=path) for _ in range(2)]
            assert (made.status, kept.status) == (200, 200), made.body
            assert [r.headers["x-wattline-cache"] for r in (made, kept)] == ["miss", "hit"]
            first, second = made.json(), kept.json()
            assert first["usage"].pop("energy") > 0
            assert second["usage"].pop("energy") == 0
            assert first == second
            assert now.upstreams[0].journal.count == before + 1
    check_books(now)


async def test_operations_whose_streams_are_kept(tmp_path):
    async with running(tmp_path, extra=ON) as now:
        for path, sent in SURE.items():
            if "embeddings" in path:
                continue
            asked = sent | {"stream": True}
            made, kept = [await now.call(asked, path=path) for _ in range(2)]
            assert [r.headers["x-wattline-cache"] for r in (made, kept)] == ["miss", "hit"]
            assert [r.clean for r in (made, kept)] == [True, True]
            first, second = [[_no_usage(one) for one in r.events] for r in (made, kept)]
            assert first == second
    check_books(now)


def _no_usage(event: Any) -> Any:
    if not isinstance(event, dict):
        return event
    return {k: _no_usage(v) for k, v in event.items() if k != "usage"}


UNSURE = {
    "no temperature": {"model": "m", "messages": TURN},
    "temperature": body(temperature=0.1),
    "null": body(temperature=None),
    "two": body(n=2),
    "tools": body(
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    ),
    "unknown": body(web_search_options={}, plugins=[{"id": "web"}]),
    "bias": body(logit_bias={"1": 5}),
    "picture": body(
        messages=[
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}],
            }
        ]
    ),
}


async def test_calls_whose_answer_may_differ_are_never_kept(tmp_path):
    async with running(tmp_path, extra=ON) as now:
        for name, sent in UNSURE.items():
            assert [await cached(now, sent) for _ in range(2)] == [None, None], name
        assert now.upstreams[0].journal.count == 2 * len(UNSURE)
        for path, sent in OTHERS.items():
            for _ in range(2):
                reply = await now.call(sent, path=path)
                assert "x-wattline-cache" not in reply.headers
        assert len(now.sidecar.parts.calls.answers.caching.cache) == 0


OTHERS = {
    "/v1/moderations": {"model": "m", "input": "x", "temperature": 0},
    "/v1/audio/speech": {"model": "m", "input": "x", "voice": "alloy", "temperature": 0},
    "/v1/images/generations": {"model": "m", "prompt": "x", "temperature": 0},
}


async def test_what_a_rule_sets_counts(tmp_path):
    """A rule that warms calls up makes them differ, one that cools them down makes them the same."""
    plain = "- {name: by-model, when: {}, try: model}"
    async with running(tmp_path, extra=ON) as now:
        text = now.rules.read_text()
        for set_, sent, said in (
            ("override: {temperature: 0.7}", body(), None),
            ("override: {temperature: 0}", body(temperature=1), "hit"),
            ("defaults: {temperature: 0}", UNSURE["no temperature"], "hit"),
            ("defaults: {temperature: 0}", body(temperature=1), None),
            ("override: {n: 2}", body(), None),
        ):
            rule = f"{plain[:-1]}, set: {{{set_}}}}}"
            now.rules.write_text(text.replace(plain, rule))
            await cached(now, sent)
            assert await cached(now, sent) == said, set_


WISHES = [
    ([("cache-control", "no-store")], False, None),
    ([("Cache-Control", "max-age=60, No-Store")], False, None),
    ([("x-wattline-cache", "off")], False, None),
    ([("x-wattline-cache", "of")], False, None),
    ([("cache-control", "no-cache")], True, "miss"),
    ([("cache-control", "max-age=0")], True, "miss"),
    ([("x-wattline-cache", "refresh")], True, "miss"),
    ([("cache-control", "max-age=60")], True, "hit"),
]


async def test_clients_may_ask_for_a_new_answer(tmp_path):
    async with running(tmp_path, extra=ON) as now:
        cache, journal = now.sidecar.parts.calls.answers.caching.cache, now.upstreams[0].journal
        for seed, (headers, kept, found) in enumerate(WISHES):
            sent, before = body(seed=seed), len(cache)
            said = await cached(now, sent, headers=headers)
            assert (said, len(cache) - before) == ("miss" if kept else None, kept), headers
            await cached(now, sent)
            assert await cached(now, sent) == "hit"
            count = journal.count
            assert await cached(now, sent, headers=headers) == found
            assert journal.count == count + (found != "hit")


async def test_nobody_gets_what_was_made_for_somebody_else(tmp_path):
    """T30: the same body from two callers, whose keys and names share all but their ends."""
    names = ["a" * 63 + "1", "a" * 63 + "2"]
    keys = ["sk-" + "k" * 80 + "1", "sk-" + "k" * 80 + "2"]
    listed = ", ".join(f'{name}: "${{CALLER_{n}}}"' for n, name in enumerate(names))
    extra = f"{ON}auth: {{mode: keys, keys: {{{listed}}}}}\n"
    env = {f"CALLER_{number}": key for number, key in enumerate(keys)}
    async with running(tmp_path, extra=extra, env=env) as now:
        headers = [[("authorization", f"Bearer {key}")] for key in keys]
        assert await cached(now, headers=headers[0]) == "miss"
        assert await cached(now, headers=headers[1]) == "miss"
        assert await cached(now, headers=headers[0]) == "hit"
        assert await cached(now, headers=headers[1]) == "hit"
        assert now.upstreams[0].journal.count == 2
        assert [row["principal"] for row in rows(now.state)] == names * 2
    check_books(now)


async def test_headers_that_change_an_answer_are_part_of_the_key(tmp_path):
    async with running(tmp_path, extra=ON) as now:
        assert await cached(now, headers=[("openai-beta", "a=v1")]) == "miss"
        assert await cached(now, headers=[("openai-beta", "a=v2")]) == "miss"
        assert await cached(now) == "miss"
        agent = [("user-agent", "x"), ("openai-beta", "a=v1")]
        assert await cached(now, headers=agent) == "hit"


@pytest.mark.parametrize("stream", [False, True])
async def test_it_works_in_each_way_to_us(tmp_path, stream):
    """A provider's host and ours are two places; HTTP/1.1 and HTTP/2 are not."""
    async with running(tmp_path, extra=ON) as now:
        said = [await cached(now, body(stream=stream), way=way) for way in [*WAYS, *WAYS]]
        assert said == ["miss", "miss", "hit", "hit", "hit", "hit"]
    check_books(now)


async def test_answers_grow_old(tmp_path):
    async with running(tmp_path, extra="cache: {enabled: true, ttl: 1m}\n") as now:
        clock = now.sidecar.parts.calls.answers.caching.cache.clock = ManualClock()
        assert await cached(now) == "miss"
        clock.advance(59)
        kept = await now.call(body())
        assert (kept.headers["x-wattline-cache"], kept.headers["age"]) == ("hit", "59")
        clock.advance(1)
        assert await cached(now) == "miss"
        clock.advance(59)
        assert await cached(now) == "hit"  # kept anew


async def test_a_changed_rules_file_empties_it(tmp_path):
    async with running(tmp_path, extra=ON) as now:
        cache = now.sidecar.parts.calls.answers.caching.cache
        await cached(now)
        assert await cached(now) == "hit"
        text = now.rules.read_text()
        now.rules.write_text(text + "# another version\n")
        assert await cached(now) == "miss"
        assert len(cache) == 1
        now.rules.write_text(text.replace("enabled: true", "enabled: false"))
        assert await cached(now) is None
        assert len(cache) == 0
        assert cache.size == 0


BROKEN = ["500", "error_in_200", "html", "empty", "truncated_json"]
BROKEN_MID = ["error_mid:3", "cut:3", "cut_clean:3", "startup_then_error"]


async def test_what_went_wrong_is_never_kept(tmp_path):
    cases = [*((one, False) for one in BROKEN), *((one, True) for one in [*BROKEN, *BROKEN_MID])]
    async with running(tmp_path, 1, extra=ON) as now:
        cache = now.sidecar.parts.calls.answers.caching.cache
        for seed, (fault, stream) in enumerate(cases):
            sent = body(seed=seed, stream=stream)
            now.upstreams[0].script([fault])
            reply = await now.call(sent)
            assert reply.status != 200 or not reply.clean, fault
            assert (len(cache), cache.filling) == (seed, 0), fault
            later = await now.call(sent)
            assert (later.headers["x-wattline-cache"], later.clean) == ("miss", True)
            assert await cached(now, sent) == "hit"
    check_books(now)


ENDS = [
    (Saying(stop="length"), None, "miss"),
    (Saying(stop="length"), 5, "hit"),
    (Saying(stop="filter"), 5, "miss"),
    (Saying(stop="sequence"), None, "hit"),
    (Saying(usage=False), None, "hit"),
    (Saying(texts=()), None, "miss"),
]


async def test_only_answers_that_came_to_their_end_are_kept(tmp_path):
    async with fleet(tmp_path, ["openai"], extra=ON) as now:
        for number, (saying, limit, said) in enumerate(ENDS):
            now.provider("openai").always = saying
            for stream in (False, True):
                sent = body(model="m-openai", stream=stream, seed=2 * number + stream)
                sent |= {"max_tokens": limit} if limit else {}
                before = len(rows(now.state))
                replies = [await now.call(sent) for _ in range(2)]
                assert [r.headers["x-wattline-cache"] for r in replies] == ["miss", said], saying
                sources = {row["source"] for row in rows(now.state, before)}
                assert sources == ({"provider"} if saying.usage else {"estimated"})


async def test_a_client_that_leaves_has_nothing_kept(tmp_path):
    async with running(tmp_path, 1, extra=ON) as now:
        cache = now.sidecar.parts.calls.answers.caching.cache
        now.upstreams[0].script(["stall_mid:3"])
        connection = await client(now.address, REVERSE, None)
        raw = json.dumps(body(stream=True)).encode()
        host = f"127.0.0.1:{now.address[1]}"
        await connection.send("POST", "/v1/chat/completions", [("host", host)], raw)
        async for _ in connection.pieces():
            break
        assert cache.filling > 0
        connection.abort()
        async with asyncio.timeout(30):
            while now.sidecar.open_calls:
                await asyncio.sleep(0.01)
        assert len(cache) == 0
        assert cache.filling == 0


async def test_a_stop_does_not_break_off_what_is_only_being_kept(tmp_path, monkeypatch):
    reached, go_on = threading.Event(), threading.Event()

    def looks_long(*_: object) -> bool:
        reached.set()
        return go_on.wait(10)

    monkeypatch.setattr("wattline.service.caching.caching.sound", looks_long)
    async with running(tmp_path, 1, extra=ON) as now:
        now.upstreams[0].always("tokens:1000")
        asked = asyncio.ensure_future(now.call(body(stream=True, max_tokens=1000)))
        async with asyncio.timeout(10):
            await asyncio.to_thread(reached.wait, 10)
            await now.sidecar.stop(grace=0)
            go_on.set()
            reply = await asked
        assert reply.clean
        assert reply.events[-1] == "[DONE]"


async def test_a_hit_needs_no_provider(tmp_path):
    async with running(tmp_path, 1, extra=ON) as now:
        await cached(now)
        await now.upstreams[0].stop()
        assert await cached(now) == "hit"
        other = await now.call(body(seed=1))
        assert other.status >= 500
        assert await cached(now) == "hit"  # whatever rests


async def test_translated_answers_are_kept_in_the_words_of_their_client(tmp_path):
    async with fleet(tmp_path, ["anthropic"], extra=ON) as now:
        sent = body(model="m-anthropic", max_tokens=50)
        for stream in (False, True):
            cache = now.sidecar.parts.calls.answers.caching.cache
            cache.follow(replace(now.sidecar.books.current, version="other"))
            made, kept, other = [
                await now.call(sent | {"stream": way}) for way in (stream, stream, not stream)
            ]
            said = [reply.headers["x-wattline-cache"] for reply in (made, kept, other)]
            assert said == ["miss", "hit", "hit"]
            asking = DIALECTS[0]
            assert {asking.text(reply) for reply in (made, kept, other)} == {WORDS}
        assert now.asked == ["anthropic"] * 2
        now.check()


async def test_equal_calls_at_once_do_not_wait_for_one_another(tmp_path):
    async with running(tmp_path, 1, extra=ON) as now:
        upstream = now.upstreams[0]
        upstream.always("stall_head")
        asked = asyncio.gather(*(now.call(body()) for _ in range(5)))
        await upstream.journal.wait_for(lambda entry: entry.stalled, count=5)
        upstream.release()
        replies = await asked
        assert {reply.headers["x-wattline-cache"] for reply in replies} == {"miss"}
        assert len(now.sidecar.parts.calls.answers.caching.cache) == 1
        upstream.clear()
        assert await cached(now) == "hit"
    check_books(now)


async def test_hits_count_in_windows_over_callers_and_not_in_those_of_providers(tmp_path):
    window = "windows:\n  mine: {calls: 3, per: 1h, scope: principal}\n"
    async with running(tmp_path, extra=ON + window) as now:
        text = now.rules.read_text()
        now.rules.write_text(text.replace("dialect: openai", "dialect: openai\n    rpm: 1", 1))
        said = [await cached(now) for _ in range(3)]
        assert said == ["miss", "hit", "hit"]
        reply = await now.call(body())
        assert reply.status == 429


@pytest.mark.parametrize(("share", "cost"), [("0", 0), ("1", 1), ("0.5", 0.5)])
async def test_a_hit_costs_its_share(tmp_path, share, cost):
    """The hold is what the hit costs: a balance that is used up still pays for what is free."""
    extra = f"cache: {{enabled: true, hit_energy: {share}}}\n"
    async with running(tmp_path, extra=extra) as now:
        made = await now.call(body())
        full = made.json()["usage"]["energy"]
        await now.sidecar.ledger.credit("local", int(full * 1_000_000), "so that it is at 0")
        assert now.sidecar.ledger.balance("local") == 0
        kept = await now.call(body())
        assert kept.status == (200 if cost == 0 else 429)
        if cost:
            await now.sidecar.ledger.credit("local", int(full * 1_000_000), "for one more")
            kept = await now.call(body())
            left = now.sidecar.ledger.balance("local")
            assert left == int(full * 1_000_000) - int(full * cost * 1_000_000)
        assert kept.json()["usage"]["energy"] == full * cost
    check_books(now)


async def test_a_model_without_a_rate_has_hits_without_a_price(tmp_path):
    extra = "cache: {enabled: true, hit_energy: 0.5}\n"
    async with running(tmp_path, extra=extra) as now:
        now.rules.write_text(now.rules.read_text().replace(", rate: '2.0'", ""))
        made, kept = await now.call(body()), await now.call(body())
        assert kept.headers["x-wattline-cache"] == "hit"
        assert made.json()["usage"]["energy"] is None
        assert kept.json()["usage"]["energy"] is None
        assert [row["energy"] for row in rows(now.state)] == [None, None]


async def test_a_flood_of_answers_stays_within_its_bounds(tmp_path):
    extra = "cache: {enabled: true, max_entries: 5, max_bytes: 100000}\n"
    async with running(tmp_path, 1, extra=extra) as now:
        cache = now.sidecar.parts.calls.answers.caching.cache
        for number in range(12):
            assert await cached(now, body(seed=number, stream=bool(number % 2))) == "miss"
            assert len(cache) <= 5
            assert cache.size <= 100_000
        assert await cached(now, body(seed=11, stream=True)) == "hit"
        assert await cached(now, body(seed=0)) == "miss"
        now.upstreams[0].always("tokens:5000")
        for stream in (False, True):  # more than an eighth of all
            sent = body(seed=100, stream=stream, max_tokens=5000)
            assert [await cached(now, sent) for _ in range(2)] == ["miss", "miss"]
        assert cache.size <= 100_000
        assert cache.filling == 0


async def test_nothing_of_it_is_on_disk_and_the_log_tells_hits(tmp_path, caplog):
    secret = "PROMPT-THAT-STAYS-IN-MEMORY"
    caplog.set_level("INFO")
    async with running(tmp_path, extra=ON) as now:
        sent = body(messages=[{"role": "user", "content": secret}])
        await cached(now, sent)
        assert await cached(now, sent) == "hit"
        lines = [record.getMessage() for record in caplog.records]
        assert sum("cache/up0, complete" in line for line in lines) == 1
        assert secret not in caplog.text
        assert secret not in repr(now.sidecar.parts.calls.answers.caching.cache)
        for file in now.state.rglob("*"):
            if file.is_file():
                assert secret.encode() not in file.read_bytes()
                assert b"no model was called" not in file.read_bytes()


async def test_a_ledger_that_is_down_refuses_hits_too(tmp_path):
    async with running(tmp_path, extra=ON, check=False) as now:
        await cached(now)
        now.sidecar.ledger._groups.fail("test: no space", final=True)
        reply = await now.call(body())
        assert reply.status == 503
        assert reply.json()["error"]["code"] == "ledger_down"
