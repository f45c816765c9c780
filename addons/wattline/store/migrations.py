"""The ledger's schema, as numbered steps. Append to MIGRATIONS; never edit a step that was released.

The books keep themselves: each verb is one statement on one row, and triggers do what belongs to it
in that same statement. A statement either happens whole or, refused, not at all (SQLite undoes a
failed statement and leaves the transaction alive), so a bad row can't harm its batch.

* insert into `attempts`: checks the balance and takes the hold
* update of `attempts` out of `sent`: gives the hold back, books the debit
* insert into `users_with_keys`, a view: makes a user and its first key
* insert of a credit into `entries`: adds to the balance, and limits the principal by it
* insert into `users`: credits the balance to start with
* insert into `referrals`: credits the bonus to both users
* insert into `messages`: forgets those before the oldest that is kept
* insert into `decisions` or `books`: forgets the oldest
* insert into `rests`: forgets those that are over

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
TOO_MANY_KEYS = "too many keys of one user"
MAX_OF_USER = 50
"""Keys for providers that one user may keep."""
KEPT_DECISIONS = 200_000
"""Calls without an attempt that are remembered, give or take a thousand."""
KEPT_BOOKS = 100
"""Rules files that are remembered."""
START = "start balance"
"""The reason of the credit that a new user begins with."""
REFERRAL = "referral bonus"
"""The reason of the credits of a referral."""

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
_BY_MADE = "CREATE INDEX attempts_by_made ON attempts (made) WHERE made IS NOT NULL"

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

# Digests only. A row says that a key was used, for as long as the rules say.
_REPEATS = """
CREATE TABLE repeats (
    scope TEXT NOT NULL CHECK (length(scope) = 64),
    key TEXT NOT NULL CHECK (length(key) = 64),
    request TEXT NOT NULL CHECK (length(request) = 64),
    state TEXT NOT NULL CHECK (state IN ('running', 'done')),
    at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID"""

# A model of '' stands for the whole provider.
_PARKED = """
CREATE TABLE parked (
    provider TEXT NOT NULL CHECK (provider <> ''),
    model TEXT NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (provider, model)
) STRICT, WITHOUT ROWID"""

# The keys themselves are encrypted; what was rejected is forgotten.
_OFFERED = """
CREATE TABLE offered_keys (
    id TEXT PRIMARY KEY CHECK (id <> ''),
    at INTEGER NOT NULL,
    provider TEXT NOT NULL,
    tier TEXT,
    mask TEXT NOT NULL,
    sealed TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'accepted', 'rejected')),
    decided INTEGER,
    decided_by TEXT,
    CHECK ((state = 'rejected') = (sealed IS NULL)),
    CHECK ((state = 'waiting') = (decided IS NULL))
) STRICT, WITHOUT ROWID"""

# What a key used, and a caller of rules.yaml. Calls in open mode need none: they are everybody's.
_OF_OPERATORS = (
    _PARKED,
    _OFFERED,
    "CREATE INDEX offered_keys_by_state ON offered_keys (state, at)",
    "CREATE INDEX attempts_by_key ON attempts (key, at) WHERE key IS NOT NULL",
    (
        "CREATE INDEX attempts_by_caller ON attempts (principal, at)"
        " WHERE key IS NULL AND principal <> 'local'"
    ),
)

# What users said and were answered. Forgetting is a delete, and `secure_delete` (store/start.py) wipes it.
_MESSAGES = """
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    dialog TEXT NOT NULL CHECK (dialog <> ''),
    at INTEGER NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    content TEXT NOT NULL,
    first INTEGER NOT NULL CHECK (first >= 0)
) STRICT"""

_FORGET_OLD = """
CREATE TRIGGER messages_forget_old AFTER INSERT ON messages WHEN new.first > 0 BEGIN
    DELETE FROM messages WHERE dialog = new.dialog AND seq < new.first;
END"""

_SYSTEM_MESSAGES = """
CREATE TABLE system_messages (
    user TEXT PRIMARY KEY CHECK (user <> ''),
    at INTEGER NOT NULL,
    content TEXT NOT NULL
) STRICT"""

_REFERRALS = """
CREATE TABLE referrals (
    referred TEXT PRIMARY KEY CHECK (referred <> ''),
    referrer TEXT NOT NULL CHECK (referrer <> ''),
    at INTEGER NOT NULL,
    bonus INTEGER NOT NULL CHECK (bonus >= 0),
    CHECK (referrer <> referred)
) STRICT, WITHOUT ROWID"""

_REFERRED_KNOWN = f"""
CREATE TRIGGER referrals_known BEFORE INSERT ON referrals
WHEN (SELECT count(*) FROM users WHERE id IN (new.referrer, new.referred)) < 2 BEGIN
    SELECT RAISE (ABORT, '{NO_USER}');
END"""  # noqa: S608 - the only text put in is a constant of this file

# Who has no limit gets nothing: a credit would limit it.
_REFERRAL_BONUS = f"""
CREATE TRIGGER referrals_bonus AFTER INSERT ON referrals WHEN new.bonus > 0 BEGIN
    INSERT INTO entries (at, kind, principal, micro, reason)
        SELECT new.at, 'credit', principal, new.bonus, '{REFERRAL}' FROM accounts
        WHERE principal IN (new.referrer, new.referred) AND limited = 1;
END"""  # noqa: S608 - as above

_OF_ASSISTANTS = (
    "ALTER TABLE keys ADD COLUMN salt TEXT",
    _MESSAGES,
    "CREATE INDEX messages_by_dialog ON messages (dialog, seq)",
    _FORGET_OLD,
    _SYSTEM_MESSAGES,
    _REFERRALS,
    "CREATE INDEX referrals_by_referrer ON referrals (referrer)",
    _REFERRED_KNOWN,
    _REFERRAL_BONUS,
    _forbid("referrals_fixed", "UPDATE ON referrals", "who referred a user does not change"),
    _forbid("referrals_kept", "DELETE ON referrals", "referrals are never deleted"),
)

# Users' own keys for providers, sealed (AES-256-GCM): whoever reads this file alone can't use them.
_PROVIDER_KEYS = """
CREATE TABLE provider_keys (
    id TEXT PRIMARY KEY CHECK (id <> ''),
    user TEXT NOT NULL,
    provider TEXT NOT NULL CHECK (provider <> ''),
    scheme TEXT NOT NULL CHECK (scheme IN ('http', 'https')),
    host TEXT NOT NULL CHECK (host <> ''),
    port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    name TEXT NOT NULL,
    mask TEXT NOT NULL,
    sealed TEXT NOT NULL CHECK (sealed <> ''),
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID"""

_PROVIDER_KEY_OWNED = f"""
CREATE TRIGGER provider_keys_owned BEFORE INSERT ON provider_keys BEGIN
    SELECT RAISE (ABORT, '{NO_USER}') WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = new.user);
    SELECT RAISE (ABORT, '{TOO_MANY_KEYS}')
        WHERE (SELECT count(*) FROM provider_keys WHERE user = new.user) >= {MAX_OF_USER};
END"""  # noqa: S608 - the only texts put in are constants

_OF_LOGINS = (
    # Tokens of an earlier session are refused.
    "ALTER TABLE users ADD COLUMN session INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE users ADD COLUMN tier TEXT",
    _PROVIDER_KEYS,
    "CREATE INDEX provider_keys_by_user ON provider_keys (user)",
    _PROVIDER_KEY_OWNED,
    _forbid(
        "provider_keys_fixed",
        "UPDATE OF id, user, provider, scheme, host, port, created ON provider_keys",
        "a key does not change its owner",
    ),
    # What a user called with its keys: `attempts_by_caller` has the calls without one.
    "CREATE INDEX attempts_by_user ON attempts (principal, at) WHERE key IS NOT NULL",
)

# Calls without an attempt. Nobody is billed by them: the oldest give way.
_DECISIONS = """
CREATE TABLE decisions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    call TEXT NOT NULL,
    at INTEGER NOT NULL,
    principal TEXT NOT NULL,
    requested TEXT NOT NULL,
    rule TEXT NOT NULL,
    dialect TEXT NOT NULL,
    operation TEXT NOT NULL,
    stream INTEGER NOT NULL CHECK (stream IN (0, 1)),
    book TEXT NOT NULL,
    status INTEGER NOT NULL,
    code TEXT NOT NULL,
    left_out INTEGER NOT NULL CHECK (left_out >= 0),
    features TEXT NOT NULL
) STRICT"""

_FORGET_DECISIONS = f"""
CREATE TRIGGER decisions_forget_old AFTER INSERT ON decisions WHEN new.seq % 1000 = 0 BEGIN
    DELETE FROM decisions WHERE seq <= new.seq - {KEPT_DECISIONS};
END"""  # noqa: S608 - the only text put in is a constant of this file

_FIRST_USER = (
    "id", "name", "role", "created", "email", "password", "disabled", "start", "session", "tier",
)  # fmt: skip
_FIRST_KEY = (
    "id", "hash", "mask", "role", "created", "tier", "expires", "disabled", "hour", "day", "month", "models",
    "label", "salt",
)  # fmt: skip
"""Columns of users and keys when the view was made. A step that adds one to either makes the view anew."""


_BOTH = ", ".join(
    [f"u.{name} AS user_{name}" for name in _FIRST_USER]
    + [f"k.{name} AS key_{name}" for name in _FIRST_KEY]
)

_WITH_KEYS = (
    f"CREATE VIEW users_with_keys AS SELECT {_BOTH} FROM users u JOIN keys k ON k.user = u.id",  # noqa: S608 - constants
    f"""
CREATE TRIGGER users_with_keys_add INSTEAD OF INSERT ON users_with_keys BEGIN
    INSERT INTO users ({", ".join(_FIRST_USER)})
        VALUES ({", ".join(f"new.user_{name}" for name in _FIRST_USER)});
    INSERT INTO keys (user, {", ".join(_FIRST_KEY)})
        VALUES (new.user_id, {", ".join(f"new.key_{name}" for name in _FIRST_KEY)});
END""",  # noqa: S608 - the only text put in are constants
)

# Files name keys' variables, never keys.
_BOOKS = """
CREATE TABLE books (
    version TEXT PRIMARY KEY CHECK (version <> ''),
    at INTEGER NOT NULL,
    text TEXT NOT NULL,
    available TEXT NOT NULL
) STRICT, WITHOUT ROWID"""

_FORGET_BOOKS = f"""
CREATE TRIGGER books_forget_old AFTER INSERT ON books BEGIN
    DELETE FROM books WHERE version NOT IN (
        SELECT version FROM books ORDER BY at DESC, version LIMIT {KEPT_BOOKS});
END"""  # noqa: S608 - as above

# What rests, until when. `key` tells another key from the same one; it is too short to find a key by.
_RESTS = """
CREATE TABLE rests (
    account TEXT PRIMARY KEY CHECK (account <> ''),
    at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    reason TEXT NOT NULL,
    limited INTEGER NOT NULL CHECK (limited IN (0, 1)),
    book TEXT NOT NULL,
    key TEXT NOT NULL CHECK (length(key) <= 4)
) STRICT, WITHOUT ROWID"""

_FORGET_RESTS = """
CREATE TRIGGER rests_forget_old AFTER INSERT ON rests BEGIN
    DELETE FROM rests WHERE until <= new.at;
END"""

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
    _OF_OPERATORS,
    (_REPEATS, "CREATE INDEX repeats_by_time ON repeats (at)"),
    _OF_ASSISTANTS,
    _OF_LOGINS,
    (_DECISIONS, _FORGET_DECISIONS),
    (_BOOKS, _FORGET_BOOKS),
    _WITH_KEYS,
    (_BY_MADE,),
    (_RESTS, _FORGET_RESTS),
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
