"""A provider that echoes its own key must not hand it to the client."""

from __future__ import annotations

from wattline.rules.compiled.target import Target
from wattline.upstream.scrub import scrub


def secrets_of(target: Target) -> tuple[bytes, ...]:
    """What of a target no client may see, as it stands in an answer."""
    provider = target.provider
    credential = provider.credential
    if credential is None:
        return ()
    own = (credential.secret.encode("latin-1", "replace"),)
    if not provider.secrets:
        return own
    return (*own, *(secret.encode("latin-1", "replace") for secret in provider.secrets))


def redacted(data: bytes, target: Target) -> bytes:
    """An answer, or a whole part of one, without the target's secrets."""
    return scrub(data, secrets_of(target))
