"""`wattline check`: whether rules.yaml is good, and what is in force with it here."""

from __future__ import annotations

import json
import sys
from typing import Any

from wattline.base.settings import Settings
from wattline.cli.book import Rules, read_rules, rules_name, rules_path
from wattline.cli.failure import FAILED
from wattline.rules.book import Book, Provider
from wattline.rules.problems import RulesError


def check(settings: Settings, *, as_json: bool = False) -> int:
    """Print problems or a summary; 0 when the rules can be used. Raises OSError."""
    try:
        rules = read_rules(settings)
    except RulesError as error:
        _print_problems(settings, error, as_json=as_json)
        return FAILED
    if as_json:
        json.dump(_as_json(rules), sys.stdout, indent=2)
        print()
    else:
        _print_summary(rules, rules_name(settings))
    return 0


def _print_problems(settings: Settings, error: RulesError, *, as_json: bool) -> None:
    if not as_json:
        print(error)
        count = len(error.problems)
        print(f"\n{rules_name(settings)}: {count} problem{'' if count == 1 else 's'}.")
        return
    problems = [
        {"line": p.line, "column": p.column, "path": p.path, "message": p.message}
        for p in error.problems
    ]
    found = {"ok": False, "path": str(rules_path(settings)), "problems": problems}
    json.dump(found, sys.stdout, indent=2)
    print()


def _print_summary(rules: Rules, name: str) -> None:
    book = rules.book
    print(f"{name}: good, version {book.version}")
    print(
        f"{len(book.rules)} rules, {len(book.models)} models and aliases, "
        f"{len(book.providers)} providers, listens on {book.listen.host}:{book.listen.port} "
        f"({book.auth.mode})"
    )
    print()
    width = max((len(name) for name in book.providers), default=0)
    for provider in sorted(book.providers.values(), key=lambda p: p.unavailable is not None):
        print(f"  {provider.name:<{width}}  {_state(provider)}")
    if not book.configured:
        print("\nNo provider key is set: calls get made-up answers of the built-in demo provider.")
    for warning in book.warnings:
        print(f"warning: {warning}")


def _state(provider: Provider) -> str:
    if provider.unavailable is not None:
        return f"not available: {provider.unavailable}"
    if provider.demo:
        return "the built-in demo"
    return f"ready, {provider.origin}{provider.base_path}"


def _as_json(rules: Rules) -> dict[str, Any]:
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
    }
