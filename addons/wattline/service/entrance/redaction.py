"""A provider that echoes its own key must not hand it to the client."""

from __future__ import annotations

from wattline.rules.book import Target
from wattline.upstream.scrub import scrub


def secrets_of(target: Target) -> tuple[bytes, ...]:
    """What of a target no client may see, as it stands in an answer."""
    credential = target.provider.credential
    return () if credential is None else (credential.secret.encode("latin-1", "replace"),)


def redacted(data: bytes, target: Target) -> bytes:
    """An answer, or a whole part of one, without the target's secrets."""
    return scrub(data, secrets_of(target))
