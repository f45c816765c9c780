"""What should not be in a ledger: one query for each kind, and the sentence for what it finds."""

from __future__ import annotations

from typing import NamedTuple

from wattline.store.migrations.users import START
from wattline.store.rows import MAX_MICRO
from wattline.wire.usage import MAX_TOKENS


class Check(NamedTuple):
    """A query for what should not be, and the sentence for each row that it finds."""

    query: str
    sentence: str


_ACCOUNT = """
WITH booked AS (
    SELECT principal, sum(iif(kind = 'credit', micro, -micro)) AS balance,
        max(kind = 'credit') AS limited
    FROM entries GROUP BY principal),
holding AS (SELECT principal, sum(hold) AS held FROM attempts WHERE state = 'sent' GROUP BY principal)
SELECT principal, accounts.{column}, coalesce({sums}.{column}, 0) FROM accounts
LEFT JOIN {sums} USING (principal) WHERE accounts.{column} <> coalesce({sums}.{column}, 0)"""
_GAPS = """
SELECT seq, before FROM (SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before FROM {table})
WHERE seq <> before + 1"""
_CUT = """
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0) AS given,
    coalesce((SELECT max(seq) FROM {table}), 0) AS last WHERE given <> last"""
_BEYOND = "SELECT attempt, {value} FROM attempts WHERE {value} < 0 OR {value} > {most}"
_NO_START = f"""
SELECT id, start FROM users u WHERE start IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM entries e WHERE e.principal = u.id AND e.kind = 'credit' AND e.at = u.created
        AND e.micro = u.start AND e.reason = '{START}')"""  # noqa: S608 - a constant

CHECKS = (
    Check(_GAPS.format(table="entries"), "entry {0} follows {1}: entries between them are missing"),
    Check(_CUT.format(table="entries"), "entry numbers were given up to {0}, the last is {1}"),
    Check(_GAPS.format(table="attempts"), "attempt number {0} follows {1}: some are missing"),
    Check(_CUT.format(table="attempts"), "attempt numbers were given up to {0}, the last is {1}"),
    Check(
        "SELECT attempt, state, settled_at FROM attempts WHERE state NOT IN ('sent', 'complete',"
        " 'aborted', 'truncated', 'failed', 'unsettled') OR (state = 'sent') <> (settled_at IS NULL)",
        "attempt {0} is {1} with end time {2}",
    ),
    Check(
        "SELECT attempt, energy, source FROM attempts WHERE state = 'sent'"
        " AND (energy IS NOT NULL OR source IS NOT NULL)",
        "attempt {0} is sent, yet has an energy ({1}) or a usage ({2})",
    ),
    Check(
        "SELECT attempt, prompt, completion, cached, reasoning, source FROM attempts"
        " WHERE (source IS NULL) <> (prompt IS NULL) OR (prompt IS NULL) <> (completion IS NULL)"
        " OR (prompt IS NULL) <> (cached IS NULL) OR (prompt IS NULL) <> (reasoning IS NULL)"
        " OR min(prompt, completion, cached, reasoning) < 0"
        " OR source NOT IN ('provider', 'counted', 'estimated')",
        "attempt {0} has an impossible usage: {1} + {2}, cached {3}, reasoning {4}, source {5}",
    ),
    Check(
        _BEYOND.format(value="max(prompt, completion, cached, reasoning)", most=MAX_TOKENS),
        "attempt {0} has a count of {1} tokens, more than any answer can have",
    ),
    Check(
        _BEYOND.format(value="energy", most=MAX_MICRO),
        "attempt {0} has an impossible energy: {1}",
    ),
    Check(
        "SELECT attempt, hold FROM attempts WHERE hold < 0 OR estimate < 0 OR estimate_energy < 0",
        "attempt {0} has a negative hold ({1}) or estimate",
    ),
    Check(
        "SELECT attempt, energy FROM attempts WHERE state = 'failed' AND energy > 0",
        "attempt {0} failed, yet cost {1}",
    ),
    Check(
        "SELECT attempt, energy, estimate_energy, prompt + completion, estimate FROM attempts"
        " WHERE state = 'unsettled' AND (energy IS NOT estimate_energy"
        " OR prompt + completion IS NOT estimate OR source IS NOT 'estimated')",
        "attempt {0} was closed by a start: cost {1} for an estimate of {2}, {3} tokens for {4}",
    ),
    Check(
        "SELECT attempt, energy FROM attempts a WHERE energy IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.attempt = a.attempt)",
        "attempt {0} cost {1} and has no debit",
    ),
    Check(
        "SELECT e.seq, e.micro, e.principal, a.attempt, a.energy, a.principal FROM entries e"
        " JOIN attempts a ON a.attempt = e.attempt"
        " WHERE e.micro IS NOT a.energy OR e.principal <> a.principal OR e.kind <> 'debit'",
        "entry {0} ({1} of {2}) does not match attempt {3} ({4} of {5})",
    ),
    Check(
        "SELECT e.seq, e.micro, e.principal, e.attempt FROM entries e WHERE e.kind = 'debit'"
        " AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.attempt = e.attempt)",
        "entry {0} debits {1} of {2} for attempt {3}, which does not exist",
    ),
    Check(
        "SELECT attempt, count(*) FROM entries WHERE attempt IS NOT NULL"
        " GROUP BY attempt HAVING count(*) > 1",
        "attempt {0} was debited {1} times",
    ),
    Check(
        "SELECT seq, kind, attempt FROM entries WHERE (kind = 'debit') <> (attempt IS NOT NULL)"
        " OR (kind = 'debit' AND micro < 0)",
        "entry {0} is a {1} with attempt {2}, or of a wrong sign",
    ),
    Check(
        _ACCOUNT.format(column="balance", sums="booked"),
        "account {0} has balance {1}, its entries sum up to {2}",
    ),
    Check(
        _ACCOUNT.format(column="held", sums="holding"),
        "account {0} has {1} held, its open attempts hold {2}",
    ),
    Check(
        _ACCOUNT.format(column="limited", sums="booked"),
        "account {0} is limited: {1}, but its credits say {2}",
    ),
    Check(
        _NO_START,
        "user {0} began with {1}, but no entry says so",
    ),
    Check(
        "SELECT id, user FROM keys WHERE user NOT IN (SELECT id FROM users)",
        "key {0} belongs to {1}, who does not exist",
    ),
    Check(
        "SELECT principal FROM (SELECT principal FROM entries UNION SELECT principal FROM attempts)"
        " WHERE principal NOT IN (SELECT principal FROM accounts)",
        "principal {0} has entries or attempts and no account",
    ),
)
