"""Attempts, entries and accounts: steps 1 to 3, and 12."""

from __future__ import annotations

from wattline.store.migrations.forbidding import forbid
from wattline.store.rows import OPENED

NO_BALANCE = "insufficient balance"

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

_FORBIDDEN = (
    forbid("attempts_fixed", f"UPDATE OF seq, {', '.join(_FIRST_OPENED)} ON attempts",
           "what was sent does not change"),
    forbid("attempts_kept", "DELETE ON attempts", "attempts are never deleted"),
    forbid("entries_fixed", "UPDATE ON entries", "entries never change"),
    forbid("entries_kept", "DELETE ON entries", "entries are never deleted"),
)  # fmt: skip

# What start-up needs whatever the ledger's size: the attempts that a crash left open.
_SENT = "CREATE INDEX attempts_sent ON attempts (seq) WHERE state = 'sent'"
_DEBITED_ONCE = "CREATE UNIQUE INDEX entries_debit ON entries (attempt) WHERE attempt IS NOT NULL"

STEP_1 = (
    _ATTEMPTS, _ENTRIES, _ACCOUNTS,
    _TAKE_HOLD, _BOOK_DEBIT, _BOOK_CREDIT, _ONCE, *_FORBIDDEN,
    _SENT, _DEBITED_ONCE,
)  # fmt: skip

# What reports and window seeds select by.
STEP_2 = ("CREATE INDEX attempts_by_time ON attempts (at)",)

# The provider's id of a video, a response, an interaction: who may ask about it, and whom.
STEP_3 = ("ALTER TABLE attempts ADD COLUMN made TEXT",)
STEP_12 = ("CREATE INDEX attempts_by_made ON attempts (made) WHERE made IS NOT NULL",)
