"""The order in which a rule's targets are tried, where it asks for another than the given one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from wattline.engine.targets import Choice
from wattline.engine.view import View
from wattline.rules.compiled.target import Target
from wattline.wire.call import Call

type Rank = Callable[[Target, Call, View], float]
"""What comes first has the least."""


def ordered(found: Sequence[Choice], order: str, call: Call, view: View) -> list[Choice]:
    """The same choices, sorted; equal ones stay as they were given."""
    rank = RANKS.get(order)
    return list(found) if rank is None else sorted(found, key=lambda c: rank(c.target, call, view))


def _speed(target: Target, call: Call, view: View) -> float:
    """Milliseconds to the first output, or to the whole answer where that is wanted. What was never tried comes
    first: else nobody would ever know.
    """
    figures = view.figures(target)
    known = figures.first_ms if call.stream else figures.total_ms
    return -1.0 if known is None else known


def _score(target: Target, call: Call, view: View) -> float:  # noqa: ARG001  (a Rank)
    return -view.figures(target).score


def _energy(target: Target, call: Call, view: View) -> float:  # noqa: ARG001  (a Rank)
    """The more tokens for one unit, the less energy; without a rate it comes last."""
    return 0.0 if target.rate is None else -float(target.rate)


def _price(target: Target, call: Call, view: View) -> float:
    """Dollars for the estimated tokens; what has no known price comes last."""
    price = view.price(target, call)
    return float("inf") if price is None else price


RANKS: Mapping[str, Rank] = MappingProxyType(
    {"fastest": _speed, "score": _score, "least_energy": _energy, "cheapest": _price}
)
