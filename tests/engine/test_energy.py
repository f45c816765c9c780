from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.dialects.base import Energy
from wattline.engine.energy import energy
from wattline.wire.usage import MAX_TOKENS

HALF = Fraction(1, 2)


@pytest.mark.parametrize(
    ("tokens", "rate", "shown"),
    [
        (1_000, "1.2", "1250"),
        (21, "2.0", "15.75"),
        (0, "1.2", "0"),
        (1, "40", "0.0375"),
        (100, "0.12", "1250"),
        (100, "0.2", "750"),
        (7, "20", "0.525"),
        (10, "1.7", "8.823529"),
    ],
)
def test_worked_examples(tokens, rate, shown):
    """A-110, A-112, A-113, A-114, A-115, A-116, decision 1: tokens / rate * (1 + margin)."""
    assert Energy(energy(tokens, Fraction(rate), HALF)).json == shown


def test_the_margin_is_a_setting():
    """A-111: 50 % unless it is configured."""
    assert energy(1_000, Fraction("1.2"), Fraction(0)) == 833_333_333
    assert energy(1_000, Fraction("1.2"), Fraction("0.2")) == 1_000_000_000
    assert energy(1_000, Fraction("1.2"), Fraction(-1)) == 0


def test_no_rate_is_no_energy_and_not_zero():
    """A-050: an unknown rate is null on the wire."""
    assert energy(1_000, None, HALF) is None
    assert Energy(energy(1_000, None, HALF)).json == "null"


@pytest.mark.parametrize(("tokens", "rounded"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_a_half_is_rounded_to_even(tokens, rounded):
    assert energy(tokens, Fraction(2_000_000), Fraction(0)) == rounded


@pytest.mark.parametrize(
    ("tokens", "rate", "margin"),
    [(-1, "1", "0"), (1, "0", "0"), (1, "-2", "0"), (1, "1", "-1.5")],
)
def test_what_can_not_be_is_refused(tokens, rate, margin):
    with pytest.raises(ValueError, match="no energy for"):
        energy(tokens, Fraction(rate), Fraction(margin))


@given(
    st.integers(0, MAX_TOKENS),
    st.fractions(Fraction(1, 10_000), 10_000, max_denominator=10_000),
    st.fractions(0, 10, max_denominator=1_000),
)
def test_exact_against_decimal(tokens, rate, margin):
    """A-110: exact, then rounded once."""
    with localcontext() as context:
        context.prec = 60
        exact = tokens / rate * (1 + margin) * 1_000_000
        wanted = (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(
            Decimal(1), ROUND_HALF_EVEN
        )
    assert energy(tokens, rate, margin) == int(wanted) == round(exact)
