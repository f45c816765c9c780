from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.engine.audio import (
    speech_energy,
    transcription_energy,
)
from wattline.rules.compiled.callers import PER_CHARACTER, PER_SECOND

MICRO = 1_000_000


@pytest.mark.parametrize(
    ("seconds", "energy"),
    [
        ("3.5", 53),
        ("0", 0),
        ("2.2", 33),
        ("2/3", 10),
        ("1/15", 1),
        ("1/1000000", 1),
        ("3600", 54_000),
    ],
)
def test_seconds_cost_without_being_rounded(seconds: str, energy: int) -> None:
    """A-117: 15 for a second, the cost rounded up, no margin."""
    assert transcription_energy(Fraction(seconds), PER_SECOND) == energy * MICRO


@pytest.mark.parametrize(("text", "energy"), [("Hello world", 6), ("", 0), ("a", 1), ("ab", 1)])
def test_characters_cost_a_half(text: str, energy: int) -> None:
    """A-118: `X-Token-Cost: 6` for "Hello world"."""
    assert speech_energy(len(text), PER_CHARACTER) == energy * MICRO


def test_rates_are_configuration() -> None:
    """A-121"""
    assert transcription_energy(Fraction("1.5"), Fraction("0.1")) == MICRO
    assert transcription_energy(Fraction("1.5"), Fraction(0)) == 0
    assert speech_energy(1000, Fraction("0.015")) == 15 * MICRO


def test_unknown_stays_unknown() -> None:
    assert transcription_energy(None, PER_SECOND) is None
    assert transcription_energy(Fraction(1), None) is None
    assert speech_energy(11, None) is None


@pytest.mark.parametrize(("amount", "rate"), [(-1, 15), (1, -15)])
def test_negative_numbers_are_refused(amount: int, rate: int) -> None:
    with pytest.raises(ValueError, match="no energy"):
        transcription_energy(Fraction(amount), Fraction(rate))
    with pytest.raises(ValueError, match="no energy"):
        speech_energy(amount, Fraction(rate))


@given(st.fractions(min_value=0, max_value=10**6), st.fractions(min_value=0, max_value=10**4))
def test_cost_is_the_next_whole_energy(seconds: Fraction, rate: Fraction) -> None:
    micro = transcription_energy(seconds, rate)
    assert micro is not None
    whole, rest = divmod(micro, MICRO)
    assert rest == 0
    assert 0 <= whole - seconds * rate < 1
