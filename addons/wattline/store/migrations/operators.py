"""What operators switch off, and the keys that they are offered: step 5."""

from __future__ import annotations

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
STEP_5 = (
    _PARKED,
    _OFFERED,
    "CREATE INDEX offered_keys_by_state ON offered_keys (state, at)",
    "CREATE INDEX attempts_by_key ON attempts (key, at) WHERE key IS NOT NULL",
    (
        "CREATE INDEX attempts_by_caller ON attempts (principal, at)"
        " WHERE key IS NULL AND principal <> 'local'"
    ),
)
