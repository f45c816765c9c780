"""Users and their keys: steps 4 and 11."""

from __future__ import annotations

from wattline.store.migrations.forbidding import forbid

NO_USER = "no such user"
START = "start balance"
"""The reason of the credit that a new user begins with."""

_KEYED = (
    "ALTER TABLE attempts ADD COLUMN key TEXT",
    forbid("attempts_key_fixed", "UPDATE OF key ON attempts", "what was sent does not change"),
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
    forbid(
        "users_fixed",
        "UPDATE OF id, created, start ON users",
        "an account does not change its owner",
    ),
    forbid("users_kept", "DELETE ON users", "users are disabled, never deleted"),
    forbid("keys_fixed", "UPDATE OF id, user, created ON keys", "a key does not change its owner"),
)

STEP_4 = (*_KEYED, *_OF_USERS)

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

STEP_11 = (
    f"CREATE VIEW users_with_keys AS SELECT {_BOTH} FROM users u JOIN keys k ON k.user = u.id",  # noqa: S608 - constants
    f"""
CREATE TRIGGER users_with_keys_add INSTEAD OF INSERT ON users_with_keys BEGIN
    INSERT INTO users ({", ".join(_FIRST_USER)})
        VALUES ({", ".join(f"new.user_{name}" for name in _FIRST_USER)});
    INSERT INTO keys (user, {", ".join(_FIRST_KEY)})
        VALUES (new.user_id, {", ".join(f"new.key_{name}" for name in _FIRST_KEY)});
END""",  # noqa: S608 - the only text put in are constants
)
