"""Triggers that refuse a change."""

from __future__ import annotations


def forbid(name: str, event: str, why: str) -> str:
    """SQL of a trigger; `event` is what it stands before, `UPDATE ON entries`."""
    return f"CREATE TRIGGER {name} BEFORE {event} BEGIN SELECT RAISE (ABORT, '{why}'); END"
