from __future__ import annotations

import pytest

from wattline.base.amounts import percent, plain, units


@pytest.mark.parametrize(
    ("value", "text", "grouped"),
    [
        (6_366_000.0, "6366000", "6,366,000"),
        (0.5, "0.5", "0.5"),
        (100.0, "100", "100"),
        (0.0, "0", "0"),
        (-0.0, "0", "0"),
        (1e-9, "0", "0"),
        (-2_500.25, "-2500.25", "-2,500.25"),
    ],
)
def test_numbers_have_no_exponent(value, text, grouped):
    assert plain(value) == text
    assert plain(value, grouped=True) == grouped


def test_energy_is_exact():
    assert units(6_250_030_000_000) == "6250030"
    assert units(18_750_001) == "18.750001"
    assert units(0) == "0"
    assert units(2**62) == "4611686018427.387904"


def test_shares():
    assert [percent(share) for share in (0.05, 1.0, 0.0025, 0.07)] == [
        "5 %",
        "100 %",
        "0.25 %",
        "7 %",
    ]
