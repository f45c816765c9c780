"""Why no provider can be used, and what calls get then: told only where it is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattline.rules.load import load
from wattline.rules.unconfigured import (
    MADE_UP,
    NO_KEY,
    SOME_MADE_UP,
    UNANSWERED,
    bad_key_texts,
    what_calls_get,
    why_unconfigured,
)

SHIPPED = (Path(__file__).parents[2] / "rules.yaml").read_text()
DEMO = "demo: {url: 'http://127.0.0.1:9/v1', demo: true, models: [{id: m}]}"


def a_book(rules: str, providers: str = DEMO):
    return load(f"version: 1\nproviders:\n  {providers}\nrules:\n  - {rules}\n", env={})


def test_nothing_is_set():
    book = load(SHIPPED, env={})
    assert why_unconfigured(book) == NO_KEY
    assert what_calls_get(book) == MADE_UP


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({"OPENAI_API_KEY": "sk-bad key ü"}, "OPENAI_API_KEY"),
        ({"OPENAI_ORIGINAL_API_KEY": "sk-bad key"}, "OPENAI_ORIGINAL_API_KEY"),
        (
            {"OPENAI_API_KEY": "sk bad", "OPENAI_BASE_URL": "https://goapi.example/v1"},
            "OPENAI_API_KEY",
        ),
        ({"GOOGLE_API_KEY": "ü"}, "GOOGLE_API_KEY"),
    ],
)
def test_a_key_that_is_none_is_told_by_the_variable_that_was_set(env, name):
    book = load(SHIPPED, env=env)
    text = f"{name} is set but holds characters that no key has"
    assert why_unconfigured(book) == text
    assert bad_key_texts(book) == (text,)
    assert not any(value in text for value in env.values())


@pytest.mark.parametrize("quote", ["'", '"', "`"])
def test_quotes_around_a_key_are_doubted(quote):
    secret = f"{quote}sk-abc{quote}"
    book = load(SHIPPED, env={"OPENAI_API_KEY": secret})
    told = [w for w in book.warnings if "quotes around it" in w]
    assert told
    assert all("OPENAI_API_KEY has" in w and "sk-abc" not in w for w in told)
    assert not any("quotes" in w for w in load(SHIPPED, env={"OPENAI_API_KEY": "sk-abc"}).warnings)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("{name: a, when: {unconfigured: true}, try: [demo]}", MADE_UP),
        ("{name: a, try: {weighted: {demo: 1}}}", MADE_UP),
        ("{name: a, when: {model: 'x*'}, try: [demo]}", SOME_MADE_UP),
        ("{name: a, try: model}", UNANSWERED),
        ("{name: a, when: {forward: true}, pass: true}", UNANSWERED),
    ],
)
def test_made_up_answers_are_only_said_where_they_come(rule, text):
    assert what_calls_get(a_book(rule)) == text


def test_a_demo_that_is_off_answers_nothing():
    off = DEMO.replace("demo: true", "demo: true, enabled: false")
    assert what_calls_get(a_book("{name: a, try: [demo]}", off)) == UNANSWERED
