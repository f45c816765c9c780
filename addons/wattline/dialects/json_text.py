"""JSON of values that a client or a model made: lone surrogates and integers of any size included."""

from __future__ import annotations

import json
from typing import Any

import msgspec


def dumps(value: Any) -> bytes:
    """One line of JSON."""
    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(value, separators=(",", ":")).encode()
