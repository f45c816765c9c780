"""The names in a case, compared with those that the rules have: a mistyped one would test nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from wattline.dialects.codecs import client_names
from wattline.dialects.table import own_paths, own_routes
from wattline.engine.case_shape import BadCase, Case
from wattline.rules.book import Book
from wattline.rules.compiled.rule import Listed, Tiered, Weighted
from wattline.rules.compiled.target import Target
from wattline.rules.compiled.window import Window
from wattline.rules.conditions.allowance import FilledOver
from wattline.rules.conditions.call import TextIs
from wattline.rules.conditions.health import HealthIs
from wattline.rules.globs import Patterns
from wattline.rules.problems import nearest, unknown
from wattline.wire.call import LOCAL


def check_names(case: Case, book: Book) -> None:
    """Raises BadCase for a dialect, tier, provider, target or window that is not there."""
    request, state = case.request, case.state
    asked, now = f"{case.place}.request", f"{case.place}.state"
    if "dialect" in request:
        _check("dialect", request["dialect"], _dialects(), f"{asked}.dialect")
    tier = request.get("tier")
    if tier is not None and not _fits("tier", tier, book):
        _check("tier", tier, _tiers(book), f"{asked}.tier")
    if request.get("provider") is not None:
        _check("provider", request["provider"], book.providers, f"{asked}.provider")
    for part, place in (("own_keys", asked), ("without_keys", now)):
        found = request if part == "own_keys" else state
        for index, name in enumerate(found.get(part, ())):
            _check("provider", name, book.providers, f"{place}.{part}[{index}]")
    targets = [(name, f"{now}.left_out") for name in state.get("left_out", ())]
    targets += [(name, f"{now}.health") for name in state.get("health", ()) if "/" in name]
    if state.get("kept") is not None:
        targets.append((state["kept"], f"{now}.kept"))
    for name, place in targets:
        _check_target(name, request["model"], book, place)
    for name in state.get("health", ()):
        _check("provider", name.partition("/")[0], book.providers, f"{now}.health")
    for name in state.get("fill", ()):
        _check("window", name, _window_names(book), f"{now}.fill")


def doubts(case: Case, book: Book) -> Iterator[str]:
    """What is most likely a mistake, and need not be one: accounts are not in the file."""
    name = case.request.get("principal", LOCAL.id)
    known = {LOCAL.id, *book.auth.keys.values(), *_literals("principal", book)}
    if name not in known and not _fits("principal", name, book):
        meant = nearest(name, known)
        if meant is not None:
            yield f"principal: no key and no rule names {name!r:.80}. Did you mean {meant!r}?"


def known_state(state: Mapping[str, Any], book: Book) -> dict[str, Any]:
    """What was recorded, without windows and targets that these rules have no more: their conditions ask for none of
    them, and a case that names them can't be read.
    """
    names = {
        "fill": frozenset(_window_names(book)),
        "health": frozenset((*book.providers, *map(str, _targets(book)))),
    }
    kept: dict[str, Any] = {}
    for part, value in state.items():
        found = value
        if part in names and isinstance(value, Mapping):
            found = {name: one for name, one in value.items() if name in names[part]}
        if found or not value:
            kept[part] = found
    return kept


def windows_of(book: Book) -> Iterator[Window]:
    """All windows over calls, those of each key too."""
    yield from book.windows
    for tier in book.tiers.values():
        yield from tier.windows
    for provider in book.providers.values():
        for one in provider.each:
            yield from one.windows
    for condition in _conditions(book, FilledOver):
        yield from (condition.window, *condition.others)


def _check(kind: str, name: str, known: Iterable[str], place: str) -> None:
    known = frozenset(known)
    if name not in known:
        raise BadCase(f"{place}: {unknown(kind, name, known)}")


def _check_target(name: str, called: str, book: Book, place: str) -> None:
    provider, _, model = name.partition("/")
    _check("provider", provider, book.providers, place)
    if model and model == called.removeprefix(f"{provider}/"):
        return
    _check("target", name, map(str, _targets(book)), place)


def _targets(book: Book) -> Iterator[Target | str]:
    for chain in book.models.values():
        yield from chain
    for provider in book.providers.values():
        yield from (f"{provider.name}/{model.id}" for model in provider.models)
    for condition in _conditions(book, HealthIs):
        yield str(condition.subject)
    for rule in book.rules:
        match rule.action:
            case Listed(targets):
                yield from targets
            case Weighted(choices):
                yield from (target for target, _ in choices)
            case Tiered(_, providers):
                yield from (f"{one.name}/{model.id}" for one in providers for model in one.models)


def _window_names(book: Book) -> Iterator[str]:
    for window in windows_of(book):
        yield window.name
        if window.declared is not None:
            yield window.declared


def _tiers(book: Book) -> Iterator[str]:
    yield from book.tiers
    yield from book.auth.tiers.values()
    yield from _literals("tier", book)


def _dialects() -> Iterator[str]:
    yield from client_names()
    yield from (route.dialect for route in own_paths().values())
    yield from (route.dialect for _, route in own_routes())


def _conditions[T](book: Book, kind: type[T]) -> Iterator[T]:
    return (c for rule in book.rules for c in rule.conditions if isinstance(c, kind))


def _patterns(field: str, book: Book) -> Iterator[Patterns]:
    return (text.patterns for text in _conditions(book, TextIs) if text.field == field)


def _literals(field: str, book: Book) -> Iterator[str]:
    for patterns in _patterns(field, book):
        yield from patterns.exact


def _fits(field: str, name: str, book: Book) -> bool:
    """Some condition asks for it, by a pattern too."""
    return any(patterns.matches(name) for patterns in _patterns(field, book))
