"""What tokens cost: exact arithmetic in micro-units of energy (A-110 to A-112)."""

from __future__ import annotations

from fractions import Fraction

from wattline.base.amounts import MICRO


def energy(usage_total: int, rate: Fraction | None, margin: Fraction) -> int | None:
    """`tokens / rate * (1 + margin)` in micro-units, rounded half to even; None when no rate is known.

    1000 tokens at 1.2 with a margin of 0.5 are 1250 energy. Raises ValueError for a negative count, a
    rate that is not above 0, and a margin below -1.
    """
    if rate is None:
        return None
    above, below = per_token(rate, margin)
    if usage_total < 0 or below <= 0 or above < 0:
        raise ValueError(f"no energy for {usage_total} tokens at rate {rate}, margin {margin}")
    return charged(usage_total, above, below)


def per_token(rate: Fraction, margin: Fraction) -> tuple[int, int]:
    """Micro-units for one token, as a fraction of plain integers: Fraction itself would look for common divisors
    at each step.
    """
    above = rate.denominator * (margin.denominator + margin.numerator) * MICRO
    return above, rate.numerator * margin.denominator


def charged(tokens: int, above: int, below: int) -> int:
    """Micro-units for so many tokens at `per_token`, rounded half to even."""
    whole, rest = divmod(tokens * above, below)
    twice = rest * 2
    return whole + (twice > below or (twice == below and whole & 1))
