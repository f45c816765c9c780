"""`wattline check`: whether rules.yaml is good, and what is in force with it here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from wattline.base.settings import Settings
from wattline.cli.book import Rules, read_rules, rules_name, rules_path
from wattline.cli.comparison import Comparison, compare
from wattline.cli.failure import FAILED
from wattline.cli.files import network_note, permission_notes
from wattline.cli.terminal import counted, safe
from wattline.rules.book import Book
from wattline.rules.compiled.provider import Provider
from wattline.rules.problems import RulesError
from wattline.rules.unconfigured import what_calls_get, why_unconfigured


def check(settings: Settings, *, as_json: bool = False) -> int:
    """Print problems or a summary; 0 when the rules can be used. Raises OSError."""
    comparison = compare(settings, rules_path(settings))
    try:
        rules = read_rules(settings)
    except RulesError as error:
        if as_json:
            _print_json(_problems_as_json(settings, error, comparison))
        else:
            _print_problems(settings, error, comparison)
        return FAILED
    notes = (*permission_notes(rules.path), *network_note(settings.state))
    if as_json:
        _print_json(_as_json(rules, comparison, notes))
    else:
        _print_summary(rules, rules_name(settings), comparison)
        for text in (
            *(f"warning: {w}" for w in rules.book.warnings),
            *(f"note: {n}" for n in notes),
        ):
            print(safe(text))
    return 0


def _print_json(found: dict[str, Any]) -> None:
    json.dump(found, sys.stdout, indent=2)
    print()


def _print_problems(settings: Settings, error: RulesError, comparison: Comparison | None) -> None:
    print(error)
    count = len(error.problems)
    print(f"\n{rules_name(settings)}: {count} problem{'' if count == 1 else 's'}.")
    if comparison is not None and comparison.same_file:
        version = comparison.running.rules_version
        print(
            f"This is with the variables of this shell. The {comparison.name} has variables of its own, "
            f"and rules version {version} in force."
        )


def _problems_as_json(
    settings: Settings, error: RulesError, comparison: Comparison | None
) -> dict[str, Any]:
    problems = [
        {"line": p.line, "column": p.column, "path": p.path, "message": p.message}
        for p in error.problems
    ]
    return {
        "ok": False,
        "path": str(rules_path(settings)),
        "problems": problems,
        "sidecar": comparison and comparison.as_json(None),
    }


def _print_summary(rules: Rules, name: str, comparison: Comparison | None) -> None:
    book = rules.book
    print(f"{name}: good, version {book.version}")
    print(
        f"{counted(len(book.rules), 'rule')}, {counted(len(book.models), 'model or alias', 'models and aliases')}, "
        f"{counted(len(book.providers), 'provider')}, listens on {book.listen.host}:{book.listen.port} "
        f"({book.auth.mode})"
    )
    print("\nProviders, with the variables of this shell:")
    width = max((len(name) for name in book.providers), default=0)
    for provider in sorted(book.providers.values(), key=lambda p: p.unavailable is not None):
        print(f"  {provider.name:<{width}}  {_state(provider)}")
    if not book.configured:
        text = f"{why_unconfigured(book)}: {what_calls_get(book)}."
        print(f"\n{text[0].upper()}{text[1:]}")
    if comparison is not None:
        print()
        for line in _compared(comparison, book):
            print(safe(line))


def _compared(comparison: Comparison, book: Book) -> Iterator[str]:
    if not comparison.same_file:
        yield f"The {comparison.name} runs other rules: {comparison.running.rules}"
        return
    different = comparison.differences(book)
    version = comparison.running.rules_version
    if not different:
        yield f"The {comparison.name} has the same providers, rules version {version}."
        return
    yield f"The {comparison.name}, rules version {version}, was started with other variables:"
    yield from (f"  {difference}" for difference in different)


def _state(provider: Provider) -> str:
    if provider.unavailable is not None:
        return f"not available: {provider.unavailable}"
    if provider.demo:
        return "the built-in demo"
    return f"ready, {provider.origin}{provider.base_path}"


def _as_json(rules: Rules, comparison: Comparison | None, notes: Sequence[str]) -> dict[str, Any]:
    book: Book = rules.book
    return {
        "ok": True,
        "path": str(rules.path),
        "version": book.version,
        "configured": book.configured,
        "rules": len(book.rules),
        "models": sorted(book.models),
        "providers": {
            p.name: {"available": p.unavailable is None, "reason": p.unavailable, "demo": p.demo}
            for p in book.providers.values()
        },
        "warnings": list(book.warnings),
        "notes": list(notes),
        "sidecar": comparison and comparison.as_json(book),
    }
