"""providers.json and tiers.json as a piece of rules.yaml: it loads, and has no key."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.cli.importing.fragment import Fragment
from wattline.cli.importing.shapes import read
from wattline.rules.load import load

REST = "rules: [{name: all, try: model}]\n"
SECRET = "sk-very-secret-0123456789"


def fragment(providers=(), tiers=None):
    made, refused = Fragment(), []
    if providers:
        found = read(json.dumps(list(providers)).encode())
        made.add_providers(found.rows, lambda at, why: refused.append((at, why)))
    if tiers:
        found = read(json.dumps(tiers).encode())
        made.add_tiers(found.rows, lambda at, why: refused.append((at, why)))
    return made, refused


def provider(name="openai", url="https://api.openai.com/v1/chat/completions", **more):
    return {"id": name, "apiKey": SECRET, "provider_url": url, "models": {"gpt-4o": {}}} | more


def test_providers():
    """B-003: names of variables in place of keys; one key has one name; addresses are made bases."""
    made, refused = fragment(
        [
            provider(),
            provider("openai", models={}),
            provider(
                "Groq #2", "http://10.0.0.1:8080/v1/", apiKey="gsk-other-0123456789", disabled=True
            ),
            provider("claude", "https://api.anthropic.com/v1/messages", apiKey=None),
            provider(
                "g", "https://generativelanguage.googleapis.com/v1beta/models/{m}:generateContent"
            ),
            provider("leaky", f"https://user:{SECRET}@x.example/v1/chat/completions?key={SECRET}"),
        ]
    )
    assert not refused
    assert SECRET not in made.text
    assert made.variables == {"OPENAI_API_KEY": "openai", "GROQ_2_API_KEY": "Groq-2"}
    env = {"OPENAI_API_KEY": "sk-1234567890", "GROQ_2_API_KEY": "gsk-1234567890"}
    book = load(made.text + REST, env=env)
    bases = {
        name: (p.dialect, f"{p.origin.scheme}://{p.origin.host}:{p.origin.port}{p.base_path}")
        for name, p in book.providers.items()
        if p.unavailable is None
    }
    assert bases == {
        "openai": ("openai", "https://api.openai.com:443/v1"),
        "openai-2": ("openai", "https://api.openai.com:443/v1"),
        "claude": ("anthropic", "https://api.anthropic.com:443/v1"),
        "g": ("gemini", "https://generativelanguage.googleapis.com:443/v1beta"),
        "leaky": ("openai", "https://x.example:443/v1"),
    }
    assert book.providers["Groq-2"].unavailable


def test_tiers():
    """B-061, B-062."""
    made, refused = fragment(
        tiers={
            "free": {
                "rps": 20,
                "rpm": 1000,
                "rpd": 10000,
                "max_tokens": 5,
                "min_provider_score": 0,
            },
            "enterprise": {"rps": 10000, "rpm": None, "rpd": 5, "min_provider_score": 85},
            "odd": {"rps": -1, "rpm": "x", "rpd": 1.5},
            "with space": {"rps": 1},
        }
    )
    assert made.text.splitlines() == [
        "tiers:",
        '  "free": {rps: 20, rpm: 1000, rpd: 10000}',
        '  "enterprise": {rps: 10000, rpd: 5, min_score: 0.85}',
        '  "odd": {}',
    ]
    assert [at for at, _ in refused] == ["row 3", "row 4"]
    assert list(load(made.text + REST, env={}).tiers) == ["free", "enterprise", "odd"]
    assert made.notes


@pytest.mark.parametrize(
    "url", [None, 5, "", "ftp://x", "https://", "https://x:99999/", "https://${X}/", "https://a b/"]
)
def test_urls_that_are_none(url):
    made, refused = fragment([provider(url=url), provider("good")])
    assert [at for at, _ in refused] == ["row 1"]
    assert made.text.count("url:") == 1


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=30),
    st.one_of(st.none(), st.text(max_size=30), st.integers()),
    st.lists(st.text(max_size=20), max_size=4),
    st.text(max_size=20),
)
def test_whatever_names_and_models_are(name, key, models, path):
    """The piece loads; a key is never in it."""
    url = f"https://x.example/{path}"
    made, _ = fragment(
        [provider(name, url, apiKey=key, models={one: {} for one in models}), provider(name)]
    )
    load(made.text + REST, env={})
