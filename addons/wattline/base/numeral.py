"""A number of JSON together with how it was written, for what must be exact."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

PLACES = 30
"""By which an exponent may move the point, to be written out."""


class Numeral(float):
    """A float in all that it does. `text` is the number without an exponent, unless that is a large one: every
    digit of it, where the float has the first 15 to 17.
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """`text` is a number of JSON. Raises ValueError for what is none."""
        self = super().__new__(cls, text)
        self.text = _plain(text)
        return self


def _plain(text: str) -> str:
    digits, mark, exponent = text.lower().partition("e")
    if not mark or len(digits) > PLACES or len(exponent) > 3 or abs(int(exponent)) > PLACES:
        return text
    return f"{Decimal(text):f}"
