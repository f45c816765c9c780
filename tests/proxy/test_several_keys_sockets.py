"""Several keys of one provider over WebSockets: which one opens the connection, and when another takes its place."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from websockets.exceptions import InvalidStatus

from kit.account_keepers import LETTERS, letter_of
from kit.books import rows
from kit.clients import CONNECT_H1, REVERSE
from kit.sidecars import running
from kit.socket_provider import SocketProvider, dialled, told

REALTIME = "/v1/realtime?model=m"
RESPONSES = "/v1/responses"
ASKS = {
    REALTIME: {"type": "response.create", "response": {"instructions": "Say hello."}},
    RESPONSES: {"type": "response.create", "model": "m", "input": "Say hello."},
}
ENDS = ("response.completed", "response.done", "error")
RULES = """
version: 1
health: {{breaker: false}}
intercept: [api.openai.com]
providers:
  big:
    url: {big}/v1
    dialect: openai
    key: ["${{A}}", "${{B}}", "${{C}}"]
    choose: {choose}
    rpm: {rpm}
    timeouts: {{connect: 1, first_byte: 1, idle: 1, total: 20}}
  small: {{url: {small}/v1, dialect: openai, key: "${{D}}"}}
models:
  m: {{provider: big, name: up, rate: 1, chain: [{chain}]}}
  n: {{provider: big, name: other, rate: 1}}
rules: [{{name: all, try: model}}]
"""


class Keyed(SocketProvider):
    """`refusing` has statuses of upgrades by key, `failing` codes of errors in place of a response."""

    def __init__(self) -> None:
        super().__init__()
        self.refusing: dict[str, int] = {}
        self.failing: dict[str, str] = {}

    def _decide(self, connection, request):
        self.status = self.refusing.get(_key(request.headers), 101)
        self.body = (
            f'{{"error": {{"message": "no such api key: {_key(request.headers)}", '
            f'"code": "invalid_api_key"}}}}'.encode()
        )
        return super()._decide(connection, request)

    async def _respond(self, socket, frame):
        code = self.failing.get(_key(socket.request.headers))
        if code is None:
            await super()._respond(socket, frame)
            return
        error = {"type": code, "code": code, "message": "no"}
        await socket.send(json.dumps({"type": "error", "error": error}))

    @property
    def used(self) -> str:
        """The letters of the keys that upgrades came with, in order."""
        return "".join(letter_of(_of(upgrade)) for upgrade in self.upgrades)


def _key(headers) -> str:
    return headers.get("authorization", "").removeprefix("Bearer ")


def _of(upgrade) -> str:
    (value,) = upgrade.values("authorization")
    return value.removeprefix("Bearer ")


@asynccontextmanager
async def stage(tmp_path, *, choose="first", rpm=100, chain="m, small/up"):
    big, small = Keyed(), Keyed()
    try:
        urls = [await provider.start() for provider in (big, small)]
        text = RULES.format(big=urls[0], small=urls[1], choose=choose, rpm=rpm, chain=chain)
        async with running(tmp_path, 0, text=text, env=LETTERS) as sidecar:
            yield sidecar, big, small
    finally:
        for provider in (big, small):
            await provider.stop()
    assert LETTERS["D"] not in everything(big)
    assert not any(LETTERS[letter] in everything(small) for letter in "ABC")


def everything(provider) -> str:
    """All that it was sent, as text."""
    return str([(upgrade.path, upgrade.headers) for upgrade in provider.upgrades] + provider.frames)


async def ask(socket, path=RESPONSES, **more):
    await socket.send(json.dumps({**ASKS[path], **more}))
    done = await told(socket, *ENDS)
    assert not any(secret in json.dumps(done) for secret in LETTERS.values())
    return done


def keys_of(sidecar) -> list[int | None]:
    return [json.loads(row["features"]).get("key") for row in rows(sidecar.state)]


@pytest.mark.parametrize("way", [REVERSE, CONNECT_H1], ids=str)
@pytest.mark.parametrize("path", [REALTIME, RESPONSES])
@pytest.mark.parametrize("status", [401, 402, 403, 429])
async def test_a_refused_key_rests_and_the_next_one_is_used(tmp_path, status, path, way):
    """B-145: and the next connection begins with the good one."""
    async with stage(tmp_path) as (sidecar, big, small):
        big.refusing[LETTERS["A"]] = status
        big.refusing[LETTERS["B"]] = status
        for _ in range(2):
            async with dialled(sidecar, path, way) as socket:
                done = await ask(socket, path)
                assert done["response"]["usage"]["total_tokens"] == 18
        assert (big.used, small.used) == ("ABCC", "")
    assert keys_of(sidecar) == [3, 3]


@pytest.mark.parametrize("status", [401, 429])
@pytest.mark.parametrize("path", [REALTIME, RESPONSES])
async def test_all_keys_are_refused(tmp_path, path, status):
    """An HTTP answer where the upgrade names the model, an event where the first message does."""
    async with stage(tmp_path, chain="m") as (sidecar, big, small):
        big.refusing.update({LETTERS[letter]: status for letter in "ABC"})
        if path == REALTIME:
            with pytest.raises(InvalidStatus) as refused:
                async with dialled(sidecar, path, REVERSE):
                    pass
            response = refused.value.response
            error, told_status = json.loads(response.body)["error"], response.status_code
        else:
            async with dialled(sidecar, path, REVERSE) as socket:
                done = await ask(socket, path)
                error, told_status = done["error"], done["status"]
        assert told_status == (429 if status == 429 else 500)
        assert f"big http_{status} (3 times)" in error["message"]
        assert not any(secret in str(error) for secret in LETTERS.values())
        assert (big.used, small.used) == ("ABC", "")
    assert rows(sidecar.state) == []


@pytest.mark.parametrize("path", [REALTIME, RESPONSES])
async def test_a_failure_of_the_provider_is_not_tried_with_its_other_keys(tmp_path, path):
    async with stage(tmp_path) as (sidecar, big, small):
        big.refusing.update({LETTERS[letter]: 500 for letter in "ABC"})
        async with dialled(sidecar, path, REVERSE) as socket:
            await ask(socket, path)
        assert (big.used, small.used) == ("A", "D")


async def test_connections_are_spread_over_the_keys_and_stay_with_theirs(tmp_path):
    """Also when another model of the same provider is asked for: what it keeps lies in that account."""
    async with stage(tmp_path, choose="spread", chain="m") as (sidecar, big, _):
        for _ in range(12):
            async with dialled(sidecar, RESPONSES, REVERSE) as socket:
                for model in ("m", "n", "m", "n"):
                    assert (await ask(socket, model=model))["type"] == "response.completed"
        assert len(big.used) == 12
        assert set(big.used) == {*"ABC"}
    expected = ["ABC".index(letter) + 1 for letter in big.used for _ in range(4)]
    assert keys_of(sidecar) == expected


async def test_a_key_that_is_refused_on_an_open_connection_is_left(tmp_path):
    """The error is told; the next response on the same connection is asked for with the next key."""
    async with stage(tmp_path) as (sidecar, big, small):
        big.failing[LETTERS["A"]] = "insufficient_quota"
        async with dialled(sidecar, RESPONSES, REVERSE) as socket:
            assert (await ask(socket))["type"] == "error"
            for _ in range(2):
                assert (await ask(socket))["type"] == "response.completed"
        assert (big.used, small.used) == ("AB", "")
    assert keys_of(sidecar) == [1, 2, 2]


async def test_a_realtime_session_can_not_change_its_key(tmp_path):
    """Its state lies at the other end of its connection."""
    async with stage(tmp_path) as (sidecar, big, _):
        big.failing[LETTERS["A"]] = "insufficient_quota"
        async with dialled(sidecar, REALTIME, REVERSE) as socket:
            for _ in range(2):
                assert (await ask(socket, REALTIME))["type"] == "error"
        assert big.used == "A"
        async with dialled(sidecar, REALTIME, REVERSE) as socket:
            assert (await ask(socket, REALTIME))["type"] == "response.done"
        assert big.used == "AB"


async def test_a_key_whose_window_is_full_is_left(tmp_path):
    async with stage(tmp_path, rpm=2, chain="m") as (sidecar, big, _):
        async with dialled(sidecar, RESPONSES, REVERSE) as socket:
            for _ in range(6):
                assert (await ask(socket))["type"] == "response.completed"
            done = await ask(socket)
            assert (done["type"], done["status"]) == ("error", 429)
        assert big.used == "ABC"
    assert keys_of(sidecar) == [1, 1, 2, 2, 3, 3]


async def test_a_response_under_way_keeps_its_connection(tmp_path):
    async with stage(tmp_path, rpm=1, chain="m") as (sidecar, big, _):
        big.act = "start"
        async with dialled(sidecar, RESPONSES, REVERSE) as socket:
            await socket.send(json.dumps(ASKS[RESPONSES]))
            await told(socket, "response.created")
            done = await ask(socket)
            assert (done["type"], done["status"]) == ("error", 429)
            assert big.used == "A"
            await big.end(big.open[0], "resp_1")
            assert (await told(socket, *ENDS))["type"] == "response.completed"
            big.act = "answer"
            assert (await ask(socket))["type"] == "response.completed"
        assert big.used == "AB"


async def test_what_goes_on_from_a_response_goes_to_its_account(tmp_path):
    """On its connection and on a new one, whichever key that would begin with."""
    async with stage(tmp_path, chain="m") as (sidecar, big, _):
        big.refusing[LETTERS["A"]] = 429
        async with dialled(sidecar, RESPONSES, REVERSE) as socket:
            made = (await ask(socket))["response"]["id"]
        assert big.used == "AB"
        big.refusing.clear()
        sidecar.sidecar.parts.memory.resting.clear()
        async with dialled(sidecar, RESPONSES, REVERSE) as socket:
            await ask(socket)
            assert big.used == "ABA"
            for _ in range(2):
                made = (await ask(socket, previous_response_id=made))["response"]["id"]
            assert big.used == "ABAB"
        async with dialled(sidecar, RESPONSES, REVERSE) as socket:
            await ask(socket, previous_response_id=made)
        assert big.used == "ABABB"
    assert keys_of(sidecar) == [2, 1, 2, 2, 2]


async def test_what_goes_on_from_a_response_waits_for_its_key(tmp_path):
    async with stage(tmp_path, chain="m") as (sidecar, big, _):
        async with dialled(sidecar, RESPONSES, REVERSE) as socket:
            made = (await ask(socket))["response"]["id"]
        big.refusing[LETTERS["A"]] = 429
        async with dialled(sidecar, RESPONSES, REVERSE) as socket:
            await ask(socket)
            assert big.used == "AAB"
            done = await ask(socket, previous_response_id=made)
            assert (done["type"], done["status"]) == ("error", 429)
            assert (await ask(socket))["type"] == "response.completed"
        assert big.used == "AAB"


async def test_many_connections_at_once(tmp_path):
    """No key comes twice where it was refused once, save by those that were on their way."""
    async with stage(tmp_path, choose="spread", chain="m") as (sidecar, big, small):
        big.refusing[LETTERS["B"]] = 401

        async def talk() -> None:
            async with dialled(sidecar, RESPONSES, REVERSE) as socket:
                for _ in range(3):
                    assert (await ask(socket))["type"] == "response.completed"

        await asyncio.gather(*(talk() for _ in range(12)))
        assert len(big.used.replace("B", "")) == 12
        assert small.used == ""
        before = big.used.count("B")
        await asyncio.gather(*(talk() for _ in range(12)))
        assert big.used.count("B") == before
    assert {row["state"] for row in rows(sidecar.state)} == {"complete"}
