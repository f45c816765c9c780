"""Dialogs, and who referred whom: step 7."""

from __future__ import annotations

from wattline.store.migrations.forbidding import forbid
from wattline.store.migrations.users import NO_USER

REFERRAL = "referral bonus"
"""The reason of the credits of a referral."""

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

STEP_7 = (
    "ALTER TABLE keys ADD COLUMN salt TEXT",
    _MESSAGES,
    "CREATE INDEX messages_by_dialog ON messages (dialog, seq)",
    _FORGET_OLD,
    _SYSTEM_MESSAGES,
    _REFERRALS,
    "CREATE INDEX referrals_by_referrer ON referrals (referrer)",
    _REFERRED_KNOWN,
    _REFERRAL_BONUS,
    forbid("referrals_fixed", "UPDATE ON referrals", "who referred a user does not change"),
    forbid("referrals_kept", "DELETE ON referrals", "referrals are never deleted"),
)
