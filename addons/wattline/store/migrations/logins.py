"""Sessions, tiers of users, and their own keys for providers: step 8."""

from __future__ import annotations

from wattline.store.migrations.forbidding import forbid
from wattline.store.migrations.users import NO_USER

TOO_MANY_KEYS = "too many keys of one user"
MAX_OF_USER = 50
"""Keys for providers that one user may keep."""

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

STEP_8 = (
    # Tokens of an earlier session are refused.
    "ALTER TABLE users ADD COLUMN session INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE users ADD COLUMN tier TEXT",
    _PROVIDER_KEYS,
    "CREATE INDEX provider_keys_by_user ON provider_keys (user)",
    _PROVIDER_KEY_OWNED,
    forbid(
        "provider_keys_fixed",
        "UPDATE OF id, user, provider, scheme, host, port, created ON provider_keys",
        "a key does not change its owner",
    ),
    # What a user called with its keys: `attempts_by_caller` has the calls without one.
    "CREATE INDEX attempts_by_user ON attempts (principal, at) WHERE key IS NOT NULL",
)
