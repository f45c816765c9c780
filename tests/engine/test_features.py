"""What is kept of a call's headers for later: never a credential."""

from __future__ import annotations

import pytest

from kit.decisions import SECRET, a_book, a_call, a_view
from wattline.engine.features import NOT_KEPT, Asking
from wattline.rules.compiled.rule import Deny, Rule
from wattline.rules.conditions.call import HeaderIs
from wattline.rules.globs import Patterns


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("x-team", "red", "red"),
        ("x-team", None, None),
        ("x-team", "r" * 256, "r" * 256),
        ("x-team", "r" * 257, NOT_KEPT),
        ("x-team", SECRET, NOT_KEPT),
        ("x-team", "Bearer abc", NOT_KEPT),
        ("x-session-token", "red", NOT_KEPT),
        ("x-session-token", None, None),
        ("x-goog-iap-jwt-assertion", "a.b.c", NOT_KEPT),
    ],
)
def test_a_header_that_a_rule_asks_for(name, value, kept):
    book = a_book(Rule("r", (HeaderIs(name, Patterns.of(["red"])),), Deny("no")))
    call = a_call(headers={} if value is None else {name: value})
    noted = Asking().noted(call, book, a_view(), 0.0)
    assert noted is not None
    assert noted["headers"] == {name: kept}


def test_a_book_that_asks_for_nothing_costs_nothing():
    assert Asking().noted(a_call(), a_book(), a_view(), 0.0) is None
