from __future__ import annotations

import pytest

from wattline.rules.problems import SHOWN, Problem, RulesError, nearest, unknown


def test_problems_are_told_in_the_order_of_the_file_and_once():
    later, first = Problem("r", 12, 7, "rules[1].try[0]", "b"), Problem("r", 2, 1, "", "a")
    error = RulesError([later, first, later])
    assert str(error) == "r:2:1 a\nr:12:7 rules[1].try[0]: b"
    assert error.problems == (first, later)


def test_the_text_of_very_many_problems_is_bounded():
    error = RulesError(Problem("r", line, 1, "", "x") for line in range(1, 1_000))
    assert len(error.problems) == 999
    assert len(str(error).splitlines()) == SHOWN + 1
    assert str(error).endswith("… and 949 more")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("gpt-4oo", "gpt-4o"),
        ("GPT-4O", "gpt-4o"),
        ("clade", "claude"),
        ("zzz", None),
        ("", None),
        ("x" * 1_000_000, None),
    ],
)
def test_the_nearest_word(word, meant):
    assert nearest(word, ["gpt-4o", "claude"]) == meant


def test_unknown_words_are_told_with_what_is_known():
    assert (
        unknown("model", "gpt-4oo", ["gpt-4o"]) == "unknown model 'gpt-4oo'. Did you mean 'gpt-4o'?"
    )
    assert unknown("model", "zzz", ["b", "a"]) == "unknown model 'zzz'. Known: a, b."
    assert unknown("model", "zzz", []) == "unknown model 'zzz'"
    assert unknown("model", "zzz", map(str, range(99))) == "unknown model 'zzz'"
    assert len(unknown("model", "z" * 10_000, ["a"])) < 200
