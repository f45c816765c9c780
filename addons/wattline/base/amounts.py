"""Numbers for people: all their digits, and no exponent."""

from __future__ import annotations

from decimal import Decimal

MICRO = 1_000_000
"""Micro-units in a unit."""


def plain(value: float, *, grouped: bool = False) -> str:
    """Up to 6 decimals: `6250030`, `0.5`; `6,250,030` where `grouped`."""
    return _cut(f"{value:,.6f}" if grouped else f"{value:.6f}")


def units(micro: int) -> str:
    """Micro-units as units, exact: `6250030.25`."""
    return _cut(f"{Decimal(micro).scaleb(-6):f}")


def percent(share: float) -> str:
    """A share of 1: `5 %`, `0.25 %`."""
    return f"{plain(round(share * 100, 4))} %"


def _cut(text: str) -> str:
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if short in ("-0", "") else short
