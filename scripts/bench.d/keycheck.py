"""What it costs to know who calls and to count it: `python keycheck.py` prints CPU microseconds per call as JSON.

No socket, no gateway: a request's headers go in, the place in each window of the caller comes out. CPU time of
this thread is measured, not wall time, so that what else runs on the machine is not in it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rulesfile import keyed_text
from wattline.base.clock import ManualClock
from wattline.base.ids import hash_secret
from wattline.engine.windows import Ticket, Windows
from wattline.rules.book import Book
from wattline.rules.load import load
from wattline.service.accounts.auth import authenticate
from wattline.service.accounts.directory import Directory
from wattline.service.accounts.entitlement import caller_claims
from wattline.service.accounts.sessions import Sessions
from wattline.service.accounts.token_secret import JWT_SECRET, TokenSecret
from wattline.service.accounts.tokens import Tokens
from wattline.store.accounts import SqliteAccounts
from wattline.store.people import Key, People, User
from wattline.wire.call import Budgets, Call, Operation, Principal, Role

CALLS = 2_000
ROUNDS = 7
PEOPLE = 1_000
"""Users with a key, and tokens that call in turn."""
_SECRET = "3f9c1d77a0b24e6f8851c2d3e4f5a6b79087cdef0123a4b5"  # noqa: S105 - signs nothing that anybody takes


@dataclass(frozen=True, slots=True)
class Head:
    """A request with one credential."""

    bearer: str
    path: str = "/v1/chat/completions"

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [self.bearer] if name == "authorization" else []


class Desk:
    """Everybody, and the rules of the row `wattline-keys`; `mode` is that of `auth`."""

    def __init__(self, mode: str = "jwt") -> None:
        self.clock = ManualClock()
        text = keyed_text().replace("mode: keys", f"mode: {mode}")
        self.book: Book = load(f"{text}rules: [{{name: all, try: model}}]\n", env={})
        users = [User(f"usr_{n}", "", Role.USER, 0, tier="bench") for n in range(PEOPLE)]
        keys = [_key(number, user.id) for number, user in enumerate(users)]
        people = People({u.id: u for u in users}, {k.id: k for k in keys})
        store = SqliteAccounts(lambda *_: asyncio.Future(), people)
        self.directory = Directory(store, self.clock)
        tokens = Tokens(TokenSecret({JWT_SECRET: _SECRET}, Path()), self.clock)
        self.sessions = Sessions(tokens, self.directory)
        self.by_key = [Head(f"Bearer {_secret(number)}") for number in range(PEOPLE)]
        self.by_token = [Head(f"Bearer {tokens.issue(user)}") for user in users]
        self.windows = Windows()

    def caller(self, head: Head) -> Principal:
        """Who calls. Raises ClientFault."""
        return authenticate(
            self.book.auth, head, proxy=False, find=self.directory.find, read=self.sessions.find
        )

    def counted(self, principal: Principal) -> None:
        """Take a place in each window of its tier. Raises RuntimeError where there is none."""
        call = Call(
            id="bench", dialect="openai", operation=Operation.CHAT, method="POST", host="", path="/",
            model="bench-model", stream=False, principal=principal,
        )  # fmt: skip
        claims = caller_claims(call, "127.0.0.1", self.book)
        taken = self.windows.take(claims, self.clock.monotonic())
        refused = not isinstance(taken, Ticket)
        if refused or not claims:
            raise RuntimeError(f"windows of plenty: {taken}")


def _secret(number: int) -> str:
    return f"{number:032x}"


def _key(number: int, user: str) -> Key:
    return Key(
        f"key_{number}",
        user,
        hash_secret(_secret(number)),
        "",
        Role.USER,
        0,
        tier="bench",
        expires=10**15,
        budgets=Budgets(10**17),
    )


def per_call(work: Callable[[Head], object], heads: list[Head], calls: int = CALLS) -> float:
    """CPU microseconds of `work`, the median of some rounds. One round is not measured."""
    rounds = []
    for _ in range(ROUNDS + 1):
        begun = time.thread_time_ns()
        for number in range(calls):
            work(heads[number % len(heads)])
        rounds.append((time.thread_time_ns() - begun) / calls / 1e3)
    return sorted(rounds[1:])[ROUNDS // 2]


def measured(calls: int = CALLS) -> dict[str, float]:
    """Who calls by its key, by a token that was seen before, and either with the windows of its tier."""
    desk = Desk()

    def both(head: Head) -> None:
        desk.counted(desk.caller(head))

    return {
        "key_us": per_call(desk.caller, desk.by_key, calls),
        "token_us": per_call(desk.caller, desk.by_token, calls),
        "key_window_us": per_call(both, desk.by_key, calls),
        "token_window_us": per_call(both, desk.by_token, calls),
    }


if __name__ == "__main__":
    json.dump(measured(), sys.stdout)
