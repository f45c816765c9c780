"""A sidecar with a master token and an admin, and a client of the assistant's pages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from kit.clients import REVERSE, Reply, call
from kit.sidecars import Running, running

MASTER = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
ADMIN = "c81f0b7e52a94d6333aa91e70cd5f218"
ENV = {"ADMIN_FIRST": MASTER, "DEFAULT_ADMIN_API_KEY": ADMIN, "DEFAULT_ADMIN_USER_ID": "boss"}
KEYED = "auth: {mode: keys, wrong_per_minute: 0}\n"

PATIENT = "{connect: 5, first_byte: 30, idle: 30, total: 60}"


@dataclass
class Assistant:
    """Asks with the master token in the query, unless told otherwise."""

    running: Running

    async def ask(
        self,
        method: str,
        path: str,
        body: object = b"",
        *,
        bearer: str | None = None,
        master: str | None = MASTER,
        raw_query: str | None = None,
        headers: list[tuple[str, str]] | None = None,
        **query: str,
    ) -> Reply:
        """One request; `body` is made JSON unless it is bytes."""
        if master is not None:
            query["masterToken"] = master
        said = raw_query if raw_query is not None else urlencode(query)
        pairs = [*(headers or [])]
        if bearer is not None:
            pairs.append(("authorization", f"Bearer {bearer}"))
        target = f"{path}?{said}" if said else path
        return await call(
            self.running.address, REVERSE, None, body, path=target, method=method, headers=pairs
        )

    async def get(self, path: str, user: str, **more: Any) -> Reply:
        return await self.ask("GET", path, userId=user, **more)

    async def token(self, user: str, **more: Any) -> dict[str, Any]:
        reply = await self.get("/token", user, **more)
        assert reply.status == 200, reply.body
        found: dict[str, Any] = reply.json()
        return found

    async def say(self, user: Any, content: str = "hi", **more: Any) -> Reply:
        """`POST /completions`."""
        asked = {k: more.pop(k) for k in ("bearer", "master", "headers") if k in more}
        body = {"model": "m", "content": content, "userId": user, **more}
        return await self.ask("POST", "/completions", body, **asked)

    async def messages(self, user: str) -> list[tuple[str, str]]:
        """What is kept of a user's dialog."""
        reply = await self.get("/dialog", user)
        assert reply.status == 200, reply.body
        told = reply.json()
        assert told["name"] == user
        return [(m["role"], m["content"]) for m in told["messages"]]

    async def chat(self, key: str) -> Reply:
        """A plain call with a user's own key."""
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        return await self.running.call(body, headers=[("authorization", f"Bearer {key}")])

    def sent(self, upstream: int = 0) -> list[list[dict[str, Any]]]:
        """The messages of each request that an upstream got."""
        journal = self.running.upstreams[upstream].journal
        return [json.loads(entry.body)["messages"] for entry in journal.requests]


@asynccontextmanager
async def assisting(
    tmp_path: Path, count: int = 1, *, extra: str = "", **more: Any
) -> AsyncIterator[Assistant]:
    """A sidecar in keys mode; its upstreams keep what they were sent."""
    env = {**ENV, **more.pop("env", {})}
    more.setdefault("timeouts", PATIENT)
    async with running(tmp_path, count, extra=KEYED + extra, env=env, **more) as found:
        for upstream in found.upstreams:
            upstream.journal.contents = True
        yield Assistant(found)


def told(reply: Reply) -> tuple[int, str]:
    """The status and code of an error, whose shape is checked (A-155)."""
    body = reply.json()
    assert body["status"] == "error"
    assert isinstance(body["error"], str)
    assert body["error"]
    assert isinstance(body["message"], str)
    assert body["message"]
    return reply.status, body["code"]
