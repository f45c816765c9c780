"""What a rule's `try` stands for: its targets in order, with the called model's name filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from wattline.engine.plan import Skip
from wattline.engine.tiers import match
from wattline.rules.book import Book
from wattline.rules.compiled.provider import Provider
from wattline.rules.compiled.rule import Asked, Listed, Tiered, Weighted
from wattline.rules.compiled.target import AS_ASKED, Target
from wattline.wire.call import Call


@dataclass(frozen=True, slots=True)
class Choice:
    """A target, what a reader should know about it, and its weight."""

    target: Target
    note: str | None = None
    weight: int = 0
    others: tuple[Target, ...] = ()
    """The same with further keys of its provider, to be tried after it."""


def choices(
    action: Tiered | Asked | Listed | Weighted, call: Call, book: Book
) -> Iterator[Choice | Skip]:
    """The targets of an action in its order. A provider that has none is a `Skip`."""
    if isinstance(action, Asked):
        chain = book.names.chain(call.model)
        return (Choice(as_asked(target, call, book)) for target in chain)
    if isinstance(action, Listed):
        return (Choice(as_asked(target, call, book)) for target in action.targets)
    if isinstance(action, Weighted):
        return (Choice(as_asked(t, call, book), None, weight) for t, weight in action.choices)
    return (_of_tier(action.tier, provider, call, book) for provider in action.providers)


def as_asked(target: Target, call: Call, book: Book) -> Target:
    """The target with the called model in the place of `*`: under the name that this provider has for
    it, if the model's chain says so, else under the name that the client used.
    """
    if target.model != AS_ASKED:
        return target
    chain = book.names.chain(call.model)
    for known in chain:
        if known.provider.name == target.provider.name and known.model != AS_ASKED:
            return known
    rate = _first_rate([*_own(chain, call.model), target], book)
    return replace(target, model=call.model, entry=call.model, rate=rate)


def draw_order(found: Sequence[Choice], draw: float) -> list[Choice]:
    """The choice that `draw` (0 to 1) falls on, by weight, then the others, the heaviest first."""
    others = sorted(found, key=lambda choice: -choice.weight)
    point = draw * sum(choice.weight for choice in found)
    for choice in found:
        point -= choice.weight
        if point < 0:
            others.remove(choice)
            return [choice, *others]
    return others


def _of_tier(tier: str, provider: Provider, call: Call, book: Book) -> Choice | Skip:
    model = match(tier, provider, call.tokens)
    if model is None:
        if provider.models:
            reason = f"no model of {provider.name} takes about {call.tokens} tokens"
            return Skip(provider.name, "context", reason)
        return Skip(provider.name, "no_model", f"{provider.name} lists no model")
    target = _listed(provider, model.id, book)
    note = None if model.tier == tier else f"{target}: tier {model.tier or 'none'} for {tier}"
    return Choice(target, note)


def _listed(provider: Provider, model: str, book: Book) -> Target:
    """The target that the book has for a provider's own model, made if there is none."""
    chain = book.models.get(model, ())
    for known in chain:
        if known.provider.name == provider.name and known.model == model:
            return known
    return Target(provider, model, model, _first_rate(_own(chain, model), book))


def _own(chain: Sequence[Target], entry: str) -> Sequence[Target]:
    """The entry's own target. Under an alias it is the first of the chain."""
    return [target for target in chain if target.entry == entry] or chain[:1]


def _first_rate(targets: Iterable[Target], book: Book) -> Fraction | None:
    return next((t.rate for t in targets if t.rate is not None), book.default_rate)
