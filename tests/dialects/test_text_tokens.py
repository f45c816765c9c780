"""Tokens of texts: by length, and by a tokenizer where one is installed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.dialects import text_tokens as module
from wattline.dialects.text_tokens import (
    ENOUGH,
    LONGEST,
    by_length,
    text_tokens,
    tokenizer,
    value_tokens,
)


def words(text: str) -> int:
    text.encode()
    return len(text.split())


def test_by_length_without_a_tokenizer(monkeypatch):
    monkeypatch.setattr(module, "installed", lambda: None)
    assert text_tokens("x" * 400) == by_length("x" * 400) == 101
    assert text_tokens("ä" * 400) == 201
    assert text_tokens("") == 1


def test_a_tokenizers_word_counts():
    assert text_tokens("one two three", 0, words) == 3
    assert text_tokens("", 0, words) == 1


def test_long_texts_and_many_of_them_cost_no_more():
    seen: list[int] = []

    def count(text: str) -> int:
        seen.append(len(text))
        return words(text)

    assert text_tokens("a " * 1_000_000, 0, count) == pytest.approx(1_000_000, rel=0.001)
    assert seen == [LONGEST]
    assert text_tokens("a " * 50, ENOUGH, count) == 26
    assert len(seen) == 1


def test_what_is_no_text_is_measured():
    assert text_tokens("\ud800abc", 0, words) == by_length("\ud800abc")


def no_package(_: str):
    raise ImportError


@pytest.mark.parametrize(
    "find",
    [
        no_package,
        lambda _: SimpleNamespace(),
        lambda _: SimpleNamespace(openai=SimpleNamespace(o200k_base=lambda: None)),
        lambda _: SimpleNamespace(openai=SimpleNamespace(o200k_base=5)),
    ],
)
def test_a_package_that_is_not_there_or_another_one(find):
    assert tokenizer(find) is None


def test_the_package_by_its_shape():
    encoding = SimpleNamespace(count=words)
    found = tokenizer(
        lambda _: SimpleNamespace(openai=SimpleNamespace(o200k_base=lambda: encoding))
    )
    assert found is words


@given(st.text(max_size=200), st.integers(0, 60_000))
def test_never_an_error_and_never_nothing(text, so_far):
    assert text_tokens(text, so_far) >= 1


def test_a_value_is_measured_by_its_keys_and_texts():
    value = {"name": "abcd", "inner": [{"key": "x" * 20}, 7, None, True, ["yz"]]}
    assert value_tokens(value) == (len("nameabcdinnerkey") + 20 + 2 + 3 * 4) // 4
    assert value_tokens(7) == value_tokens([]) == 0


def test_a_value_that_is_very_deep():
    value: list[object] = ["abcd"]
    for _ in range(100_000):
        value = [value]
    assert value_tokens(value) == 1
