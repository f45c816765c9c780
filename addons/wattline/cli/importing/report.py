"""What came of an import: numbers, and why rows were not taken. Never a value of a row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

SHOWN: Final = 5
"""Places that are named for each reason."""
KEPT: Final = 1_000
"""Rows that are named in JSON."""


@dataclass(slots=True)
class FileReport:
    """One file. `kind` is None where it can't be taken over, `error` says why."""

    path: str
    kind: str | None = None
    rows: int = 0
    made: int = 0
    there: int = 0
    error: str | None = None
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Place and reason of each row, or part of one, that was not taken."""
    notes: Counter[str] = field(default_factory=Counter)
    """What was told of rows that were taken all the same."""

    def refuse(self, place: str, reason: str) -> None:
        """A row, or part of one, is not taken."""
        self.refused.append((place, reason))

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {
            "path": self.path,
            "kind": self.kind,
            "rows": self.rows,
            "made": self.made,
            "there": self.there,
            "not_taken": len(self.refused),
            "error": self.error,
            "reasons": [{"row": at, "reason": why} for at, why in self.refused[:KEPT]],
            "notes": [{"note": note, "rows": count} for note, count in self.notes.items()],
        }


@dataclass(slots=True)
class Report:
    """All files, and the piece of rules.yaml."""

    dry: bool
    files: list[FileReport] = field(default_factory=list)
    rules: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    """Names of variables that must be set, each with the provider whose key it stands for."""

    @property
    def whole(self) -> bool:
        """Every file and every row was taken."""
        return not any(file.error or file.refused for file in self.files)

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {
            "dry_run": self.dry,
            "files": [file.facts() for file in self.files],
            "rules": self.rules,
            "variables": self.variables,
        }

    def lines(self) -> list[str]:
        """For people."""
        found = [line for file in self.files for line in _lines(file, dry=self.dry)]
        for variable, provider in self.variables.items():
            found.append(f"set {variable} to the apiKey of provider {provider!r}")
        if self.rules:
            found.append("the rules above are for rules.yaml; check them with `wattline check`")
        if self.dry:
            found.append("dry run: nothing was changed")
        return found


def _lines(file: FileReport, *, dry: bool) -> list[str]:
    if file.error is not None:
        return [f"{file.path}: {file.error}"]
    would = "would be " if dry else ""
    rows = "1 row" if file.rows == 1 else f"{file.rows} rows"
    done = (
        f"{file.made} {would}taken over, {file.there} here already, {len(file.refused)} not taken"
    )
    lines = [f"{file.path}: {file.kind}, {rows}: {done}"]
    places: dict[str, list[str]] = {}
    for place, reason in file.refused:
        places.setdefault(reason, []).append(place)
    for reason, where in places.items():
        more = f" and {len(where) - SHOWN} more" if len(where) > SHOWN else ""
        lines.append(f"  not taken: {reason} ({', '.join(where[:SHOWN])}{more})")
    lines += [f"  note: {note} ({count})" for note, count in file.notes.items()]
    return lines
