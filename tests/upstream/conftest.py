from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kit.certs import Authority, authority
from kit.faulty import Fault, Server, faulty
from wattline.base.origin import AuthStyle, Credential, Origin
from wattline.rules.compiled.provider import Timeouts
from wattline.upstream.base import Outgoing
from wattline.upstream.pool import AiohttpUpstream

SECRET = "sk-test-0123456789abcdef"
PATIENT = Timeouts(connect=5, first_byte=5, idle=5, total=20)
HEADERS = (("content-type", "application/json"), ("accept-encoding", "identity"))
BODY = b'{"model":"m"}'


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder: Path = tmp_path_factory.mktemp("ca")
    return authority(folder)


@pytest.fixture
async def upstream(ca: Authority) -> AsyncIterator[AiohttpUpstream]:
    made = AiohttpUpstream(tls=ca.client())
    yield made
    await made.close()


@pytest.fixture(params=["http", "https"])
def serve(request: pytest.FixtureRequest, ca: Authority):
    """`async with serve(fault) as server:` over TCP and over TLS."""

    def start(fault: Fault) -> contextlib.AbstractAsyncContextManager[Server]:
        tls = ca.server("127.0.0.1", "localhost") if request.param == "https" else None
        return faulty(fault, tls=tls)

    return start


@pytest.fixture
def to():
    """An ordinary call to an origin, with the key that belongs there."""

    def make(origin: Origin, **changes: object) -> Outgoing:
        values: dict[str, object] = {
            "origin": origin,
            "method": "POST",
            "path": "/v1/chat/completions",
            "headers": HEADERS,
            "body": BODY,
            "credential": Credential(origin, AuthStyle.BEARER, SECRET),
        }
        return Outgoing(**{**values, **changes})  # type: ignore[arg-type]

    return make
