"""Whose an id is that a provider gave: of a response, a video, an interaction. Read-only."""

from __future__ import annotations

from pathlib import Path

from wattline.store.reading import reading

_MADE = "SELECT EXISTS (SELECT 1 FROM attempts WHERE made = ? AND principal = ?)"


def was_made(path: Path, principal: str, made: str) -> bool:
    """The principal was given this id, ever. Raises LedgerDown."""
    with reading(path) as connection:
        return bool(connection.execute(_MADE, (made, principal)).fetchone()[0])
