"""The ledger's schema, as numbered steps. Append to MIGRATIONS; never edit a step that was released.

The books keep themselves: each verb is one statement on one row, and triggers do what belongs to it
in that same statement. A statement either happens whole or, refused, not at all (SQLite undoes a
failed statement and leaves the transaction alive), so a bad row can't harm its batch.

* insert into `attempts`: checks the balance and takes the hold
* update of `attempts` out of `sent`: gives the hold back, books the debit
* insert of a credit into `entries`: adds to the balance, and limits the principal by it
* insert into `users`: credits the balance to start with

Needs SQLite 3.37 (STRICT tables).
"""

from __future__ import annotations

import sqlite3

from wattline.store.rows import OPENED

APPLICATION_ID = 0x77617474
"""In the file's header (https://www.sqlite.org/pragma.html#pragma_application_id)."""
OLDEST_SQLITE = (3, 37, 0)
NO_BALANCE = "insufficient balance"
NO_USER = "no such user"
START = "start balance"
"""The reason of the credit that a new user begins with."""

_ATTEMPTS = """
CREATE TABLE attempts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt TEXT NOT NULL UNIQUE,
    call TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    at INTEGER NOT NULL,
    principal TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    entry TEXT NOT NULL,
    requested TEXT NOT NULL,
    rule TEXT NOT NULL,
    dialect TEXT NOT NULL,
    operation TEXT NOT NULL,
    stream INTEGER NOT NULL CHECK (stream IN (0, 1)),
    estimate INTEGER NOT NULL CHECK (estimate >= 0),
    estimate_energy INTEGER CHECK (estimate_energy >= 0),
    hold INTEGER NOT NULL CHECK (hold >= 0),
    book TEXT NOT NULL,
    features TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'sent' CHECK (
        state IN ('sent', 'complete', 'aborted', 'truncated', 'failed', 'unsettled')),
    settled_at INTEGER,
    status INTEGER,
    prompt INTEGER CHECK (prompt >= 0),
    completion INTEGER CHECK (completion >= 0),
    cached INTEGER CHECK (cached >= 0),
    reasoning INTEGER CHECK (reasoning >= 0),
    source TEXT CHECK (source IN ('provider', 'counted', 'estimated')),
    energy INTEGER CHECK (energy >= 0),
    error TEXT,
    flags TEXT NOT NULL DEFAULT '[]',
    first_byte_ms INTEGER,
    total_ms INTEGER,
    CHECK ((state = 'sent') = (settled_at IS NULL)),
    CHECK (state <> 'sent' OR (energy IS NULL AND source IS NULL)),
    CHECK (state <> 'failed' OR energy IS NULL OR energy = 0),
    CHECK ((source IS NULL) = (prompt IS NULL) AND (prompt IS NULL) = (completion IS NULL)
        AND (prompt IS NULL) = (cached IS NULL) AND (prompt IS NULL) = (reasoning IS NULL))
) STRICT"""

# AUTOINCREMENT keeps the highest number ever given, so that audit sees a deleted last row.
_ENTRIES = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('credit', 'debit')),
    principal TEXT NOT NULL,
    attempt TEXT,
    micro INTEGER NOT NULL CHECK (kind = 'credit' OR micro >= 0),
    reason TEXT NOT NULL,
    CHECK ((kind = 'debit') = (attempt IS NOT NULL))
) STRICT"""

# An integer sum that leaves 64 bits becomes REAL, which a STRICT column refuses.
_ACCOUNTS = """
CREATE TABLE accounts (
    principal TEXT PRIMARY KEY,
    balance INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    limited INTEGER NOT NULL DEFAULT 0 CHECK (limited IN (0, 1))
) STRICT, WITHOUT ROWID"""

_TAKE_HOLD = f"""
CREATE TRIGGER attempts_take_hold BEFORE INSERT ON attempts BEGIN
    INSERT INTO accounts (principal, held) VALUES (new.principal, new.hold)
        ON CONFLICT (principal) DO UPDATE SET held = held + excluded.held
        WHERE limited = 0 OR balance - held >= excluded.held;
    SELECT RAISE (ABORT, '{NO_BALANCE}') WHERE changes() = 0;
    SELECT RAISE (ABORT, 'an attempt begins as sent') WHERE new.state <> 'sent';
END"""  # noqa: S608 - the only text put in is a constant of this file

_BOOK_DEBIT = """
CREATE TRIGGER attempts_book_debit AFTER UPDATE OF state ON attempts BEGIN
    UPDATE accounts SET held = held - old.hold, balance = balance - coalesce(new.energy, 0)
        WHERE principal = old.principal;
    INSERT INTO entries (at, kind, principal, attempt, micro, reason)
        SELECT new.settled_at, 'debit', old.principal, old.attempt, new.energy, new.state
        WHERE new.energy IS NOT NULL;
END"""

_BOOK_CREDIT = """
CREATE TRIGGER entries_book_credit BEFORE INSERT ON entries WHEN new.kind = 'credit' BEGIN
    INSERT INTO accounts (principal, balance, limited) VALUES (new.principal, new.micro, 1)
        ON CONFLICT (principal) DO UPDATE SET balance = balance + excluded.balance, limited = 1;
END"""

_ONCE = """
CREATE TRIGGER attempts_once BEFORE UPDATE ON attempts
WHEN old.state <> 'sent' OR new.state = 'sent' BEGIN
    SELECT RAISE (ABORT, 'an attempt changes once, from sent to a final state');
END"""


_FIRST_OPENED = tuple(name for name in OPENED if name != "key")
"""What `OPENED` was in the first step."""


def _forbid(name: str, event: str, why: str) -> str:
    return f"CREATE TRIGGER {name} BEFORE {event} BEGIN SELECT RAISE (ABORT, '{why}'); END"


_FORBIDDEN = (
    _forbid("attempts_fixed", f"UPDATE OF seq, {', '.join(_FIRST_OPENED)} ON attempts",
            "what was sent does not change"),
    _forbid("attempts_kept", "DELETE ON attempts", "attempts are never deleted"),
    _forbid("entries_fixed", "UPDATE ON entries", "entries never change"),
    _forbid("entries_kept", "DELETE ON entries", "entries are never deleted"),
)  # fmt: skip

# What start-up needs whatever the ledger's size: the attempts that a crash left open.
_SENT = "CREATE INDEX attempts_sent ON attempts (seq) WHERE state = 'sent'"
_DEBITED_ONCE = "CREATE UNIQUE INDEX entries_debit ON entries (attempt) WHERE attempt IS NOT NULL"
# What reports and window seeds select by.
_BY_TIME = "CREATE INDEX attempts_by_time ON attempts (at)"

# The provider's id of a video, a response, an interaction: who may ask about it, and whom.
_MADE = "ALTER TABLE attempts ADD COLUMN made TEXT"

_KEYED = (
    "ALTER TABLE attempts ADD COLUMN key TEXT",
    _forbid("attempts_key_fixed", "UPDATE OF key ON attempts", "what was sent does not change"),
)

# A user's id is the name of its account. It is never given to another: that one would have its balance.
_USERS = """
CREATE TABLE users (
    id TEXT PRIMARY KEY CHECK (id <> ''),
    name TEXT NOT NULL,
    email TEXT UNIQUE COLLATE NOCASE,
    password TEXT,
    role TEXT NOT NULL CHECK (role IN ('admin', 'user')),
    created INTEGER NOT NULL,
    disabled INTEGER,
    start INTEGER CHECK (start >= 0)
) STRICT, WITHOUT ROWID"""

# Only the hash of a key is here: whoever reads this file can't call.
_KEYS = """
CREATE TABLE keys (
    id TEXT PRIMARY KEY CHECK (id <> ''),
    user TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
    mask TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('admin', 'user')),
    tier TEXT,
    created INTEGER NOT NULL,
    expires INTEGER,
    disabled INTEGER,
    hour INTEGER CHECK (hour > 0),
    day INTEGER CHECK (day > 0),
    month INTEGER CHECK (month > 0),
    models TEXT,
    label TEXT NOT NULL
) STRICT, WITHOUT ROWID"""

_START_CREDIT = f"""
CREATE TRIGGER users_start_credit AFTER INSERT ON users WHEN new.start IS NOT NULL BEGIN
    INSERT INTO entries (at, kind, principal, micro, reason)
        VALUES (new.created, 'credit', new.id, new.start, '{START}');
END"""  # noqa: S608 - the only text put in is a constant of this file

_OWNED = f"""
CREATE TRIGGER keys_owned BEFORE INSERT ON keys
WHEN NOT EXISTS (SELECT 1 FROM users WHERE id = new.user) BEGIN
    SELECT RAISE (ABORT, '{NO_USER}');
END"""  # noqa: S608 - as above

_OF_USERS = (
    _USERS,
    _KEYS,
    "CREATE INDEX keys_by_user ON keys (user)",
    _START_CREDIT,
    _OWNED,
    _forbid(
        "users_fixed",
        "UPDATE OF id, created, start ON users",
        "an account does not change its owner",
    ),
    _forbid("users_kept", "DELETE ON users", "users are disabled, never deleted"),
    _forbid("keys_fixed", "UPDATE OF id, user, created ON keys", "a key does not change its owner"),
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        _ATTEMPTS, _ENTRIES, _ACCOUNTS,
        _TAKE_HOLD, _BOOK_DEBIT, _BOOK_CREDIT, _ONCE, *_FORBIDDEN,
        _SENT, _DEBITED_ONCE,
    ),
    (_BY_TIME,),
    (_MADE,),
    (*_KEYED, *_OF_USERS),
)  # fmt: skip


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
