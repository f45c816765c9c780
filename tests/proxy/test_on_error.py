"""Fail-open only by explicit choice: our own code is made to fail at each place before anything was sent."""

from __future__ import annotations

import pytest

from kit.books import rows
from kit.clients import REVERSE, Way, call
from kit.sidecars import running
from kit.standing import stand_in
from wattline.upstream.guard import Unresolved

RULES = """
version: 1
intercept:
  - {host: api.openai.com, on_error: pass}
  - api.anthropic.com
  - {host: api.groq.com, on_error: refuse}
providers: {own: {url: "https://own.example/v1", key: "${KEY_0}", dialect: openai}}
models: {gpt-4o: {provider: own, name: gpt-4o}}
rules: [{name: by-model, try: model}]
"""
CHOSEN = Way("api.openai.com")
PATHS = {"api.openai.com": "/v1/chat/completions", "api.groq.com": "/openai/v1/chat/completions"}
OTHERS = [Way("api.anthropic.com"), Way("api.groq.com")]
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello there"}]}
THEIRS = [("authorization", "Bearer sk-the-clients-own-key"), ("x-wattline-tags", "a")]


def fail(*_: object, **__: object) -> None:
    raise ZeroDivisionError("injected")


PLACES = ["open", "decide", "attempt", "row"]


def inject(sidecar, place, patch) -> None:
    """Let our code fail at a place before anything is sent."""
    answers = sidecar.sidecar.parts.calls.answers
    match place:
        case "open":
            patch.setattr(type(answers.opening), "open", fail)
        case "decide":
            patch.setattr("wattline.service.opening.decide", fail)
        case "attempt":
            patch.setattr(type(answers.attempts), "begin", fail)
        case "row":
            patch.setattr(type(answers.attempts), "row", fail)


@pytest.fixture
async def sidecar(tmp_path):
    async with running(tmp_path, 1, text=RULES, check=False) as found:
        yield found


@pytest.mark.parametrize("place", PLACES)
async def test_a_chosen_host_gets_its_call_as_it_came(sidecar, place, monkeypatch):
    standing = stand_in(sidecar)
    inject(sidecar, place, monkeypatch)
    reply = await call(sidecar.address, CHOSEN, sidecar.ca, BODY, headers=THEIRS)
    assert reply.status == 200
    (sent,) = standing.sent
    assert (sent.origin.host, sent.credential) == ("api.openai.com", None)
    assert ("authorization", "Bearer sk-the-clients-own-key") in sent.headers
    assert not any(name.startswith("x-wattline") for name, _ in sent.headers)
    assert "sk-secret-of-upstream" not in str(sent.headers)
    assert sidecar.sidecar.parts.records.settlement.counts.failed_open == 1


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", OTHERS, ids=["not chosen", "refuse"])
async def test_all_others_stay_closed(sidecar, place, way, monkeypatch):
    standing = stand_in(sidecar)
    inject(sidecar, place, monkeypatch)
    path = PATHS.get(way.connect, "/v1/chat/completions")
    reply = await call(sidecar.address, way, sidecar.ca, BODY, headers=THEIRS, path=path)
    assert reply.status == 500
    assert standing.sent == []
    assert sidecar.sidecar.parts.records.settlement.counts.failed_open == 0


@pytest.mark.parametrize("place", PLACES)
async def test_a_call_to_the_sidecar_itself_has_no_other_host(sidecar, place, monkeypatch):
    standing = stand_in(sidecar)
    inject(sidecar, place, monkeypatch)
    reply = await call(sidecar.address, REVERSE, sidecar.ca, BODY, headers=THEIRS)
    assert reply.status == 500
    assert standing.sent == []


async def test_a_stream_too(sidecar, monkeypatch):
    stand_in(sidecar)
    inject(sidecar, "decide", monkeypatch)
    reply = await call(sidecar.address, CHOSEN, sidecar.ca, {**BODY, "stream": True})
    assert reply.status == 200
    assert reply.clean
    assert b"".join(piece for _, piece in reply.pieces).endswith(b"data: [DONE]\n\n")


async def test_after_something_was_sent_it_is_closed(sidecar, monkeypatch):
    """An answer that our code stumbles over is not asked for again."""
    standing = stand_in(sidecar)
    monkeypatch.setattr("wattline.service.attempts.judge_status", fail)
    monkeypatch.setattr("wattline.service.answering.whole._heard", fail)
    reply = await call(sidecar.address, CHOSEN, sidecar.ca, BODY, headers=THEIRS)
    assert reply.status == 500
    assert len(standing.sent) == 1
    assert standing.sent[0].origin.host == "own.example"
    assert len(rows(sidecar.state)) == 1


async def test_a_refusal_is_no_failure(sidecar):
    """A call that the rules or the body refuse stays refused."""
    standing = stand_in(sidecar)
    reply = await call(sidecar.address, CHOSEN, sidecar.ca, b"{not json")
    assert reply.status == 400
    reply = await call(sidecar.address, CHOSEN, sidecar.ca, {**BODY, "model": 5})
    assert reply.status == 400
    assert standing.sent == []


@pytest.mark.parametrize(("way", "status"), [(CHOSEN, 502), (OTHERS[0], 500)])
async def test_where_the_gate_itself_fails(sidecar, way, status, monkeypatch):
    """What goes on is then mitmproxy's, to the host by its name: there is none here, so it says 502."""
    monkeypatch.setattr(type(sidecar.sidecar.parts.entrance.reception), "receive", fail)
    monkeypatch.setattr(type(sidecar.sidecar.parts.entrance.guard), "check_tunnel", unreachable)
    reply = await call(sidecar.address, way, sidecar.ca, BODY, headers=THEIRS)
    assert reply.status == status
    assert sidecar.sidecar.parts.records.settlement.counts.failed_open == (way is CHOSEN)


async def unreachable(*_: object) -> list[str]:

    raise Unresolved("nowhere")


async def test_where_even_that_fails_it_is_closed(sidecar, monkeypatch):
    monkeypatch.setattr(type(sidecar.sidecar.parts.entrance.reception), "receive", fail)
    monkeypatch.setattr("wattline.proxy.gate._keep_back", fail)
    reply = await call(sidecar.address, CHOSEN, sidecar.ca, BODY, headers=THEIRS)
    assert reply.status == 500
