"""What becomes of calls while no provider but the demo can be used, and why that is so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from wattline.rules.book import Book
from wattline.rules.compiled.rule import Listed, Rule, Weighted
from wattline.rules.compiled.target import Target
from wattline.rules.conditions.configuration import Fixed
from wattline.rules.key_text import BAD, bad_keys

NO_KEY: Final = "no provider key is set"
MADE_UP: Final = "calls get made-up answers of the built-in demo provider"
SOME_MADE_UP: Final = (
    "only calls of rules that try the built-in demo provider are answered, with made-up text"
)
UNANSWERED: Final = "calls that need a provider get an error"


def why_unconfigured(book: Book) -> str:
    """`no provider key is set`, or which variables hold none."""
    bad = bad_key_texts(book)
    return "; ".join(bad) if bad else NO_KEY


def bad_key_texts(book: Book) -> tuple[str, ...]:
    """`OPENAI_API_KEY is set but holds characters that no key has`, for each such variable."""
    names = bad_keys(provider.unavailable for provider in book.providers.values())
    return tuple(f"{name} {BAD}" for name in names)


def what_calls_get(book: Book) -> str:
    """In words, for a book without a provider that can be used."""
    rules = list(_demo_rules(book.rules))
    if any(all(isinstance(one, Fixed) for one in rule.conditions) for rule in rules):
        return MADE_UP
    return SOME_MADE_UP if rules else UNANSWERED


def _demo_rules(rules: Iterable[Rule]) -> Iterator[Rule]:
    for rule in rules:
        if any(t.provider.demo and t.provider.unavailable is None for t in _named(rule)):
            yield rule


def _named(rule: Rule) -> Iterator[Target]:
    """The targets that a rule names itself."""
    match rule.action:
        case Listed(targets):
            yield from targets
        case Weighted(choices):
            yield from (target for target, _ in choices)
