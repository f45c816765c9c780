"""Refused calls in the ledger: some of each second, and nobody waits."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from kit.sidecars import running
from wattline.service.unsent import MOST
from wattline.store.migrations.steps import MIGRATIONS

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


async def test_refused_calls_are_bounded(tmp_path: Path) -> None:
    extra = "windows: {each: {calls: 1, per: 600s, scope: principal}}"
    async with running(tmp_path, extra=extra) as run:
        unsent = run.sidecar.parts.calls.answers.opening.unsent
        assert unsent is not None
        assert (await run.call(BODY)).status == 200
        assert (await run.call(BODY)).status == 429
        unsent._second = int(unsent.clock.monotonic()) + 1
        frozen = unsent._second
        unsent.clock = _Still(frozen, unsent.clock)
        unsent._noted = MOST - 1
        for _ in range(5):
            assert (await run.call(BODY)).status == 429
        unsent.clock.now += 1
        assert (await run.call(BODY)).status == 429
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite")) as connection:
        rows = connection.execute(
            "SELECT status, code, left_out FROM decisions ORDER BY seq"
        ).fetchall()
    assert rows == [(429, "rate_limit_exceeded", n) for n in (0, 0, 4)]


class _Still:
    """A clock whose monotonic seconds stand still."""

    def __init__(self, now: float, real: object) -> None:
        self.now, self.real = now, real

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.real.wall()  # type: ignore[attr-defined,no-any-return]


def test_old_decisions_and_books_give_way() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with closing(connection):
        for step in MIGRATIONS:
            for statement in step:
                connection.execute(statement)
        row = "'c', 1, 'p', 'm', '', 'openai', 'chat', 0, 'v', 429, 'x', 0, '{}'"
        columns = "call, at, principal, requested, rule, dialect, operation, stream, book, status, code, left_out, features"
        connection.execute(f"INSERT INTO decisions (seq, {columns}) VALUES (1, {row})")  # noqa: S608
        connection.execute(f"INSERT INTO decisions (seq, {columns}) VALUES (201000, {row})")  # noqa: S608
        assert connection.execute("SELECT seq FROM decisions").fetchall() == [(201000,)]
        for number in range(120):
            connection.execute(
                "INSERT INTO books VALUES (?, ?, 't', '{}')", (f"v{number:03}", number)
            )
        first, count = connection.execute("SELECT min(version), count(*) FROM books").fetchone()
        assert (first, count) == ("v020", 100)
