"""What one caller does must not hurt another: odd paths, refused prompts, made-up models, others' ids."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from kit.books import rows
from kit.clients import H1Client
from kit.faulty import END, STREAM_HEAD, chunk, faulty, good, whole
from kit.key_holders import ANSWER
from kit.sidecars import rules, running
from wattline.engine.failover import judge_status
from wattline.service.entrance.misdirected import LONGEST, misdirected

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
KEYED = "auth: {mode: keys}\n"


async def key_of(sidecar, user):
    accounts = sidecar.sidecar.parts.callers.accounts
    if accounts.store.user(user) is None:
        await accounts.create_user(user, start=None)
    return (await accounts.create_key(user)).secret


def ask(sidecar, secret, body=CHAT, path="/v1/chat/completions", **more):
    headers = [("authorization", f"Bearer {secret}"), *more.pop("headers", [])]
    return sidecar.call(body, headers=headers, path=path, **more)


@pytest.mark.parametrize(
    "path", ["/models/" * 7_900, "/models/" * 3_900 + ":" + "a" * 31_000 + "!"]
)
def test_a_long_path_is_not_searched(path):
    """The search for a near miss takes the square of a path's length."""
    began = time.thread_time()
    assert len(path) > LONGEST
    assert misdirected("POST", path) is None
    assert time.thread_time() - began < 0.5


async def test_many_parameters_are_read_once(tmp_path):
    query = "&".join(f"a{n}=1" for n in range(8_000)) + "&a7999=2"
    async with running(tmp_path, 1) as sidecar:
        began = time.process_time()
        reply = await sidecar.call(None, path=f"/api/v1/models?{query}", method="GET")
        assert reply.status == 400
        assert reply.json()["error"]["message"].startswith("a7999: given more than once")
        assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("status", "body", "rests"),
    [
        (401, {"error": {"message": "Incorrect API key provided"}}, True),
        (
            403,
            {"error": {"message": "Your input was flagged", "metadata": {"reasons": ["x"]}}},
            False,
        ),
        (403, {"error": {"message": "This API key was revoked"}}, False),
        (403, {"error": {"message": "", "code": "api_key_revoked"}}, True),
        (402, {"error": {"message": "needs more credits, or fewer max_tokens"}}, False),
        (402, {"error": {"message": "Insufficient credits"}}, True),
    ],
)
async def test_a_refused_prompt_is_not_a_refused_key(tmp_path, status, body, rests):
    async with running(tmp_path, 1) as sidecar:
        target = sidecar.sidecar.books.current.models["m"][0]
        verdict = judge_status(status, (), json.dumps(body).encode(), target, frozenset())
        assert verdict.next
        assert verdict.rest_credential is rests


FLAGGED = {
    "code": 403,
    "message": "moderation flagged",
    "metadata": {"flagged_input": "how do I store an api key in my app"},
}


@pytest.mark.parametrize(
    "answer",
    [
        whole(json.dumps({"error": FLAGGED}).encode(), status="403 Forbidden"),
        whole(json.dumps({"error": {**FLAGGED, "type": "permission_error"}}).encode()),
        STREAM_HEAD + chunk(b'data: {"error": {"type": "permission_error"}}\n\n') + END,
    ],
    ids=["status", "in_band", "in_stream"],
)
async def test_a_prompt_that_quotes_a_key_takes_no_provider_away(tmp_path, answer):
    """Nobody else has anything to do with what one caller may not ask."""
    answers = [answer, whole(json.dumps(ANSWER).encode())]

    async def provider(peer):
        while await peer.request():
            await peer.send(answers.pop(0))

    async with faulty(provider) as server:
        text = rules([f"{server.origin}/v1"])
        async with running(tmp_path, 1, text=text, check=False) as sidecar:
            body = {**CHAT, "stream": True} if answer.startswith(STREAM_HEAD) else CHAT
            assert (await sidecar.call(body)).status != 200
            assert (await sidecar.call(CHAT)).status == 200


async def test_made_up_models_take_no_provider_away(tmp_path):
    extra = "health: {failures: 2, cooldown: 5m, disable_after: 2}\n"
    async with running(tmp_path, extra=extra) as sidecar:
        sidecar.upstreams[0].always("500")
        for name in ("p0/bad-0", "p0/bad-1"):
            for _ in range(4):
                await sidecar.call({**CHAT, "model": name})
        sidecar.upstreams[0].clear()
        reply = await sidecar.call(CHAT)
        assert reply.headers["x-wattline-provider"] == "p0"


@pytest.mark.parametrize("status", [405, 409, 415, 424, 431, 451])
async def test_a_clients_mistakes_open_no_breaker(tmp_path, status):
    body = b'{"error": {"message": "no"}}'
    head = f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    async with faulty(good(head.encode() + body)) as server:
        text = rules([f"{server.origin}/v1"], extra="health: {failures: 2, cooldown: 5m}\n")
        async with running(tmp_path, 1, text=text, check=False) as sidecar:
            health = sidecar.sidecar.parts.memory.health
            for _ in range(4):
                assert (await sidecar.call(CHAT)).status == status
            assert health.admits(("p0", "up0"), sidecar.sidecar.clock.monotonic())


class TestKeysOfTheRules:
    """A key that is taken out of rules.yaml ends its open tunnels' rights too."""

    EXTRA = "auth:\n  mode: keys\n  keys:\n    ann: {key: '${ANN}', role: admin}\n    bo: '${BO}'\n"
    ENV = {"ANN": "9d3e5b7a11c24f6e8a90b1c2d3e4f506", "BO": "7c1e5b7a11c24f6e8a90b1c2d3e4f5aa"}  # noqa: RUF012

    async def tunnel(self, sidecar):
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(
            b"CONNECT wattline.local:80 HTTP/1.1\r\nhost: wattline.local:80\r\n"
            b"proxy-authorization: Bearer %s\r\n\r\n" % self.ENV["ANN"].encode()
        )
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        return H1Client(reader, writer)

    async def status(self, tunnel, path):
        reader, writer = tunnel.reader, tunnel.writer
        writer.write(f"GET {path} HTTP/1.1\r\nhost: wattline.local\r\n\r\n".encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        )
        await reader.readexactly(length)
        return int(head.split()[1])

    async def test_an_admin_of_before(self, tmp_path):
        async with running(tmp_path, 1, extra=self.EXTRA, env=self.ENV) as sidecar:
            tunnel = await self.tunnel(sidecar)
            assert await self.status(tunnel, "/api/admin/users") == 200
            text = sidecar.rules.read_text()
            sidecar.rules.write_text(text.replace(", role: admin", ""))
            await sidecar.sidecar.books.fresh()
            assert await self.status(tunnel, "/api/admin/users") in (401, 403)
            sidecar.rules.write_text(text.replace("    ann: {key: '${ANN}', role: admin}\n", ""))
            await sidecar.sidecar.books.fresh()
            assert await self.status(tunnel, "/api/admin/users") == 401
            tunnel.writer.close()


async def test_a_call_that_was_paid_is_not_made_again(tmp_path):
    """Its client left between the settlement and the answer; the key counts all the same."""
    async with running(tmp_path, 1) as sidecar:
        settlement = type(sidecar.sidecar.parts.records.settlement)
        committed, hold, reached = settlement.committed, asyncio.Event(), asyncio.Event()

        async def slow(self, exchange, settled):
            await committed(self, exchange, settled)
            reached.set()
            await hold.wait()

        settlement.committed = slow
        try:
            headers = [("idempotency-key", "one")]
            first = asyncio.ensure_future(sidecar.call(CHAT, headers=headers))
            await asyncio.wait_for(reached.wait(), 20)
            first.cancel()
            await asyncio.wait([first])
            async with asyncio.timeout(20):
                while sidecar.sidecar.open_calls:
                    await asyncio.sleep(0.01)
        finally:
            settlement.committed = committed
            hold.set()
        again = await sidecar.call(CHAT, headers=headers)
        assert (again.status, again.json()["error"]["code"]) == (409, "idempotency_answer_gone")
        assert len(rows(sidecar.state)) == 1


class TestResponsesOfOthers:
    """Nobody goes on from a conversation that is another caller's."""

    BODY = {"model": "m", "input": "my PIN is 1234"}  # noqa: RUF012

    async def made(self, sidecar, secret, **more):
        return await ask(sidecar, secret, {**self.BODY, **more}, path="/v1/responses")

    async def test_only_its_own_caller_goes_on(self, tmp_path):
        async with running(tmp_path, 1, extra=KEYED) as sidecar:
            jim, kim = await key_of(sidecar, "jim"), await key_of(sidecar, "kim")
            made = (await self.made(sidecar, jim)).json()["id"]
            seen = sidecar.upstreams[0].journal.count
            for said in (made, "resp_nope", 7):
                reply = await self.made(sidecar, kim, previous_response_id=said)
                assert (reply.status, reply.json()["error"]["param"]) == (
                    404,
                    "previous_response_id",
                ), said
            reply = await self.made(sidecar, kim, conversation="conv_1")
            assert (reply.status, reply.json()["error"]["param"]) == (400, "conversation")
            assert sidecar.upstreams[0].journal.count == seen
            assert (await self.made(sidecar, jim, previous_response_id=made)).status == 200

    async def test_long_after_too(self, tmp_path):
        async with running(tmp_path, 1, extra=KEYED) as sidecar:
            jim, kim = await key_of(sidecar, "jim"), await key_of(sidecar, "kim")
            made = (await self.made(sidecar, jim)).json()["id"]
            sidecar.sidecar.parts.memory.remembered._kinds.clear()
            assert (await self.made(sidecar, kim, previous_response_id=made)).status == 404
            assert (await self.made(sidecar, jim, previous_response_id=made)).status == 200

    async def test_one_user_alone_is_not_asked(self, tmp_path):
        async with running(tmp_path, 1) as sidecar:
            body = {**self.BODY, "previous_response_id": "resp_of_before"}
            assert (await sidecar.call(body, path="/v1/responses")).status == 200
