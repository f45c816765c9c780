"""One sidecar with everybody who may ask it, and a client that asks the same of many callers fast."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.raw_http import RawClient, Wire
from kit.sidecars import Running, running
from wattline.service.accounts.passwords import Passwords

MASTER = "b7e15163a9d2f04c8e6b3d5a7c9f1e20"
ADMIN = "4f9d2c7b81e6a05d3c9f7e2b1a8d6c4e"
JWT_SECRET = "3f9c1d77a0b24e6f8851c2d3e4f5a6b79087cdef0123a4b5"
ENV = {
    "ADMIN_FIRST": MASTER,
    "DEFAULT_ADMIN_API_KEY": ADMIN,
    "JWT_SECRET": JWT_SECRET,
    "ADMIN_KEYS_RATE_LIMIT_RPS": "1000",
}
PASSWORD = "correct horse battery"
WORDS = "what-bob-said-to-nobody-else"
"""In all that is bob's: his name, e-mail address, labels, dialog, the name of a key."""
TABLES = (
    "users", "keys", "provider_keys", "accounts", "entries", "attempts", "messages", "system_messages",
    "referrals", "parked", "offered_keys", "repeats",
)  # fmt: skip


@dataclass
class Party:
    """`secrets` are what each role shows, `ids` what is whose."""

    running: Running
    secrets: dict[str, str] = field(default_factory=dict)
    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    askers: list[Asker] = field(default_factory=list)

    def kept(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all tables that pages change."""
        path: Path = self.running.state / "ledger.sqlite"
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            return {
                name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()  # noqa: S608 - the names above
                for name in TABLES
            }
        finally:
            connection.close()


class Asker:
    """Asks over one connection for as long as it stays open. The party's end closes it."""

    def __init__(self, party: Party) -> None:
        host, port = party.running.address
        self._url, self._host = f"http://{host}:{port}", f"{host}:{port}"
        self._party = party
        self._client: RawClient | None = None
        party.askers.append(self)

    async def ask(self, method: str, path: str, body: object, who: str) -> Wire:
        """One request as `who`; `nobody` shows nothing."""
        headers = {"host": self._host, "content-type": "application/json"}
        if who != "nobody":
            headers["authorization"] = f"Bearer {self._party.secrets[who]}"
        return await self.send(method, path, body, headers)

    async def send(self, method: str, path: str, body: object, headers: dict[str, str]) -> Wire:
        """One request with these headers."""
        told = {"host": self._host, **headers}
        for _ in range(2):
            if self._client is None:
                self._client = await RawClient.connect(self._url)
            self._client.send(method, path, body, told)
            answer = await self._client.answer()
            if answer.end != "clean" or answer.header("connection") == "close":
                self.close()
            if answer.status:
                return answer
        raise ConnectionError(f"{method} {path} was not answered")

    def close(self) -> None:
        if self._client is not None:
            self._client.writer.close()
            self._client = None


@asynccontextmanager
async def party(
    tmp_path: Path, mode: str, extra: str = "", *, timeouts: str = ""
) -> AsyncIterator[Party]:
    """ann and bob, each with keys, a key of a provider, a dialog and a call; and who may not call."""
    rules = f"auth: {{mode: {mode}, wrong_per_minute: 0}}\n{extra}"
    async with running(tmp_path, 1, extra=rules, env=ENV, timeouts=timeouts) as found:
        made = Party(found, {"wrong": "0" * 31 + "1", "admin": ADMIN, "master": MASTER})
        asker = Asker(made)
        hashed = await Passwords().hash(PASSWORD)
        for role, user in (("user", "ann"), ("other", "bob"), ("gone", "eve")):
            await _move_in(made, asker, role, user, hashed)
        try:
            yield made
        finally:
            for one in made.askers:
                one.close()


async def _move_in(made: Party, asker: Asker, role: str, user: str, hashed: str) -> None:
    accounts, sidecar = made.running.sidecar.parts.callers.accounts, made.running.sidecar
    said = WORDS if user == "bob" else user
    person = await accounts.create_user(
        user, name=said, email=f"{said}@example.com", password=hashed
    )
    issued = await accounts.create_key(user, label=said)
    made.secrets[role] = issued.secret
    provider = sidecar.books.current.providers["p0"]
    own = await sidecar.parts.callers.own_keys.add(
        user, provider, f"sk-own-key-of-{user}-0123456789", said
    )
    call = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    await accounts.credit(user, 1_000_000, said)
    reply = await asker.ask("POST", "/v1/chat/completions", json.dumps(call).encode(), role)
    assert reply.status == 200, reply.body
    spoken = {"model": "m", "userId": user, "content": said}
    reply = await asker.ask(
        "POST", f"/completions?masterToken={MASTER}", json.dumps(spoken).encode(), "nobody"
    )
    assert reply.status == 200, reply.body
    made.ids[user] = {
        "user": user, "key": issued.key.id, "own": own.id, "email": f"{said}@example.com",
    }  # fmt: skip
    if user == "ann":
        made.secrets["token"] = sidecar.parts.callers.tokens.issue(person)
        expired = await accounts.create_key(user, expires=1)
        disabled = await accounts.create_key(user)
        await accounts.disable_key(disabled.key.id)
        made.secrets |= {"expired": expired.secret, "disabled": disabled.secret}
    if user == "eve":
        made.secrets["token of a disabled user"] = sidecar.parts.callers.tokens.issue(person)
        made.secrets["key of a disabled user"] = made.secrets.pop("gone")
        await accounts.disable_user(user)


__all__ = ["ADMIN", "MASTER", "PASSWORD", "WORDS", "Asker", "Party", "party"]
