"""What audio costs (A-117, A-118): a rate for a second or a character, no margin, whole energy.

Seconds are not rounded; the cost is rounded up: 3.5 s at 15 are 53, 11 characters at 0.5 are 6.
"""

from __future__ import annotations

from fractions import Fraction

from wattline.base.amounts import MICRO


def transcription_energy(seconds: Fraction | None, rate: Fraction | None) -> int | None:
    """The price of a recording in micro-units of energy; None when its length or the rate is unknown.

    Raises ValueError for a negative length or rate.
    """
    return _rounded_up(seconds, rate)


def speech_energy(characters: int, rate: Fraction | None) -> int | None:
    """The price of a text to be spoken in micro-units of energy; None when no rate is known. Characters
    are Unicode's code points, spaces included.

    Raises ValueError for a negative count or rate.
    """
    return _rounded_up(Fraction(characters), rate)


def _rounded_up(amount: Fraction | None, rate: Fraction | None) -> int | None:
    if amount is None or rate is None:
        return None
    if amount < 0 or rate < 0:
        raise ValueError(f"no energy for {amount} at rate {rate}")
    exact = amount * rate
    return -(-exact.numerator // exact.denominator) * MICRO
