from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.rules.globs import Glob, Patterns, is_glob

ALPHABET = "ab*?[.\n"


def slow_match(pattern: str, text: str) -> bool:
    """By the definition, without a regular expression."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(slow_match(pattern[1:], text[i:]) for i in range(len(text) + 1))
    return bool(text) and pattern[0] in {"?", text[0]} and slow_match(pattern[1:], text[1:])


@settings(max_examples=600, deadline=None)
@given(st.text(ALPHABET, max_size=7), st.text(ALPHABET, max_size=9))
def test_a_glob_matches_what_its_definition_says(pattern, text):
    assert Glob(pattern).matches(text) == slow_match(pattern, text)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(ALPHABET, max_size=5), max_size=5), st.text(ALPHABET, max_size=6))
def test_patterns_match_when_any_of_them_does(patterns, text):
    assert Patterns.of(patterns).matches(text) == any(slow_match(one, text) for one in patterns)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("gpt-*", "gpt-4o", True),
        ("gpt-*", "GPT-4o", False),
        ("gpt-*", "my-gpt-4o", False),
        ("*", "", True),
        ("?", "", False),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        ("a.c", "abc", False),
        ("*\n", "x\n", True),
        ("claude-?-*-sonnet", "claude-3-5-sonnet", True),
        ("(a+)+$", "aaaa", False),
    ],
)
def test_only_star_and_question_mark_are_special(pattern, text, fits):
    assert Glob(pattern).matches(text) is fits


@pytest.mark.parametrize(
    "pattern", ["*a" * 60 + "b", "a*" * 60 + "b", "*?a" * 40 + "b", "*" * 200 + "b"]
)
def test_no_pattern_makes_matching_explode(pattern):
    """A backtracking translation of these needs longer than the universe has."""
    glob = Glob(pattern)
    began = time.thread_time()
    assert not glob.matches("a" * 20_000 + "c")
    assert time.thread_time() - began < 5


def test_patterns_tell_themselves_and_globs_from_names():
    patterns = Patterns.of(["b", "a*", "b", "c"])
    assert str(patterns) == "'b' or 'c' or 'a*'"
    assert patterns.exact == {"b", "c"}
    assert is_glob("a?")
    assert not is_glob("[a]")
