"""Secrets that could be guessed."""

from __future__ import annotations

import secrets

import pytest

from wattline.base.strength import why_weak


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("admin", "well-known"),
        ("ChangeMe", "well-known"),
        ("change-me-1234567890", "well-known"),
        ("sk-1234", "well-known"),
        ("sk-test-0000000000000000", "well-known"),
        ("your_api_key", "well-known"),
        ("x7Gq91LmZ", "fewer than 16"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "pattern"),
        ("abcabcabcabcabcabcabc", "pattern"),
        ("ghijklghijklghijkl", "pattern"),
        ("0123456789abcdef", "pattern"),
        ("12345678901234567890", "pattern"),
        ("abcdefghijklmnopqrstuvwxyz", "pattern"),
        ("aaaaaaaabaaaaaaaaab", "pattern"),
    ],
)
def test_what_could_be_guessed_is_told(secret, why):
    """A-161, A-130, B-126, decision 5: empty and well-known values are refused, and never shown."""
    reason = why_weak(secret)
    assert reason is not None
    assert why in reason
    assert not secret.strip() or secret not in reason


@pytest.mark.parametrize("make", [secrets.token_hex, secrets.token_urlsafe])
def test_random_ones_are_fine(make):
    for _ in range(200):
        assert why_weak(make(16)) is None


def test_a_phrase_is_fine():
    assert why_weak("correct horse battery staple") is None
