"""The sections `dialogs` and `accounts` of rules.yaml, as far as an assistant's gateway has them."""

from __future__ import annotations

import pytest

from wattline.rules.compiled.callers import DialogRules
from wattline.rules.load import RulesError, load

LEAST = "rules: [{name: all, try: model}]\n"


def book(text=""):
    return load(text + LEAST, env={})


def test_dialogs():
    """A-061: what is kept of a conversation."""
    assert book().dialogs == DialogRules(100, 16_000, 8)
    found = book("dialogs: {messages: 2, tokens: 1, waiting: 0}\n")
    assert found.dialogs == DialogRules(2, 1, 0)


def test_the_bonus_of_a_referral():
    """A-136: in micro-units."""
    assert book().accounts.referral_bonus == 5_000_000_000
    assert book("accounts: {referral_bonus: 0.25}\n").accounts.referral_bonus == 250_000
    assert book("accounts: {referral_bonus: 0}\n").accounts.referral_bonus == 0


@pytest.mark.parametrize(
    "text",
    [
        "dialogs: {messages: 1}",
        "dialogs: {messages: 1001}",
        "dialogs: {messages: 2.5}",
        "dialogs: {tokens: 0}",
        "dialogs: {waiting: -1}",
        "dialogs: {waiting: true}",
        "dialogs: {turns: 3}",
        "dialogs: []",
        "accounts: {referral_bonus: -1}",
        "accounts: {referral_bonus: lots}",
    ],
)
def test_wrong_ones(text):
    with pytest.raises(RulesError):
        book(text + "\n")
