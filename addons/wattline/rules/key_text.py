"""Texts that can't be keys, or most likely are not meant as they are; no word here repeats one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

BAD: Final = "is set but holds characters that no key has"
"""What follows a variable's name in the reason why its provider can't be used."""
_BAD: Final = re.compile(rf"([A-Za-z_][A-Za-z0-9_]*) {BAD}")
_QUOTES: Final = frozenset("\"'`")


def is_header_text(secret: str) -> bool:
    """It can be sent in a header."""
    return secret.isascii() and secret.isprintable() and " " not in secret


def is_quoted(secret: str) -> bool:
    """Quotes of a shell or of a file of variables are still around it."""
    return len(secret) > 1 and secret[0] == secret[-1] and secret[0] in _QUOTES


def bad_keys(reasons: Iterable[str | None]) -> tuple[str, ...]:
    """The variables that these reasons of providers name as bad keys, each once."""
    found = (name for reason in reasons if reason for name in _BAD.findall(reason))
    return tuple(dict.fromkeys(found))
