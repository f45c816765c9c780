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


def noted(census, host="api.openai.com", model="gpt-4o", usage=USAGE, **more):
    call = replace(a_call(model, forward=True, host=host), **more)
    exchange: Any = SimpleNamespace(call=call, usage=usage)
    census.note(ANY, exchange, None)


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
