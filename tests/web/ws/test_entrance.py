"""Who may connect, by a clock that is moved by hand; the environment's numbers; requests of messages."""

from __future__ import annotations

import pytest

from wattline.base.clock import ManualClock
from wattline.base.settings import SettingsError
from wattline.dialects.spoken import spoken_dialects
from wattline.rules.load import load
from wattline.service.entrance.styles import Styles
from wattline.service.entrance.visitor import Visitor
from wattline.web.ws.entrance import Entrance
from wattline.web.ws.parts import ChatParts
from wattline.web.ws.policy import SocketPolicy
from wattline.web.ws.request import request_of
from wattline.wire.call import LOCAL

BOOK = load("rules: [{name: all, try: model}]", env={})


def entrance(clock, book=BOOK, **policy):
    parts = ChatParts(None, lambda: book, None, clock, SocketPolicy(**policy))
    return Entrance(parts, Styles(spoken_dialects()), None)


def test_a_minute_is_any_sixty_seconds():
    """D-080: no two minutes side by side let ten in."""
    clock = ManualClock()
    door = entrance(clock)
    for _ in range(5):
        clock.advance(10)
        assert door.refusal("192.0.2.1") is None
    refused = door.refusal("192.0.2.1")
    assert (refused.status, refused.retry_after) == (429, 20)
    assert door.refusal("192.0.2.2") is None
    clock.advance(19.9)
    assert door.refusal("192.0.2.1") is not None
    clock.advance(0.2)
    assert door.refusal("192.0.2.1") is None
    assert door.refusal("192.0.2.1") is not None


def test_a_refused_connection_takes_no_place():
    clock = ManualClock()
    door = entrance(clock, per_minute=1)
    assert door.refusal("a") is None
    for _ in range(10):
        assert door.refusal("a") is not None
    clock.advance(60)
    assert door.refusal("a") is None


def test_connections_have_a_bound():
    """D-027: before an address takes its place."""
    door = entrance(ManualClock(), connections=1, per_minute=1)
    door._open = 1
    assert door.refusal("a").code == "too_many_connections"
    door._open = 0
    assert door.refusal("a") is None


def test_the_environment():
    """D-027, D-028."""
    assert SocketPolicy.from_env({}) == SocketPolicy(1000, None, 30.0)
    env = {
        "WS_MAX_CONNECTIONS": " 7 ",
        "WS_HEARTBEAT_INTERVAL": "1500",
        "WS_CONNECTIONS_PER_MINUTE": "9",
    }
    assert SocketPolicy.from_env(env) == SocketPolicy(7, 9, 1.5)
    assert SocketPolicy.from_env(dict.fromkeys(env, "")) == SocketPolicy()


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "٣", "9" * 13, "1e3"])
@pytest.mark.parametrize(
    "name", ["WS_MAX_CONNECTIONS", "WS_HEARTBEAT_INTERVAL", "WS_CONNECTIONS_PER_MINUTE"]
)
def test_numbers_that_are_none(name, value):
    with pytest.raises(SettingsError, match=name):
        SocketPolicy.from_env({name: value})


@pytest.mark.parametrize(
    ("host", "found"),
    [
        (b"localhost:8088", ("localhost", 8088)),
        (b"Wattline.Local", ("wattline.local", 80)),
        (b"[::1]:9", ("[::1]", 9)),
        (b"[::1]", ("[::1]", 80)),
        (b"x:y", ("x:y", 80)),
        (b"", ("", 80)),
        (b":80", (":80", 80)),
    ],
)
def test_hosts(host, found):
    request = request_of(Visitor("v", "192.0.2.1"), [(b"host", host)], LOCAL, b"{}")
    assert (request.host, request.port) == found


def test_a_request_has_its_own_head():
    """Nothing of the handshake, and no key, goes on; each message is a request of its own."""
    raw = [
        (b"host", b"localhost"),
        (b"Authorization", b"Bearer sk-1"),
        (b"x-api-key", b"sk-2"),
        (b"sec-websocket-key", b"x"),
        (b"sec-websocket-protocol", b"openai-insecure-api-key.sk-3"),
        (b"upgrade", b"websocket"),
        (b"connection", b"Upgrade"),
        (b"cookie", b"a=b"),
        (b"idempotency-key", b"i"),
        (b"user-agent", b"agent"),
        (b"x-tag", b"\xe9"),
    ]
    one, other = [request_of(Visitor("v", "192.0.2.1"), raw, LOCAL, b"{}") for _ in range(2)]
    assert one.headers == (
        ("host", "localhost"),
        ("user-agent", "agent"),
        ("x-tag", "é"),
        ("content-type", "application/json"),
    )
    assert one.id != other.id
    assert (one.peer, one.path, one.principal) == ("192.0.2.1", "/ws", LOCAL)
    assert one.departure is not other.departure
