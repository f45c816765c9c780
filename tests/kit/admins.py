"""A sidecar with users of every kind, asked as each of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kit.clients import REVERSE, Reply
from kit.sidecars import Running, running
from wattline.service.accounts.accounts import Accounts
from wattline.wire.call import Role

ADMIN = "4f9d2c7b81e6a05d3c9f7e2b1a8d6c4e"
MASTER = "b7e15163a9d2f04c8e6b3d5a7c9f1e20"
CAROL = "c0ffee5163a9d2f04c8e6b3d5a7c9f1e"
ROLES = ("none", "wrong", "expired", "disabled", "user", "other", "admin", "master")
KEYS = "auth: {mode: keys, wrong_per_minute: 0, keys: {carol: {key: '${CAROL}', tier: gold}}}\n"
TIERS = "tiers: {gold: {rps: 50, rpm: 500, rpd: 5000, tpm: 100000}, free: {rpm: 3}}\n"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "the words of a prompt"}]}


class Desk:
    """Asks pages. `keys` are the secrets of `ROLES`, `ids` the ids of keys."""

    def __init__(self, sidecar: Running) -> None:
        self.sidecar = sidecar
        self.keys: dict[str, str] = {"wrong": "0" * 31 + "1", "admin": ADMIN, "master": MASTER}
        self.ids: dict[str, str] = {}

    @property
    def accounts(self) -> Accounts:
        return self.sidecar.sidecar.parts.callers.accounts

    @property
    def state(self) -> Path:
        return self.sidecar.state

    async def issue(self, name: str, user: str, role: Role = Role.USER, **bounds: Any) -> None:
        if self.accounts.store.user(user) is None:
            await self.accounts.create_user(user, role=role)
        issued = await self.accounts.create_key(user, role=role, **bounds)
        self.keys[name], self.ids[name] = issued.secret, issued.key.id

    async def ask(
        self,
        method: str,
        path: str,
        body: object = b"",
        *,
        who: str = "admin",
        headers: list[tuple[str, str]] | None = None,
    ) -> Reply:
        told = list(headers or [])
        if who != "none":
            told.append(("authorization", f"Bearer {self.keys[who]}"))
        return await self.sidecar.call(body, REVERSE, path=path, method=method, headers=told)

    async def get(self, path: str, who: str = "admin") -> Any:
        reply = await self.ask("GET", path, who=who)
        assert reply.status == 200, reply.body
        return reply.json()

    async def post(self, path: str, body: object = b"", status: int = 200) -> Any:
        reply = await self.ask("POST", path, body)
        assert reply.status == status, reply.body
        return reply.json()

    async def call(self, who: str = "user", body: object = None) -> Reply:
        return await self.ask("POST", "/v1/chat/completions", body or CHAT, who=who)

    def lines(self, name: str) -> list[Any]:
        path = self.state / "logs" / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@asynccontextmanager
async def desk(
    tmp_path: Path,
    count: int = 2,
    *,
    extra: str = TIERS,
    auth: str = KEYS,
    env: dict[str, str] | None = None,
    **more: Any,
) -> AsyncIterator[Desk]:
    """With a user's key, another user's, expired and disabled ones, an admin's and the master token."""
    given = {"DEFAULT_ADMIN_API_KEY": ADMIN, "ADMIN_FIRST": MASTER, "CAROL": CAROL, **(env or {})}
    async with running(tmp_path, count, extra=auth + extra, env=given, **more) as sidecar:
        found = Desk(sidecar)
        found.keys["carol"] = CAROL
        for name, user in (("user", "ann"), ("other", "bob")):
            await found.issue(name, user)
        await found.issue("expired", "ann", expires=1)
        await found.issue("disabled", "ann")
        await found.accounts.disable_key(found.ids["disabled"])
        yield found
