"""Whether a secret that an operator chose could be guessed."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

MIN_LENGTH = 16
MIN_BITS = 40.0
"""By the frequency of its characters. A random text of 16 hexadecimal digits has about 50."""
WELL_KNOWN = frozenset(
    {
        "admin", "administrator", "anygptapi", "apikey", "changeit", "changeme", "default", "demo", "dummy",
        "example", "key", "letmein", "master", "mastertoken", "password", "passwort", "placeholder",
        "qwerty", "replace", "replaceme", "root", "secret", "secretkey", "sk", "sktest", "test", "token",
        "user", "yourkey", "yourapikey", "yoursecret", "yourtoken",
    }
)  # fmt: skip
"""Compared without case, digits and punctuation."""
_STEADY = 0.6


def why_weak(secret: str) -> str | None:
    """Why nobody should rely on `secret`, in words that don't hold it; None when nothing is wrong."""
    if not secret.strip():
        return "it is empty"
    if "".join(c for c in secret.lower() if c.isalpha()) in WELL_KNOWN:
        return "it is a well-known value"
    if len(secret) < MIN_LENGTH:
        return f"it has fewer than {MIN_LENGTH} characters"
    if _repeats(secret) or _counts_on(secret) or _bits(secret) < MIN_BITS:
        return "it follows a pattern that can be guessed"
    return None


def _bits(secret: str) -> float:
    """Shannon's entropy of the characters, for the whole text."""
    size = len(secret)
    return -sum(n * math.log2(n / size) for n in Counter(secret).values())


def _repeats(secret: str) -> bool:
    """It is a shorter text, written again and again."""
    return secret in (secret + secret)[1:-1]


def _counts_on(secret: str) -> bool:
    """Most characters are neighbours of the one before, as in 12345, abcdef and aaaa."""
    steps = [abs(ord(b) - ord(a)) for a, b in pairwise(secret)]
    return sum(step <= 1 for step in steps) > _STEADY * len(steps)
