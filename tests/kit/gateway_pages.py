"""A sidecar in `jwt` mode, and a client for the gateway's pages."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import Any

from kit.clients import REVERSE, Reply
from kit.sidecars import Running, running

SECRET = "3f9c1d77a0b24e6f8851c2d3e4f5a6b79087cdef0123a4b5"
ADMIN_KEY = "6f1c0f6fd08b4c4c9a51b6f0f2d1c3e7"
ENV = {"JWT_SECRET": SECRET, "DEFAULT_ADMIN_API_KEY": ADMIN_KEY}
PASSWORD = "correct horse battery"


@asynccontextmanager
async def gateway(tmp_path, *, extra: str = "", env: dict[str, str] | None = None, **more: Any):
    """A sidecar that takes tokens."""
    rules = extra or "\nauth: {mode: jwt}\n"
    async with running(tmp_path, extra=rules, env={**ENV, **(env or {})}, **more) as sidecar:
        yield sidecar


async def ask(
    sidecar: Running,
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Reply:
    """One request; `body` is JSON, or the bytes themselves."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    pairs = list(headers)
    if token is not None:
        pairs.append(("authorization", f"Bearer {token}"))
    return await sidecar.call(raw, REVERSE, path=path, method=method, headers=pairs)


async def post(sidecar: Running, path: str, body: Any = None, **more: Any) -> Reply:
    return await ask(sidecar, "POST", path, body, **more)


async def get(sidecar: Running, path: str, **more: Any) -> Reply:
    return await ask(sidecar, "GET", path, **more)


async def registered(sidecar: Running, email: str = "ann@example.com") -> tuple[str, str]:
    """The id of a new user, and its token."""
    reply = await post(
        sidecar,
        "/api/v1/auth/register",
        {"email": email, "password": PASSWORD, "name": "Ann"},
    )
    assert reply.status == 201, reply.body
    return reply.json()["user"]["id"], reply.json()["token"]


def chat(model: str = "m") -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
