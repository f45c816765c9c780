from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wattline.dialects.blocks import blocks, stable_prefix

TURN = {"role": "user", "content": "hi"}
TOOL = {"name": "t", "input_schema": {}}


def told(value):
    return [(b.kind, b.index, b.role) for b in blocks(value)]


def test_anthropic():
    value = {"system": [{"type": "text", "text": "s"}], "messages": [TURN], "tools": [TOOL]}
    assert told(value) == [("tool", 0, ""), ("system", 0, "system"), ("message", 0, "user")]


def test_openai_chat():
    value = {"messages": [{"role": "system", "content": "s"}, {"role": "developer"}, TURN]}
    assert told(value) == [
        ("system", 0, "system"),
        ("system", 1, "developer"),
        ("message", 2, "user"),
    ]


def test_openai_responses():
    called = {"type": "function_call", "name": "f", "arguments": "{}"}
    value = {"instructions": "s", "input": [TURN, called]}
    assert told(value)[1:] == [("message", 0, "user"), ("message", 1, "function_call")]
    assert told({"input": "hello"}) == [("message", 0, "user")]


def test_gemini():
    value = {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [{"parts": [{"text": "a"}]}, {"role": "model", "parts": []}],
        "tools": [{"functionDeclarations": []}],
    }
    assert told(value) == [
        ("tool", 0, ""),
        ("system", 0, "system"),
        ("message", 0, "user"),
        ("message", 1, "model"),
    ]


def test_markers_of_what_is_cached_are_no_part():
    marked = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    plain = {"type": "text", "text": "a"}
    one, other = (
        next(blocks({"messages": [{"role": "user", "content": [part]}]}))
        for part in (marked, plain)
    )
    assert one.text == other.text
    assert next(blocks({"system": [marked]})).text == next(blocks({"system": [plain]})).text


def test_the_order_of_keys_is_a_difference():
    one, other = (
        next(blocks({"tools": [{"a": 1, "b": 2}]})),
        next(blocks({"tools": [{"b": 2, "a": 1}]})),
    )
    assert one.text != other.text


def test_the_stable_prefix_ends_with_the_users_first_message():
    value = {"messages": [{"role": "system"}, TURN, {"role": "assistant"}, TURN], "tools": [TOOL]}
    assert [b.kind for b in stable_prefix(value)] == ["tool", "system", "message"]
    others = {"messages": [{"role": "assistant"}] * 50}
    assert len(list(stable_prefix(others))) == 8


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "tools",
        "functions",
        "system",
        "instructions",
        "systemInstruction",
        "messages",
        "input",
        "contents",
    ]
)


@given(
    st.dictionaries(
        FIELDS,
        JSON
        | st.lists(
            st.fixed_dictionaries(
                {}, optional={"role": JSON, "content": JSON, "parts": JSON, "type": JSON}
            )
        ),
    )
)
def test_whatever_is_sent_has_blocks(value):
    for block in blocks(value):
        assert isinstance(block.text, bytes)
        assert len(block.role) <= 32
