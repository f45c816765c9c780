from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.decisions import a_book, a_call, a_target, text_is
from wattline.rules.compiled.rule import Listed, Rule
from wattline.rules.compiled.upkeep import AffinityRules
from wattline.service.conversation import Conversations
from wattline.wire.call import Operation

RULES = AffinityRules()
USER = {"role": "user", "content": "hi"}
BODY = {"messages": [{"role": "system", "content": "s"}, USER]}
NAMES = Conversations(b"k" * 16)


def name(call=None, value=BODY, rules=RULES):
    return NAMES.name(call or a_call(), value, rules)


def test_a_header_goes_before_the_body():
    body = {**BODY, "prompt_cache_key": "p", "metadata": {"user_id": "u"}}
    call = a_call(headers={"x-session-id": "s"})
    assert name(call, body).startswith("x-session-id ")
    assert name(value=body).startswith("prompt_cache_key ")
    del body["prompt_cache_key"]
    assert name(value=body).startswith("metadata.user_id ")
    del body["metadata"]
    assert name(value=body).startswith("prefix ")


def test_the_prefix_stays_while_the_conversation_grows():
    longer = {"messages": [*BODY["messages"], {"role": "assistant", "content": "yes"}, USER]}
    assert name(value=longer) == name()
    other = {"messages": [{"role": "system", "content": "t"}, USER]}
    assert name(value=other) != name()


def test_no_text_of_a_prompt_or_name_is_in_it():
    call = a_call(headers={"x-session-id": "private-session"})
    assert "private" not in name(call)
    assert name(call) != Conversations().name(call, BODY, RULES), "keyed with the process's secret"


@pytest.mark.parametrize("body", [{}, {"messages": []}, {"messages": 3}, {"metadata": []}])
def test_what_cannot_be_told_has_no_name(body):
    assert name(value=body) is None


@pytest.mark.parametrize(
    "body",
    [
        {"prompt_cache_key": 5, "metadata": {"user_id": ["x"]}, **BODY},
        {"prompt_cache_key": "", "metadata": None, **BODY},
    ],
)
def test_names_of_a_wrong_type_are_none(body):
    assert name(value=body).startswith("prefix ")


def test_without_the_prefix_only_names_count():
    assert name(rules=replace(RULES, prefix=False)) is None


async def test_only_calls_that_a_rule_asks_for_are_told():
    rule = Rule("r", (text_is("model", "m"),), Listed((a_target("a"),)), affinity=True)
    book = a_book(rule, Rule("rest", (), Listed((a_target("a"),))))
    assert book.affine
    assert (await NAMES.told(a_call("m"), BODY, b"", book)).conversation == name()
    vectors = a_call("m", operation=Operation.EMBEDDINGS)
    assert await NAMES.told(vectors, BODY, b"", book) is vectors
    large = await NAMES.told(a_call("m"), BODY, b" " * 300_000, book)
    assert large.conversation == name()
    assert not a_book(Rule("rest", (), Listed((a_target("a"),)))).affine


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "user_id"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["messages", "input", "contents", "system", "tools", "metadata", "prompt_cache_key"]
)


@given(st.dictionaries(FIELDS, JSON))
def test_whatever_is_sent(value):
    call, text = a_call(), json.dumps(value)
    told = name(value=value)
    assert told is None or len(told) < 64
    prompted = asyncio.run(NAMES.prompted(call, value, b"", a_book()))
    assert prompted is None or all(len(block.digest) == 12 for block in prompted.blocks)
    assert json.dumps(value) == text, "nothing of it is changed"


async def test_a_diagnosis_tells_agents_of_one_session_apart():
    """They have a first message, and so a prompt, of their own."""
    call = a_call(headers={"x-session-id": "s"})
    one = await NAMES.prompted(call, BODY, b"", a_book())
    other_system = {"messages": [{"role": "system", "content": "t"}, USER]}
    same = await NAMES.prompted(call, other_system, b"", a_book())
    agent = {"messages": [{"role": "user", "content": "search"}]}
    other = await NAMES.prompted(call, agent, b"", a_book())
    assert one.name == same.name != other.name
    assert one.name.startswith("x-session-id ")
