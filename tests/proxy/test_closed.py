"""An exception in any hook of ours: the client gets an error, the upstream not one byte."""

from __future__ import annotations

import asyncio
import logging

import pytest
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import tflow

from kit.clients import CONNECT_H1, REVERSE, call
from kit.sidecars import running
from wattline.proxy.tunnel import Tunnels

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def explode(*_: object, **__: object):
    raise RuntimeError("injected")


SEAMS = [
    ("parts.entrance.reception", "receive", REVERSE),
    ("parts.entrance.reception", "receive", CONNECT_H1),
    ("parts.entrance.reception", "connect", CONNECT_H1),
    ("parts.entrance.reception.ours", "decide", REVERSE),
    ("parts.entrance.reception.passing", "decide", CONNECT_H1),
    ("parts.entrance.reception.credentials", "let_in", CONNECT_H1),
    ("parts.calls.answers.opening", "open", REVERSE),
    ("parts.calls.answers.opening.books", "fresh", REVERSE),
    ("parts.calls.answers.attempts.ledger", "open", REVERSE),
    ("parts.calls.answers.attempts.windows", "take", REVERSE),
    ("parts.calls.answers.attempts", "begin", REVERSE),
    ("parts.calls.answers.attempts", "row", CONNECT_H1),
    ("layers", "handlers", REVERSE),
    ("layers", "stock", REVERSE),
    ("layers", "stock", CONNECT_H1),
]


@pytest.mark.parametrize(("path", "name", "way"), SEAMS, ids=str)
async def test_an_exception_in_our_code_sends_nothing(
    tmp_path, caplog, path, name, way, monkeypatch
):
    """The top rule: fail closed."""
    caplog.set_level(logging.CRITICAL)
    async with running(tmp_path, 1, check=False) as sidecar:
        target: object = sidecar.sidecar
        for part in path.split("."):
            target = getattr(target, part)
        assert hasattr(target, name)
        monkeypatch.setattr(type(target), name, explode, raising=False)
        if name in getattr(target, "__dict__", {}):
            monkeypatch.setattr(target, name, explode)
        try:
            async with asyncio.timeout(10):
                reply = await call(sidecar.address, way, sidecar.ca, CHAT)
            assert reply.status in {0, 500}
        except (ConnectionError, OSError, asyncio.IncompleteReadError):
            pass
        assert not sidecar.upstreams[0].journal.requests
        monkeypatch.undo()


async def test_a_flow_without_a_mark_is_not_forwarded(tmp_path, monkeypatch):
    """If the gate never ran, the stream itself refuses."""
    async with running(tmp_path, 1) as sidecar:
        table = sidecar.sidecar.master.flat.handlers
        monkeypatch.setattr(
            sidecar.sidecar.master.flat,
            "handlers",
            lambda hook: ((), True) if hook == "requestheaders" else table(hook),
        )
        reply = await sidecar.call(CHAT)
        assert reply.status == 500
        assert not sidecar.upstreams[0].journal.requests


def failing_tunnels() -> Tunnels:
    """A Tunnels whose every look at something else fails."""
    broken = type("Broken", (), {"__getattr__": explode})()
    return Tunnels(broken, broken)


def test_a_connection_that_can_not_be_checked_is_closed(caplog):
    """client_connected: no place was counted, so the connection must not stay."""
    caplog.set_level(logging.CRITICAL)
    client = tflow.tclient_conn()
    failing_tunnels().client_connected(client)
    assert client.error


async def test_a_destination_that_can_not_be_checked_is_not_dialled(caplog):
    """server_connect: the last look before mitmproxy opens a connection of its own."""
    caplog.set_level(logging.CRITICAL)
    data = ServerConnectionHookData(tflow.tserver_conn(), tflow.tclient_conn())
    await failing_tunnels().server_connect(data)
    assert data.server.error
