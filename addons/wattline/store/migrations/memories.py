"""What is remembered for a while: steps 6, 9, 10 and 13."""

from __future__ import annotations

KEPT_DECISIONS = 200_000
"""Calls without an attempt that are remembered, give or take a thousand."""
KEPT_BOOKS = 100
"""Rules files that are remembered."""

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

STEP_6 = (_REPEATS, "CREATE INDEX repeats_by_time ON repeats (at)")

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

STEP_9 = (_DECISIONS, _FORGET_DECISIONS)

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

STEP_10 = (_BOOKS, _FORGET_BOOKS)

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

STEP_13 = (_RESTS, _FORGET_RESTS)
