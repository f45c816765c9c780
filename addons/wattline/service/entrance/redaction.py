"""A provider that echoes its own key must not hand it to the client."""

from __future__ import annotations

from typing import Final

from wattline.rules.compiled.target import Target
from wattline.upstream.scrub import scrub

LEAST: Final = 8
"""Bytes of a secret. What is shorter stands in for a key where a server wants none (`none`, `EMPTY`, `ollama`): it is
a word like others, and answers have it.
"""


def secrets_of(target: Target) -> tuple[bytes, ...]:
    """What of a target no client may see, as it stands in an answer."""
    provider = target.provider
    credential = provider.credential
    if credential is None:
        return ()
    known = (credential.secret, *provider.secrets) if provider.secrets else (credential.secret,)
    return tuple(secret.encode("latin-1", "replace") for secret in known if len(secret) >= LEAST)


def redacted(data: bytes, target: Target) -> bytes:
    """An answer, or a whole part of one, without the target's secrets."""
    return scrub(data, secrets_of(target))
