"""Identifiers and the hashing and masking of secrets."""

from __future__ import annotations

import hashlib
import secrets


def new_id(prefix: str) -> str:
    """A fresh unguessable id such as `req_1f0c…` (96 random bits)."""
    return f"{prefix}_{secrets.token_hex(12)}"


def hash_secret(secret: str) -> str:
    """The full SHA-256 in hex: what is stored and compared instead of the secret itself."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def mask(secret: str) -> str:
    """`sk-ant-…xyz`: enough to recognise a secret, too little to use it."""
    if len(secret) < 16:
        return "…"
    return f"{secret[:6]}…{secret[-3:]}"
