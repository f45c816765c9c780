from __future__ import annotations

import pytest

from wattline.rules.load import RulesError, load

RULES = "version: 1\nintercept: %s\nrules: [{name: r, when: {forward: true}, pass: true}]\n"


def book(intercept: str):
    return load(RULES % intercept, env={})


def test_a_host_alone_fails_closed():
    found = book("[api.openai.com, {host: '*.openai.azure.com'}]")
    assert found.intercept == ("api.openai.com", "*.openai.azure.com")
    assert found.open_hosts == ()
    assert not found.fails_open("api.openai.com")


def test_fail_open_is_said_host_by_host():
    found = book("[api.openai.com, {host: '*.openai.azure.com', on_error: pass}]")
    assert found.fails_open("mine.openai.azure.com")
    assert found.fails_open("MINE.openai.azure.com.")
    for host in ("api.openai.com", "openai.azure.com", "openai.azure.com.evil.example", ""):
        assert not found.fails_open(host)


@pytest.mark.parametrize(
    ("intercept", "said"),
    [
        ("[5]", "must be a host, or a mapping with `host`"),
        ("[{on_error: pass}]", "host"),
        ("[{host: a.example, on_error: open}]", "on_error"),
        ("[{host: a.example, on_eror: pass}]", "on_eror"),
        ("[{host: '${HOST}', on_error: pass}]", "host"),
        ("[[]]", "must be a host"),
        ("{host: a.example}", "intercept"),
    ],
)
def test_mistakes_are_told(intercept, said):
    with pytest.raises(RulesError) as caught:
        book(intercept)
    assert said in str(caught.value)


def test_named_twice():
    assert any(
        "in this list already" in line for line in book("[a.example, {host: a.example}]").warnings
    )
