from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.decisions import a_call
from wattline.rules.load import load
from wattline.service.watching.carried import Carried
from wattline.service.watching.census import MOST, OTHERS, Census
from wattline.service.watching.proposal import KNOWN, observing, proposal
from wattline.wire.usage import Usage

ANY: Any = None
USAGE = Usage(10, 5, 4)


def noted(census, host="api.openai.com", model="gpt-4o", usage=USAGE, at=("https", 443), **more):
    call = replace(a_call(model, forward=True, host=host), **more)
    exchange: Any = SimpleNamespace(call=call, usage=usage)
    request: Any = SimpleNamespace(scheme=at[0], port=at[1])
    census.note(request, exchange, None)


def a_census(now=lambda: 0.0) -> Census:
    return Census(now)


def test_what_was_seen_is_in_the_proposal():
    times = iter([0.0, 1.0, 2.0, 61.0, 100.0])
    census = a_census(lambda: next(times))
    agent = {"user-agent": "OpenAI/Python 1.2 (x)"}
    noted(census, stream=True, headers=agent)
    noted(census, headers=agent)
    noted(census, model="gpt-4o-mini", headers={})
    carried = Carried.begun("tunnel", "t", "pypi.org", 443, proving=False)
    carried.up.came.add(b"x" * 10)
    carried.down.came.add(b"x" * 3000)
    census.carried(carried)
    text = proposal(census)
    for said in (
        "3 calls in 100 s",
        '- "api.openai.com" # 3 calls, 33% streams, 30 + 15 tokens, 12 from caches',
        "clients: OpenAI/Python 1.2 (2), (no user agent) (1)",
        "busiest minute: 2 calls, 30 tokens",
        "# rpm: 4",
        '"gpt-4o": {provider: openai, name: "gpt-4o"} # 2 calls, 50% streams',
        "pypi.org: 1 connection, 10 bytes up, 3,000 down",
    ):
        assert said in text
    book = load(text, env={})
    assert book.intercept == ("api.openai.com",)
    assert [rule.name for rule in book.rules] == ["as-before", "by-model"]


def test_nothing_seen():
    book = load(proposal(a_census()), env={})
    assert book.intercept == ()


@pytest.mark.parametrize("host", KNOWN)
def test_each_known_provider(host):
    census = a_census()
    noted(census, host)
    book = load(proposal(census), env={})
    (provider,) = book.providers.values()
    assert provider.origin.host == host


TEXT = st.text(max_size=140) | st.sampled_from(
    ["a: b", "${SECRET}", '"', "x\n- y", "#", "\ud800", "../..", "- {}", "\x1b[31m", "null", OTHERS]
)


@given(
    st.lists(
        st.tuples(
            TEXT, st.sampled_from(["api.openai.com", "my-llm.example", "my.llm.example"]), TEXT
        ),
        max_size=6,
    )
)
def test_check_accepts_it_whatever_clients_say(seen):
    census = a_census()
    for model, host, agent in seen:
        noted(census, host, model, headers={"user-agent": agent})
    text = proposal(census)
    assert text.isascii()
    load(text, env={})


HOSTS = st.sampled_from(
    ["127.0.0.1", "::1", "fe80::1%eth0", "0.0.0.0", "localhost", "cache", "host", "10.0.0.7", "ex ample", "",
     "bücher.example", "EXAMPLE.com.", "example.com", "-", "a..b", "api.openai.com", "x_y.local", "[::1]", "*.a.b", "null", "a/b", "a:80", "a?b", "a@b"]
) | st.text(max_size=130)  # fmt: skip
ORIGINS = st.tuples(
    st.sampled_from(["http", "https"]), st.sampled_from([0, 80, 443, 8088, 8089, 19101, 65535])
)
DIALECTS = st.sampled_from(["openai", "anthropic", "gemini", "ollama", "other"])


@given(st.lists(st.tuples(HOSTS, ORIGINS, TEXT, DIALECTS), max_size=6))
def test_check_accepts_it_for_every_host_scheme_and_port(seen):
    census = a_census()
    for host, at, model, dialect in seen:
        noted(census, host, model, at=at, dialect=dialect)
    load(proposal(census), env={})


@pytest.mark.parametrize(
    ("host", "at", "url", "key"),
    [
        ("127.0.0.1", ("http", 19101), "http://127.0.0.1:19101/v1", "HOST_127_0_0_1_API_KEY"),
        ("::1", ("http", 80), "http://[::1]/v1", "HOST_1_API_KEY"),
        ("llm.example", ("https", 443), "https://llm.example/v1", "LLM_EXAMPLE_API_KEY"),
        ("api.openai.com", ("https", 8443), "https://api.openai.com:8443/v1", "OPENAI_API_KEY"),
    ],
)
def test_the_url_is_where_the_calls_went(host, at, url, key):
    census = a_census()
    noted(census, host, at=at)
    text = proposal(census)
    assert f'url: "{url}"' in text
    assert f"key: ${{{key}}}" in text
    (provider,) = load(text, env={key: "sk-1"}).providers.values()
    assert provider.unavailable is None
    assert (provider.origin.scheme, provider.origin.port) == at


def test_a_provider_on_the_usual_port_keeps_it():
    census = a_census()
    noted(census, "127.0.0.1", at=("http", 8088))
    assert load(proposal(census), env={}).listen.port == 8089


def test_it_is_bounded():
    census = a_census()
    for number in range(MOST + 50):
        noted(census, f"h{number}.example", headers={"user-agent": f"a{number}"})
        noted(census, "one.example", f"m{number}", headers={"user-agent": f"a{number}"})
    assert len(census.hosts) <= MOST + 1
    assert (
        len(census.hosts["one.example"].models if "one.example" in census.hosts else ()) <= MOST + 1
    )


def test_rules_while_watching_pass_everything():
    book = load(observing(("api.openai.com", "llm.example")), env={})
    assert book.intercept == ("api.openai.com", "llm.example")
