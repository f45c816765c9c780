"""Errors of the inference service's routes, each made on purpose and read from a socket."""

from __future__ import annotations

import pytest

from kit.books import check_books
from kit.sidecars import running
from wattline.service.opening import Opening

PATH = "/api/v1/inference"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def error(reply):
    """The object, whose members are the documented ones; its code is the status."""
    assert reply.headers["content-type"] == "application/json"
    body = reply.json()
    assert body.keys() == {"error"}
    found = body["error"]
    assert found.keys() <= {"code", "message", "type", "details"}
    assert found["code"] == reply.status
    assert isinstance(found["message"], str)
    return found


@pytest.fixture
async def sidecar(tmp_path):
    async with running(tmp_path, 1) as found:
        yield found
    check_books(found)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": CHAT["messages"]}, "model"),
        ({"model": 5, "messages": CHAT["messages"]}, "model"),
        ({"model": "m"}, "messages"),
        ({"model": "m", "messages": "hi"}, "messages"),
        ({**CHAT, "temperature": "hot"}, "temperature"),
        ({**CHAT, "max_tokens": -1}, "max_tokens"),
        ({**CHAT, "stream": "yes"}, "stream"),
    ],
)
@pytest.mark.parametrize("path", [PATH, f"{PATH}/stream"])
async def test_validation(sidecar, body, field, path):
    """D-070, D-071, D-072: the field and what is wrong with it."""
    if field == "stream" and path != PATH:
        body = {**body, "temperature": "hot"}
        field = "temperature"
    reply = await sidecar.call(body, path=path)
    found = error(reply)
    assert (reply.status, found["type"]) == (400, "validation")
    details = found["details"]
    assert details.keys() == {"field", "message"}
    assert details["field"].startswith(field)
    assert details["message"]
    assert sidecar.upstreams[0].journal.count == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"model":"m","model":"n"}', b""])
async def test_what_is_no_request(sidecar, body):
    """D-072."""
    reply = await sidecar.call(body, path=PATH)
    assert (reply.status, error(reply)["type"]) == (400, "validation")


async def test_not_found(sidecar):
    """D-073: a model; an endpoint."""
    reply = await sidecar.call({**CHAT, "model": "nobody/nothing"}, path=PATH)
    assert (reply.status, error(reply)["type"]) == (404, "validation")
    for path in (f"{PATH}/streams", f"{PATH}/stream/x"):
        reply = await sidecar.call(CHAT, path=path)
        assert (reply.status, error(reply)["type"]) == (404, "validation")
    reply = await sidecar.call(b"", path="/api/v1/models/nobody/nothing", method="GET")
    assert (reply.status, error(reply)["type"]) == (404, "validation")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/stream"])
async def test_another_method(sidecar, method, path):
    """D-070: told which it takes."""
    reply = await sidecar.call(b"", path=path, method=method)
    assert (reply.status, reply.headers["allow"], error(reply)["type"]) == (
        405,
        "POST",
        "validation",
    )


async def test_a_providers_rate_limit(sidecar):
    """D-074."""
    sidecar.upstreams[0].always("429")
    reply = await sidecar.call(CHAT, path=PATH)
    assert (reply.status, error(reply)["type"]) == (429, "rate_limit")


@pytest.mark.parametrize("fault", ["500", "503", "close", "html", "401", "error_in_200"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/stream"])
async def test_a_provider_that_fails(sidecar, fault, path):
    """D-076: a bad gateway, and nothing of what the provider said."""
    sidecar.upstreams[0].always(fault)
    reply = await sidecar.call(CHAT, path=path)
    found = error(reply)
    assert (reply.status, found["type"]) == (502, "openrouter")
    assert "sk-secret" not in reply.body.decode()


async def test_what_a_provider_refuses_is_told_in_this_shape(sidecar):
    """D-070: a provider of another dialect answered 400 in its own."""
    sidecar.upstreams[0].always("400")
    reply = await sidecar.call(CHAT, path=PATH)
    assert (reply.status, error(reply)["type"]) == (400, "validation")


async def test_a_stream_that_breaks_off(sidecar):
    """D-070, D-076: the error is the last event, with no end marker after it."""
    sidecar.upstreams[0].always("cut:3")
    reply = await sidecar.call(CHAT, path=f"{PATH}/stream")
    assert (reply.status, reply.clean) == (200, False)
    found = reply.events[-1]["error"]
    assert (found["code"], found["type"]) == (502, "openrouter")


async def test_our_own_failure(sidecar, monkeypatch):
    """D-075: not a word of it."""

    async def fail(*_):
        raise RuntimeError("sk-of-nobody in a message")

    monkeypatch.setattr(Opening, "open", fail)
    reply = await sidecar.call(CHAT, path=PATH)
    found = error(reply)
    assert (reply.status, found["type"]) == (500, "internal")
    assert "sk-of-nobody" not in found["message"]


async def test_no_provider(tmp_path):
    """D-077: for now."""
    text = "providers: {p0: {url: 'https://p0.test', key: '${NO_KEY}'}}\n"
    text += "models: {m: {provider: p0}}\nrules: [{name: all, try: model}]\n"
    async with running(tmp_path, 1, text=text) as sidecar:
        reply = await sidecar.call(CHAT, path=PATH)
        assert (reply.status, error(reply)["type"]) == (503, "internal")


async def test_a_key_is_needed(tmp_path):
    """In `keys` mode; the service itself knew no keys."""
    async with running(tmp_path, 1, extra="auth: {mode: keys}\n") as sidecar:
        reply = await sidecar.call(CHAT, path=PATH)
        assert (reply.status, error(reply)["type"]) == (401, "validation")
