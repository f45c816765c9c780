"""How shadow calls did beside the calls that they are copies of, out of the ledger. Read-only."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from wattline.store.reading import reading
from wattline.store.rows import MAX_TIME
from wattline.wire.call import SHADOW

MOST: Final = 100_000
"""Shadow calls that are looked at: the newest."""
_PAIRS = f"""
WITH copies AS (
    SELECT rule, provider || '/' || model AS shadow, state, prompt, completion, energy, first_byte_ms,
        total_ms, json_extract(features, '$.shadow_of') AS original
    FROM attempts WHERE principal = '{SHADOW.id}' AND at >= ?1 AND at < ?2 AND state <> 'sent'
    ORDER BY at DESC LIMIT {MOST}
)
SELECT copies.rule, shadow, a.provider || '/' || a.model, count(*),
    count(*) FILTER (WHERE copies.state = 'complete'),
    avg(copies.first_byte_ms) FILTER (WHERE copies.state = 'complete'),
    avg(a.first_byte_ms) FILTER (WHERE copies.state = 'complete'),
    avg(copies.total_ms) FILTER (WHERE copies.state = 'complete'),
    avg(a.total_ms) FILTER (WHERE copies.state = 'complete'),
    avg(copies.completion) FILTER (WHERE copies.state = 'complete'),
    avg(a.completion) FILTER (WHERE copies.state = 'complete'),
    coalesce(sum(copies.prompt + copies.completion), 0), coalesce(sum(copies.energy), 0)
FROM copies LEFT JOIN attempts a ON a.call = original AND a.state = 'complete' AND a.at >= ?1 - 86400000 AND a.at < ?2
GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3
"""  # noqa: S608 - the only text put in are constants


class Compared(NamedTuple):
    """Shadow calls of one rule at one target, beside the answers that clients got from another. Means are over
    pairs whose shadow call was answered too; None where there is none. Times are milliseconds.
    """

    rule: str
    shadow: str
    answered_by: str | None
    """`provider/model`; None where the call's own rows are gone."""
    calls: int
    complete: int
    """Shadow calls that came to their end; the others failed."""
    first_byte_ms: float | None
    own_first_byte_ms: float | None
    total_ms: float | None
    own_total_ms: float | None
    completion: float | None
    own_completion: float | None
    tokens: int
    """Of all its shadow calls."""
    energy_micro: int


def compared(path: Path, since: int = 0, until: int = MAX_TIME) -> list[Compared]:
    """Shadow calls by rule and targets, most first. Raises LedgerDown."""
    with reading(path) as connection:
        return [Compared(*row) for row in connection.execute(_PAIRS, (since, until))]
