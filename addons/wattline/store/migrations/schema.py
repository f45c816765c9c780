"""The schema of a file: brought up to date, checked, read."""

from __future__ import annotations

import sqlite3

from wattline.store.migrations.steps import APPLICATION_ID, MIGRATIONS

OLDEST_SQLITE = (3, 37, 0)
"""STRICT tables."""


class ForeignSchema(Exception):
    """The file is no ledger of ours, or one of a newer wattline. The message says what to do."""


def migrate(connection: sqlite3.Connection, steps: tuple[tuple[str, ...], ...] = MIGRATIONS) -> int:
    """Bring the schema up to date, each step in a transaction of its own; returns how many were done.

    `connection` is in autocommit mode. Raises ForeignSchema and changes nothing.
    """
    version = check_schema(connection, len(steps))
    for number, step in enumerate(steps[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in step:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return len(steps) - version


def check_schema(connection: sqlite3.Connection, newest: int = len(MIGRATIONS)) -> int:
    """The file's schema version, 0 for a blank file. Raises ForeignSchema."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if owner != APPLICATION_ID and (objects or version):
        raise ForeignSchema(
            "it is the database of another program; give wattline a file of its own"
        )
    if version > newest:
        raise ForeignSchema(
            f"its schema is version {version} and this wattline knows up to {newest}; "
            "run the newer wattline, or restore the backup that was taken before the upgrade"
        )
    return int(version)


def expected_schema() -> dict[str, str]:
    """Name and SQL of each object of the newest schema: what `audit` compares with."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(connection)
        return read_schema(connection)
    finally:
        connection.close()


def read_schema(connection: sqlite3.Connection) -> dict[str, str]:
    """Name and SQL of each object in the file, SQLite's own left out."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: sql for name, sql in rows if not name.startswith("sqlite_")}
