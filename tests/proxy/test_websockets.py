"""OpenAI's WebSockets over real sockets: routed, keyed, metered, and every end of them settled."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import random
from contextlib import asynccontextmanager

import pytest
from openai import AsyncOpenAI
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kit.books import rows
from kit.clients import CONNECT_H1, REVERSE
from kit.outages import locked
from kit.sidecars import running
from kit.socket_provider import (
    SocketProvider,
    answer_local,
    dialled,
    forwarded,
    rules,
    socket_providers,
    told,
)
from wattline.service.metering.settlement import Settlement
from wattline.service.opening import Opening
from wattline.service.sockets.conversation import Conversation
from wattline.service.sockets.hearing import MAX_OWED
from wattline.upstream.sockets import Socket
from wattline.wire.http import Request

WAYS = [REVERSE, CONNECT_H1]
REALTIME = "/v1/realtime?model=m"
RESPONSES = "/v1/responses"
KEYS = {f"KEY_{index}": f"sk-secret-of-upstream-{index:04d}" for index in range(3)}
CREATE = {"type": "response.create", "response": {"instructions": "Say hello."}}
MANY = {"input_tokens": 10_000, "output_tokens": 10_000, "total_tokens": 20_000}
ASK = {"type": "response.create", "model": "m", "input": "Say hello."}


@asynccontextmanager
async def stage(tmp_path, count=1, *, window="", extra="", dead=(), env=(), exact=True):
    """Socket providers and a sidecar before them; the ledger is checked against their own counts."""
    async with socket_providers(count) as providers:
        urls = [await provider.start() for provider in providers]
        for index in dead:
            await providers[index].stop()
        text = rules(urls, window=window, extra=extra)
        async with running(tmp_path, 0, text=text, env=KEYS | dict(env)) as sidecar:
            yield sidecar, providers
        check(sidecar, providers, exact=exact)


def check(sidecar, providers, *, exact):
    """Each response that a provider counted has one row with its tokens; nothing is left open. Not
    `exact`: clients left while counts were on their way to us, whose rows have an estimate."""
    found = rows(sidecar.state)
    assert [row["state"] for row in found if row["state"] == "sent"] == []
    for index, provider in enumerate(providers):
        own = [row for row in found if row["provider"] == f"p{index}"]
        counted = [(row["prompt"], row["completion"]) for row in own if row["source"] == "provider"]
        if exact:
            assert sorted(counted) == sorted(provider.given)
        estimates = [row for row in own if row["state"] in ("aborted", "truncated")]
        assert len(counted) <= len(provider.given) <= len(counted) + len(estimates)
        assert provider.number <= len(own)
    for row in found:
        if row["state"] == "failed":
            assert not row["energy"], row


async def say(socket, frame):
    await socket.send(json.dumps(frame))


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_a_realtime_session_goes_to_the_provider_of_its_model(tmp_path, way):
    """B-044: the model and the key are the target's, the usage is metered, the energy is told."""
    async with (
        stage(tmp_path) as (sidecar, (provider,)),
        dialled(
            sidecar,
            REALTIME + "&intent=talk",
            way,
            additional_headers={
                "authorization": "Bearer sk-of-the-client",
                "openai-beta": "realtime=v1",
            },
        ) as socket,
    ):
        await told(socket, "session.created")
        session = {"type": "realtime", "model": "m", "voice": "ash"}
        await say(socket, {"type": "session.update", "session": session})
        await told(socket, "heard")
        await say(socket, CREATE)
        done = await told(socket, "response.done")
        assert done["response"]["usage"]["energy"] == 13.5
        assert done["response"]["usage"]["input_token_details"]["cached_tokens"] == 4
        assert done["last"] is True
        (upgrade,) = provider.upgrades
        assert upgrade.path == "/v1/realtime?model=up0&intent=talk"
        assert upgrade.values("authorization") == ["Bearer " + KEYS["KEY_0"]]
        assert upgrade.values("openai-beta") == ["realtime=v1"]
        assert "sk-of-the-client" not in str(upgrade)
        assert provider.frames[0]["session"] == {**session, "model": "up0"}
        assert provider.frames[1] == CREATE
    (row,) = rows(sidecar.state)
    assert (row["state"], row["operation"], row["energy"]) == ("complete", "realtime", 13_500_000)
    assert (row["model"], row["requested"], row["cached"]) == ("up0", "m", 4)


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_responses_over_a_websocket(tmp_path, way):
    """As Codex speaks: the model comes with the first message."""
    async with (
        stage(tmp_path) as (sidecar, (provider,)),
        dialled(
            sidecar,
            RESPONSES,
            way,
            additional_headers={"openai-beta": "responses_websockets=2026-02-06"},
        ) as socket,
    ):
        assert not provider.upgrades
        for number in range(3):
            await say(socket, {**ASK, "previous_response_id": f"r{number}", "store": False})
            done = await told(socket, "response.completed", "error")
            assert done["response"]["usage"]["energy"] == 13.5, done
        (upgrade,) = provider.upgrades
        assert upgrade.path == "/v1/responses"
        assert upgrade.values("openai-beta") == ["responses_websockets=2026-02-06"]
        assert [frame["model"] for frame in provider.frames] == ["up0"] * 3
        assert provider.frames[0] == {
            **ASK,
            "model": "up0",
            "previous_response_id": "r0",
            "store": False,
        }
    found = rows(sidecar.state)
    assert [(row["state"], row["operation"]) for row in found] == [("complete", "responses")] * 3


async def test_the_time_to_the_first_output_is_not_that_of_the_beginning(tmp_path, monkeypatch):
    """`response.created` comes at once; what a client waits for comes later."""
    gate = asyncio.Event()

    async def begin(provider, socket, name):
        await socket.send(json.dumps({"type": "response.created", "response": {"id": name}}))
        await gate.wait()
        event = {"type": "response.output_text.delta", "response_id": name, "delta": "Hello"}
        await socket.send(json.dumps(event))

    monkeypatch.setattr(SocketProvider, "begin", begin)
    async with stage(tmp_path) as (sidecar, _), dialled(sidecar, RESPONSES, REVERSE) as socket:
        await say(socket, ASK)
        await told(socket, "response.created")
        await asyncio.sleep(0.3)
        gate.set()
        await told(socket, "response.completed", "error")
        figures = sidecar.sidecar.parts.memory.health.figures(("p0", "up0"))
        assert figures.first_ms >= 300
    assert rows(sidecar.state)[0]["first_byte_ms"] >= 300


async def test_rules_see_a_response_with_what_the_conversation_has_read(tmp_path):
    """It is a stream, and its tokens are those of the responses before it too."""
    denied = """rules:
  - {name: whole, when: {stream: false}, deny: not here}
  - {name: long, when: {tokens: {min: 20}}, deny: begin anew}
"""
    async with socket_providers(1) as (provider,):
        text = rules([await provider.start()]).replace("rules:\n", denied)
        async with (
            running(tmp_path, 0, text=text, env=KEYS) as sidecar,
            dialled(sidecar, RESPONSES, REVERSE) as socket,
        ):
            await say(socket, ASK)
            await told(socket, "response.completed")
            await say(socket, ASK)
            refused = await told(socket, "error")
            assert refused["error"]["code"] == "denied_by_rule", refused
    assert [row["state"] for row in rows(sidecar.state)] == ["complete"]


async def test_a_browsers_key_in_a_subprotocol_lets_in_and_stays_here(tmp_path):
    """A browser can't set headers: its key is a subprotocol, and must never go upstream."""
    key = "sk-wattline-0123456789abcdef"
    auth = 'auth: {mode: keys, keys: {alice: "${ALICE}"}}\n'
    async with stage(tmp_path, extra=auth, env={"ALICE": key}) as (sidecar, (provider,)):
        offered = ["realtime", f"openai-insecure-api-key.{key}", "openai-organization.org-1"]
        async with dialled(sidecar, REALTIME, REVERSE, subprotocols=offered) as socket:
            assert socket.subprotocol == "realtime"
            await say(socket, CREATE)
            await told(socket, "response.done")
        (upgrade,) = provider.upgrades
        assert upgrade.values("sec-websocket-protocol") == ["realtime"]
        assert key not in str(upgrade)
        for wrong in (["realtime"], ["realtime", "openai-insecure-api-key.sk-wattline-other"]):
            with pytest.raises(InvalidStatus) as refused:
                async with dialled(sidecar, REALTIME, REVERSE, subprotocols=wrong):
                    pass
            assert refused.value.response.status_code == 401
        two = {"authorization": f"Bearer {key}"}
        with pytest.raises(InvalidStatus) as refused:
            async with dialled(
                sidecar, REALTIME, REVERSE, subprotocols=offered, additional_headers=two
            ):
                pass
        assert refused.value.response.status_code == 400
        assert len(provider.upgrades) == 1
    (row,) = rows(sidecar.state)
    assert row["principal"] == "alice"
    assert key not in str(row)


@pytest.mark.parametrize("status", [401, 404, 429, 500])
@pytest.mark.parametrize("path", [REALTIME, RESPONSES])
async def test_a_refused_upgrade_fails_over(tmp_path, status, path):
    async with stage(tmp_path, 2) as (sidecar, (first, second)):
        first.status = status
        async with dialled(sidecar, path, REVERSE) as socket:
            await say(socket, ASK if path == RESPONSES else CREATE)
            await told(socket, "response.completed", "response.done")
            assert len(first.upgrades) == 1
            assert [frame.get("model", "up1") for frame in second.frames] == ["up1"]
            keys = [upgrade.values("authorization") for upgrade in second.upgrades]
            assert keys == [["Bearer " + KEYS["KEY_1"]]]
        resting = sidecar.sidecar.parts.memory.resting.resting(
            "p0", sidecar.sidecar.clock.monotonic()
        )
        assert (resting is not None) == (status in (401, 429))
    (row,) = rows(sidecar.state)
    assert row["provider"] == "p1"


@pytest.mark.parametrize("path", [REALTIME, RESPONSES])
async def test_a_dead_provider_fails_over(tmp_path, path):
    async with stage(tmp_path, 2, dead=[0]) as (sidecar, (_, second)):
        async with dialled(sidecar, path, REVERSE) as socket:
            await say(socket, ASK if path == RESPONSES else CREATE)
            await told(socket, "response.completed", "response.done")
        assert len(second.upgrades) == 1


async def test_a_realtime_client_whose_targets_all_refuse_gets_an_http_answer(tmp_path):
    async with stage(tmp_path, 2) as (sidecar, (first, second)):
        first.status = second.status = 503
        with pytest.raises(InvalidStatus) as refused:
            async with dialled(sidecar, REALTIME, REVERSE):
                pass
        assert refused.value.response.status_code == 500
        assert json.loads(refused.value.response.body)["error"]["code"] == "all_providers_failed"
        first.status = 422
        with pytest.raises(InvalidStatus) as refused:
            async with dialled(sidecar, REALTIME, REVERSE):
                pass
        assert refused.value.response.status_code == 422
        assert refused.value.response.body == first.body
        assert len(second.upgrades) == 1
    assert rows(sidecar.state) == []


async def test_a_responses_client_is_told_in_events_and_may_ask_again(tmp_path):
    async with stage(tmp_path) as (sidecar, (provider,)):
        provider.status = 503
        async with dialled(sidecar, RESPONSES, REVERSE) as socket:
            await say(socket, ASK)
            error = await told(socket, "error")
            assert (error["status"], error["error"]["code"]) == (500, "all_providers_failed")
            await say(socket, {"type": "response.processed"})
            assert (await told(socket, "error"))["error"]["code"] == "no_model_yet"
            await say(socket, {**ASK, "model": "unknown"})
            assert (await told(socket, "error"))["error"]["code"] == "model_not_found"
            provider.status = 101
            await say(socket, ASK)
            await told(socket, "response.completed")
    assert [row["state"] for row in rows(sidecar.state)] == ["complete"]


async def test_a_client_whose_models_have_no_websockets_is_sent_to_http(tmp_path):
    """Codex uses POST after 426: there its calls can be translated."""
    async with stage(tmp_path) as (sidecar, (provider,)):
        provider.status = 404
        async with dialled(sidecar, RESPONSES, REVERSE) as socket:
            await say(socket, ASK)
            await told(socket, "error")
        with pytest.raises(InvalidStatus) as refused:
            async with dialled(sidecar, RESPONSES, REVERSE):
                pass
        assert refused.value.response.status_code == 426
        provider.status = 101
        async with dialled(sidecar, RESPONSES, REVERSE) as socket:
            await say(socket, ASK)
            await told(socket, "response.completed")


async def test_another_model_may_need_another_provider(tmp_path):
    async with (
        stage(tmp_path, 2) as (sidecar, (first, second)),
        dialled(sidecar, RESPONSES, REVERSE) as socket,
    ):
        for model in ("m0", "m", "m1", "m1", "m0"):
            await say(socket, {**ASK, "model": model})
            await told(socket, "response.completed")
        assert [frame["model"] for frame in first.frames] == ["up0"] * 3
        assert [frame["model"] for frame in second.frames] == ["up1"] * 2
        assert (len(first.upgrades), len(second.upgrades)) == (2, 1)
        first.act = "start"
        await say(socket, {**ASK, "model": "m0"})
        await told(socket, "response.created")
        await say(socket, {**ASK, "model": "m1"})
        assert (await told(socket, "error"))["error"]["code"] == "other_provider"
    states = [row["state"] for row in rows(sidecar.state)]
    assert states == ["complete"] * 5 + ["aborted"]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("act", ["silent", "start"])
async def test_a_client_that_leaves_owes_what_was_used(tmp_path, way, act):
    async with stage(tmp_path) as (sidecar, (provider,)):
        provider.act = act
        async with dialled(sidecar, REALTIME, way) as socket:
            await say(socket, CREATE)
            await provider.asked.wait()
            if act == "start":
                await told(socket, "response.output_text.delta")
                await told(socket, "response.output_text.delta")
            socket.transport.abort()
        await gone(sidecar)
        async with asyncio.timeout(30):
            await provider.open[0].wait_closed()
    (row,) = rows(sidecar.state)
    assert (row["state"], row["source"], row["error"]) == ("aborted", "estimated", "client_gone")
    assert row["completion"] == (6 if act == "start" else 0)


async def gone(sidecar):
    """No call is open any more."""
    async with asyncio.timeout(30):
        while sidecar.sidecar.open_calls:
            await asyncio.sleep(0.005)


async def test_a_client_that_says_goodbye_in_the_middle_is_answered(tmp_path):
    async with stage(tmp_path) as (sidecar, (provider,)):
        provider.act = "start"
        async with dialled(sidecar, REALTIME, REVERSE) as socket:
            await say(socket, CREATE)
            await told(socket, "response.created")
            await socket.close(4001, "bored")
            assert socket.protocol.close_rcvd.code == 4001
        async with asyncio.timeout(30):
            await provider.open[0].wait_closed()
        assert provider.open[0].protocol.close_rcvd.code == 4001
    (row,) = rows(sidecar.state)
    assert row["state"] == "aborted"


@pytest.mark.parametrize(
    ("act", "state", "error"),
    [("cut", "failed", "cut"), ("start_cut", "truncated", "cut")],
)
@pytest.mark.parametrize("path", [REALTIME, RESPONSES])
async def test_a_provider_that_breaks_off_ends_the_connection(tmp_path, act, state, error, path):
    async with stage(tmp_path, 2) as (sidecar, (provider, second)):
        provider.act = act
        async with dialled(sidecar, path, REVERSE) as socket:
            await say(socket, ASK if path == RESPONSES else CREATE)
            assert (await told(socket, "error"))["error"]["code"] == "upstream_broke_off"
            with pytest.raises(ConnectionClosed) as closed:
                await told(socket, "never")
            assert closed.value.rcvd.code == 1011
        assert not second.upgrades  # no other target after the upgrade
    (row,) = rows(sidecar.state)
    assert (row["state"], row["error"]) == (state, error)
    assert bool(row["energy"]) == (state == "truncated")


async def test_a_provider_that_closes_is_heard(tmp_path):
    async with (
        stage(tmp_path) as (sidecar, (provider,)),
        dialled(sidecar, REALTIME, REVERSE) as socket,
    ):
        await told(socket, "session.created")
        await provider.open[0].close(4444, "an hour has passed")
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4444, "an hour has passed")


@pytest.mark.parametrize(("act", "code"), [("silent", "idle_timeout"), ("start", "idle_timeout")])
async def test_a_silent_provider_is_given_up(tmp_path, act, code):
    async with stage(tmp_path) as (sidecar, (provider,)):
        provider.act = act
        async with dialled(sidecar, REALTIME, REVERSE) as socket:
            await say(socket, CREATE)
            assert (await told(socket, "error"))["error"]["code"] == "upstream_broke_off"
    (row,) = rows(sidecar.state)
    assert row["error"] == code


async def test_a_full_window_is_told_in_an_event_and_the_connection_stays(tmp_path):
    async with stage(tmp_path, window="{calls: 2, per: 1h}") as (sidecar, (provider,)):
        async with dialled(sidecar, REALTIME, REVERSE) as socket:
            for _ in range(2):
                await say(socket, CREATE)
                await told(socket, "response.done")
            await say(socket, {**CREATE, "event_id": "mine"})
            error = await told(socket, "error")
            assert error["error"]["code"] == "rate_limit_exceeded"
            assert error["error"]["event_id"] == "mine"
            await say(socket, {"type": "input_audio_buffer.clear"})
            await told(socket, "heard")
        assert len(provider.given) == 2
    assert len(rows(sidecar.state)) == 2


async def test_a_provider_may_answer_by_itself(tmp_path):
    """Voice activity: a response that nobody asked for is a call like any other."""
    async with (
        stage(tmp_path, window="{calls: 1, per: 1h}") as (sidecar, (provider,)),
        dialled(sidecar, REALTIME, REVERSE) as socket,
    ):
        await say(socket, {"type": "speak", "id": "own_1"})
        await told(socket, "response.created")
        await say(socket, {"type": "response.cancel", "response_id": "own_1"})
        done = await told(socket, "response.done")
        assert done["response"]["usage"]["energy"] == 13.5
        await say(socket, {"type": "speak", "id": "own_2"})  # the window is full now
        assert (await told(socket, "error"))["error"]["code"] == "rate_limit_exceeded"
        await told(socket, "response.created")
        await told(socket, "response.done")
        await say(socket, {"type": "heard?"})
        await told(socket, "heard")
        cancels = [f for f in provider.frames if f["type"] == "response.cancel"]
        assert [cancel["response_id"] for cancel in cancels] == ["own_1", "own_2"]
    assert [row["state"] for row in rows(sidecar.state)] == ["complete", "complete"]


@pytest.mark.parametrize("path", [REALTIME, RESPONSES])
async def test_an_end_that_is_told_twice_is_owed_once(tmp_path, path):
    """T17, fault 20: nor is it taken for the end of the next response."""
    async with (
        stage(tmp_path) as (sidecar, (provider,)),
        dialled(sidecar, path, REVERSE) as socket,
    ):
        last = "response.done" if path == REALTIME else "response.completed"
        for _ in range(2):
            await say(socket, CREATE if path == REALTIME else ASK)
            done = await told(socket, last)
            again = {"type": last, "response": {**done["response"], "usage": MANY}}
            await provider.open[0].send(json.dumps(again))
            assert (await told(socket, last))["response"]["usage"] == MANY
    assert [row["state"] for row in rows(sidecar.state)] == ["complete", "complete"]


def noted(monkeypatch, owner, name, *, after=False):
    """An event that a method sets: when it is called, or `after` it."""
    event, plain = asyncio.Event(), getattr(owner, name)

    async def noting(*given, **named):
        if not after:
            event.set()
        found = await plain(*given, **named)
        event.set()
        return found

    monkeypatch.setattr(owner, name, noting)
    return event


async def test_a_client_that_moves_on_still_gets_the_end_of_its_response(tmp_path, monkeypatch):
    """A question for another provider comes while the end of the last answer waits for its commit."""
    opened = noted(monkeypatch, Opening, "open", after=True)
    waits = noted(monkeypatch, Settlement, "committed")
    async with (
        stage(tmp_path, 2) as (sidecar, (first, second)),
        dialled(sidecar, RESPONSES, REVERSE) as socket,
    ):
        first.act = "start"
        await say(socket, {**ASK, "model": "m0"})
        await told(socket, "response.output_text.delta")
        with locked(sidecar.state):
            await first.end(first.open[0], "resp_1")
            async with asyncio.timeout(10):
                await waits.wait()
                opened.clear()
                await say(socket, {**ASK, "model": "m1"})
                await opened.wait()
        done = await told(socket, "response.completed", "error")
        assert done["response"]["id"] == "resp_1"
        assert done["response"]["usage"]["energy"] == 13.5
        assert (await told(socket, "response.completed", "error"))["type"] == "response.completed"
        assert len(second.frames) == 1
    assert [row["state"] for row in rows(sidecar.state)] == ["complete", "complete"]


async def test_nobody_listens_to_a_provider_any_more_when_it_is_left(tmp_path, monkeypatch):
    """What its relay still read would be told as the next provider's."""
    listening, close = [], Socket.close

    def closing(*given):
        names = [task.get_name() for task in asyncio.all_tasks()]
        listening.append(names.count("listen to a provider"))
        close(*given)

    monkeypatch.setattr(Socket, "close", closing)
    async with stage(tmp_path, 2) as (sidecar, _), dialled(sidecar, RESPONSES, REVERSE) as socket:
        for model in ("m0", "m1"):
            await say(socket, {**ASK, "model": model})
            await told(socket, "response.completed")
        assert listening == [0]


@pytest.mark.parametrize("path", [REALTIME, RESPONSES])
async def test_a_flood_of_ends_that_never_began_is_broken_off(tmp_path, path):
    """Each is a row that no window holds back."""
    last = "response.done" if path == REALTIME else "response.completed"
    async with (
        stage(tmp_path, exact=False) as (sidecar, (provider,)),
        dialled(sidecar, path, REVERSE) as socket,
    ):
        await say(socket, CREATE if path == REALTIME else ASK)
        await told(socket, last)
        with contextlib.suppress(ConnectionClosed):
            for number in range(MAX_OWED * 3):
                await provider.end(provider.open[0], f"own_{number}")
        provider.given[:] = provider.given[: MAX_OWED + 1]
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(20):
                while True:
                    await socket.recv()
        assert socket.close_code == 1011
    assert [row["state"] for row in rows(sidecar.state)] == ["complete"] * (MAX_OWED + 1)


async def test_ends_that_never_began_are_owed_between_others(tmp_path):
    async with (
        stage(tmp_path) as (sidecar, (provider,)),
        dialled(sidecar, RESPONSES, REVERSE) as socket,
    ):
        for turn in range(3):
            await say(socket, ASK)
            await told(socket, "response.completed")
            for number in range(MAX_OWED // 2):
                await provider.end(provider.open[0], f"own_{turn}_{number}")
                await told(socket, "response.completed")
    assert len(rows(sidecar.state)) == 3 * (1 + MAX_OWED // 2)


async def test_a_provider_that_breaks_off_leaves_nothing_unsettled_while_the_ledger_waits(
    tmp_path, monkeypatch
):
    """Its client leaves while the first of the settlements waits for its commit."""
    waits = noted(monkeypatch, Settlement, "committed")
    left = noted(monkeypatch, Conversation, "_leave")
    async with (
        stage(tmp_path) as (sidecar, (provider,)),
        dialled(sidecar, REALTIME, REVERSE) as socket,
    ):
        await told(socket, "session.created")
        provider.act = "start"
        for _ in range(3):
            await say(socket, CREATE)
            await told(socket, "response.created")
        with locked(sidecar.state):
            provider.open[0].transport.abort()
            async with asyncio.timeout(10):
                await waits.wait()
                socket.transport.abort()
                await left.wait()
    assert [row["state"] for row in rows(sidecar.state)] == ["truncated"] * 3


async def test_an_error_of_the_providers_ends_only_its_own_response(tmp_path):
    async with stage(tmp_path) as (sidecar, (provider,)):
        provider.act = "error"
        async with dialled(sidecar, REALTIME, REVERSE) as socket:
            await say(socket, {**CREATE, "event_id": "mine"})
            assert (await told(socket, "error"))["error"]["event_id"] == "mine"
            provider.act = "answer"
            await say(socket, CREATE)
            await told(socket, "response.done")
    found = [(row["state"], row["error"]) for row in rows(sidecar.state)]
    assert found == [("failed", "inband_invalid_request"), ("complete", None)]


async def test_a_failed_response_with_output_owes_it(tmp_path):
    async with stage(tmp_path) as (sidecar, (provider,)):
        provider.act = "fail"
        async with dialled(sidecar, RESPONSES, REVERSE) as socket:
            await say(socket, ASK)
            failed = await told(socket, "response.failed")
            assert failed["response"]["usage"]["estimated"] is True
    (row,) = rows(sidecar.state)
    assert (row["state"], row["source"], row["completion"]) == ("truncated", "estimated", 6)


GARBAGE = ["", "{", "[]", "null", '{"type": 1, "type": 2}', '{"type": NaN}', "[" * 5000, "\x00"]


async def test_garbage_is_answered_and_goes_nowhere(tmp_path):
    """A frame that two parsers could read in two ways would slip past the rules."""
    async with stage(tmp_path) as (sidecar, (provider,)):
        for path in (REALTIME, RESPONSES):
            async with dialled(sidecar, path, REVERSE) as socket:
                for text in GARBAGE:
                    await socket.send(text)
                    assert (await told(socket, "error"))["error"]["type"] == "invalid_request_error"
                await say(socket, ASK if path == RESPONSES else CREATE)
                await told(socket, "response.completed", "response.done")
        assert len(provider.frames) == 2


async def test_odd_types_of_known_fields_break_nothing(tmp_path):
    odd = [None, 1, -1.5, True, "x" * 9999, [], {}, [[]], {"a": None}]
    async with stage(tmp_path) as (sidecar, _), dialled(sidecar, REALTIME, REVERSE) as socket:
        for value in odd:
            for field in ("type", "event_id", "session", "response"):
                frame = {"type": "session.update", "session": {}, field: value}
                await say(socket, frame)
                await told(socket, "heard", "error")
            await say(socket, {**CREATE, "event_id": value, "response": value})
            await told(socket, "response.done", "error")


async def test_binary_fragments_pings_and_large_messages_pass(tmp_path):
    async with (
        stage(tmp_path) as (sidecar, (provider,)),
        dialled(sidecar, REALTIME, CONNECT_H1) as socket,
    ):
        await told(socket, "session.created")
        sound = bytes(range(256)) * 4096
        await socket.send(sound)
        assert await socket.recv() == sound
        await socket.send(b"{not json")
        assert await socket.recv() == b"{not json"
        parts = iter(['{"type": "respo', "nse.cre", "", 'ate"}'])
        await socket.send(parts)
        await told(socket, "response.done")
        async with asyncio.timeout(30):
            await (await socket.ping(b"x"))
        audio = {"type": "input_audio_buffer.append", "audio": "A" * 8_000_000}
        await say(socket, audio)
        await told(socket, "heard")
        assert provider.frames[-1] == audio
        begun = json.dumps({"type": "response.create"}).encode()
        await socket.send(begun)  # JSON in a binary message counts too
        await told(socket, "response.done")
    assert len(rows(sidecar.state)) == 2


async def test_a_message_past_the_bound_closes_the_connection(tmp_path):
    async with stage(tmp_path) as (sidecar, (provider,)):
        async with dialled(sidecar, REALTIME, REVERSE) as socket:
            await told(socket, "session.created")
            with contextlib.suppress(ConnectionClosed):
                await socket.send("x" * (16 * 1024 * 1024 + 1))
            await socket.wait_closed()
            assert socket.protocol.close_rcvd.code == 1009
        await gone(sidecar)
        assert provider.frames == []


BROKEN = [
    b"\x81\x05Hello",
    b"\xff" * 50,
    b"\x83\x80\x00\x00\x00\x00",
    b"\x81\x81\x00\x00\x00\x00\xff",
]


async def test_frames_that_are_none_close_the_connection(tmp_path):
    """Not masked, reserved bits, an unknown opcode, text that is not UTF-8."""
    async with stage(tmp_path) as (sidecar, _):
        for data in BROKEN:
            async with dialled(sidecar, REALTIME, REVERSE) as socket:
                await told(socket, "session.created")
                socket.transport.write(data)
                await socket.wait_closed()
                assert socket.protocol.close_rcvd.code in (1002, 1007), data
            await gone(sidecar)


async def test_a_provider_that_sends_no_frames_is_broken_off(tmp_path):
    async with stage(tmp_path) as (sidecar, (provider,)):
        async with dialled(sidecar, REALTIME, REVERSE) as socket:
            await told(socket, "session.created")
            provider.open[0].transport.write(b"\xff" * 100)
            await socket.wait_closed()
            assert socket.protocol.close_rcvd.code == 1011
        await gone(sidecar)


async def test_a_stopping_sidecar_settles_open_responses_and_says_so(tmp_path):
    async with stage(tmp_path) as (sidecar, (provider,)):
        provider.act = "start"
        async with dialled(sidecar, REALTIME, REVERSE) as socket:
            await say(socket, CREATE)
            await told(socket, "response.created")
            stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=0.1))
            assert (await told(socket, "error"))["error"]["code"] == "shutting_down"
            await socket.wait_closed()
            assert socket.protocol.close_rcvd.code == 1012
            await stopping
    (row,) = rows(sidecar.state)
    assert (row["state"], row["error"]) == ("truncated", "shutdown")


async def test_a_stopping_sidecar_does_not_wait_for_idle_connections(tmp_path):
    async with stage(tmp_path) as (sidecar, _), dialled(sidecar, REALTIME, REVERSE) as socket:
        await say(socket, CREATE)
        await told(socket, "response.done")
        async with asyncio.timeout(10):
            await sidecar.sidecar.stop(grace=60)
        await socket.wait_closed()
        assert socket.protocol.close_rcvd.code == 1012


async def test_grace_lets_an_open_response_end(tmp_path):
    async with stage(tmp_path) as (sidecar, (provider,)):
        provider.act = "start"
        async with dialled(sidecar, REALTIME, REVERSE) as socket:
            await say(socket, CREATE)
            await told(socket, "response.created")
            stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=60))
            async with asyncio.timeout(30):
                while not sidecar.sidecar.layers._stopping:
                    await asyncio.sleep(0.005)
            await provider.end(provider.open[0], "resp_1")
            await told(socket, "response.done")
            await socket.wait_closed()
            assert socket.protocol.close_rcvd.code == 1012
            async with asyncio.timeout(30):
                await stopping
    (row,) = rows(sidecar.state)
    assert row["state"] == "complete"


async def test_upgrades_that_are_none_are_refused(tmp_path):
    async with stage(tmp_path) as (sidecar, (provider,)):
        for path, status in (
            ("/v1/realtime", 400),
            ("/v1/realtime?model=a&model=b", 400),
            ("/v1/realtime?model=unknown", 404),
            ("/v1/chat/completions", 405),
            ("/ws/none", 404),
        ):
            with pytest.raises(InvalidStatus) as refused:
                async with dialled(sidecar, path, REVERSE):
                    pass
            assert refused.value.response.status_code == status, path
        with pytest.raises(InvalidStatus) as refused:
            async with dialled(sidecar, REALTIME, REVERSE, origin="https://evil.test"):
                pass
        assert refused.value.response.status_code == 403
        assert not provider.upgrades


async def test_a_slow_client_does_not_fill_the_memory(tmp_path):
    """The provider has to wait until the client reads."""
    async with (
        stage(tmp_path) as (sidecar, (provider,)),
        dialled(sidecar, REALTIME, REVERSE, max_queue=1) as socket,
    ):
        await told(socket, "session.created")
        upstream = provider.open[0]
        event = json.dumps({"type": "x", "pad": "y" * 1_000_000})
        sending = asyncio.ensure_future(flood(upstream, event, 100))
        await asyncio.sleep(0.5)
        assert not sending.done()
        for _ in range(100):
            assert len(await socket.recv()) == len(event)
        await sending


async def flood(socket, event, count):
    for _ in range(count):
        await socket.send(event)


async def test_a_slow_provider_does_not_fill_the_memory(tmp_path):
    """The client has to wait until the provider reads."""
    async with stage(tmp_path) as (sidecar, (provider,)):
        provider.act = "answer"
        async with dialled(sidecar, REALTIME, REVERSE) as socket:
            await told(socket, "session.created")
            provider.open[0].transport.pause_reading()
            sending = asyncio.ensure_future(
                flood(socket, '{"type":"x", "p": "' + "y" * 1_000_000 + '"}', 60)
            )
            await asyncio.sleep(0.3)
            assert not sending.done()
            (delivery,) = sidecar.sidecar.layers.deliveries
            assert delivery.inbox._size < 1_000_000
            provider.open[0].transport.resume_reading()
            for _ in range(60):
                await told(socket, "heard")
            await sending


async def test_an_upgrade_that_no_rule_takes_goes_to_its_own_host_and_is_metered(tmp_path):
    """On an intercepted host: the client's own key and bytes, and every response in the ledger."""
    async with socket_providers(1) as (provider,):
        url = await provider.start()
        text = rules([url]).replace("[api.openai.com]", "[api.openai.com, provider.test]")
        async with running(tmp_path, 0, text=text, env=KEYS) as sidecar:
            connector = sidecar.sidecar.parts.calls.sockets.services.upgrades.connector
            connector._resolve = answer_local
            host = f"provider.test:{url.rsplit(':', 1)[1]}"
            for path, create in (("/v1/realtime?model=x", CREATE), ("/v1/responses", ASK)):
                create = {**create, "model": "x"}  # noqa: PLW2901  (the same, for another model)
                async with forwarded(sidecar, host, path) as socket:
                    await say(socket, create)
                    done = await told(socket, "response.done", "response.completed")
                    assert "energy" not in done["response"]["usage"]
                    assert provider.frames[-1] == create
                upgrade = provider.upgrades[-1]
                assert upgrade.path == path
                assert upgrade.values("authorization") == ["Bearer sk-the-clients-own"]
            assert not [k for k, _ in upgrade.headers if k.lower().startswith("proxy-")]
    found = rows(sidecar.state)
    assert [(row["provider"], row["model"], row["prompt"]) for row in found] == [
        ("provider.test", "x", 11)
    ] * 2


async def test_the_official_sdk_speaks_realtime_through_us(tmp_path):
    """B-044 with OpenAI's own client."""
    async with stage(tmp_path) as (sidecar, (provider,)):
        host, port = sidecar.address
        client = AsyncOpenAI(
            api_key="sk-any",
            base_url=f"http://{host}:{port}/v1",
            websocket_base_url=f"ws://{host}:{port}/v1",
        )
        async with client.realtime.connect(model="m") as connection:
            await connection.session.update(session={"type": "realtime", "model": "m"})
            await connection.response.create()
            async with asyncio.timeout(10):
                async for event in connection:
                    if event.type == "response.done":
                        assert event.response.usage.total_tokens == 18
                        break
        assert provider.frames[0]["session"]["model"] == "up0"
        await client.close()


async def test_closed_connections_leave_nothing_behind(tmp_path):
    async with stage(tmp_path) as (sidecar, (provider,)):
        for index in range(30):
            path, create = ((REALTIME, CREATE), (RESPONSES, ASK))[index % 2]
            provider.act = ("answer", "start", "error")[index % 3]
            async with dialled(sidecar, path, WAYS[index % 2]) as socket:
                await say(socket, create)
                await told(socket, "response.created", "error")
                if index % 5 == 0:
                    socket.transport.abort()
        await gone(sidecar)
        async with asyncio.timeout(30):
            for socket in provider.open:
                await socket.wait_closed()
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert not [name for name in names if "socket" in name or "listen to" in name]
        gc.collect()
        left = [type(o).__name__ for o in gc.get_objects() if isinstance(o, Conversation | Socket)]
        assert left == []


async def test_a_full_ledger_hold_is_told_in_an_event(tmp_path):
    """A balance that is used up refuses the next response; the connection stays."""
    async with (
        stage(tmp_path) as (sidecar, _),
        dialled(sidecar, REALTIME, REVERSE) as socket,
    ):
        await sidecar.sidecar.ledger.credit("local", 20_000_000, "test")
        await say(socket, CREATE)
        await told(socket, "response.done")
        await say(socket, CREATE)
        error = await told(socket, "error", "response.done")
        assert error["error"]["code"] == "insufficient_balance"
        await say(socket, {"type": "input_audio_buffer.clear"})
        await told(socket, "heard")


async def test_a_ledger_that_is_down_refuses_responses_and_not_the_connection(tmp_path):
    async with (
        stage(tmp_path) as (sidecar, (provider,)),
        dialled(sidecar, REALTIME, REVERSE) as socket,
    ):
        await told(socket, "session.created")
        with locked(sidecar.state):
            await say(socket, CREATE)
            await asyncio.sleep(0.2)
            assert provider.given == []  # nothing is sent before the row is durable
        assert (await told(socket, "error", "response.done"))["type"] == "response.done"


async def test_the_official_sdk_speaks_responses_through_us(tmp_path):
    """OpenAI's own client, through an intercepted tunnel's address as its base."""
    async with stage(tmp_path) as (sidecar, (provider,)):
        host, port = sidecar.address
        base = f"{host}:{port}/v1"
        client = AsyncOpenAI(
            api_key="sk-any", base_url=f"http://{base}", websocket_base_url=f"ws://{base}"
        )
        async with client.responses.connect() as connection:
            await connection.response.create(model="m", input="Say hello.")
            async with asyncio.timeout(10):
                async for event in connection:
                    if event.type == "response.completed":
                        assert event.response.usage.total_tokens == 18
                        break
        assert provider.frames[0]["model"] == "up0"
        await client.close()


async def test_a_provider_that_reads_no_more_is_let_go(tmp_path, monkeypatch):
    """What was written last must not keep its connection for ever."""
    monkeypatch.setattr("wattline.upstream.sockets.GOODBYE_SECONDS", 0.1)
    async with stage(tmp_path) as (sidecar, (provider,)):
        async with dialled(sidecar, REALTIME, REVERSE) as socket:
            await told(socket, "session.created")
            provider.open[0].transport.pause_reading()
            sending = asyncio.ensure_future(flood(socket, "{" + " " * 1_000_000 + "}", 60))
            await asyncio.sleep(0.2)
            socket.transport.abort()
            with contextlib.suppress(ConnectionClosed):
                await sending
        await gone(sidecar)
        await asyncio.sleep(0.2)
        provider.open[0].transport.resume_reading()
        async with asyncio.timeout(30):
            await provider.open[0].wait_closed()


async def test_many_at_once_with_every_kind_of_end(tmp_path):
    """Whatever mixes with whatever: each response is in the ledger once."""
    chance = random.Random(7)
    acts = ["answer", "answer", "start", "silent", "error", "cut", "start_cut"]

    async def one(sidecar, number):
        path, create = ((REALTIME, CREATE), (RESPONSES, ASK))[number % 2]
        with contextlib.suppress(ConnectionClosed):
            async with dialled(sidecar, path, WAYS[number % 3 == 0]) as socket:
                for _ in range(chance.randrange(1, 6)):
                    await say(socket, {**create, "act": chance.choice(acts)})
                    if chance.random() < 0.8:
                        kinds = ("response.done", "response.completed", "error")
                        await told(socket, "response.created", *kinds)
                if chance.random() < 0.5:
                    socket.transport.abort()

    async with stage(tmp_path, 2, exact=False) as (sidecar, providers):
        for provider in providers:
            provider.follow = True
        async with asyncio.timeout(60):
            await asyncio.gather(*(one(sidecar, number) for number in range(40)))
        await gone(sidecar)
    states = {row["state"] for row in rows(sidecar.state)}
    assert {"complete", "aborted", "truncated", "failed"} <= states


async def test_a_message_is_not_kept_for_as_long_as_the_socket_is_open(tmp_path):
    """It may have 16 MiB."""
    async with (
        stage(tmp_path, exact=False) as (sidecar, _),
        dialled(sidecar, RESPONSES, REVERSE) as socket,
    ):
        await socket.send(json.dumps({**ASK, "input": "x" * 100_000}))
        await told(socket, "response.completed")
        kept = [one for one in gc.get_objects() if type(one) is Request and len(one.body) > 90_000]
        assert kept == []
