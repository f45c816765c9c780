from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.demo.asked import Asked
from wattline.demo.chat import chat
from wattline.demo.check import Refused
from wattline.demo.reply import Kind

HELLO = [{"role": "user", "content": "hello there"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
            "required": ["city", "days"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock"}}


def _reply(**body):
    return chat(Asked(7, 1_700_000_000, {"model": "m", "messages": HELLO, **body}))


def _choice(**body):
    return _reply(**body).body["choices"][0]


def _data(reply):
    return [event.data for event in reply.events]


def test_the_answer_says_what_it_is_and_repeats_only_numbers():
    body = _reply(model="gpt-anything").body
    assert body["choices"][0]["message"]["content"] == (
        "This is the wattline demo provider: no model was called. "
        "It got 1 message of about 3 tokens."
    )
    assert body["model"] == "gpt-anything"
    assert body["system_fingerprint"] == "wattline-demo"
    assert body["usage"]["prompt_tokens"] == 3
    assert body["usage"]["total_tokens"] == 3 + body["usage"]["completion_tokens"]


def test_the_same_request_gives_the_same_answer():
    assert _reply().body == _reply().body


def test_usage_in_a_stream_only_when_asked():
    """With `include_usage`: null in each chunk, then one event without choices. Else no word of it."""
    *chunks, usage, done = _data(_reply(stream=True, stream_options={"include_usage": True}))
    assert done == "[DONE]"
    assert usage["choices"] == []
    assert usage["usage"]["prompt_tokens"] == 3
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in chunks)
    for options in (None, {}, {"include_usage": False}):
        *chunks, done = _data(_reply(stream=True, stream_options=options))
        assert not any("usage" in chunk for chunk in chunks)
        assert all(chunk["choices"] for chunk in chunks)


def test_a_stream_says_what_the_plain_answer_says():
    plain = _reply()
    events = list(_reply(stream=True).events)
    said = "".join(
        event.data["choices"][0]["delta"].get("content", "")
        for event in events
        if event.kind is not Kind.END
    )
    assert said == plain.body["choices"][0]["message"]["content"]
    assert sum(event.tokens for event in events) == plain.completion_tokens
    assert events[0].data["choices"][0]["delta"]["role"] == "assistant"
    assert events[-2].data["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_token_limit_ends_with_length(limit):
    choice = _choice(**{limit: 2})
    assert choice["message"]["content"] == "This is "
    assert choice["finish_reason"] == "length"
    assert _choice(**{limit: 1000})["finish_reason"] == "stop"


@pytest.mark.parametrize("stop", ["wattline", ["zzz", "wattline", "provider"]])
def test_a_stop_sequence_ends_before_itself(stop):
    choice = _choice(stop=stop)
    assert choice["message"]["content"] == "This is the "
    assert choice["finish_reason"] == "stop"


def test_n_choices_cost_n_times():
    one, three = _reply(), _reply(n=3)
    assert [choice["index"] for choice in three.body["choices"]] == [0, 1, 2]
    assert three.completion_tokens == 3 * one.completion_tokens
    streamed = _reply(n=3, stream=True)
    assert sum(event.tokens for event in streamed.events) == three.completion_tokens


def test_a_tool_that_is_named_is_called_with_arguments_that_fit():
    choice = _choice(
        messages=[{"role": "user", "content": "use get_weather please"}], tools=[WEATHER, CLOCK]
    )
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "demo", "days": 2}


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("auto", []),
        ("none", []),
        ("required", ["get_weather"]),
        ({"type": "function", "function": {"name": "clock"}}, ["clock"]),
    ],
)
def test_tool_choice(choice, called):
    message = _choice(tools=[WEATHER, CLOCK], tool_choice=choice)["message"]
    assert [call["function"]["name"] for call in message.get("tool_calls", [])] == called


def test_none_wins_over_a_name_and_one_at_a_time_is_kept():
    both = [{"role": "user", "content": "get_weather and clock"}]
    tools = [WEATHER, CLOCK]
    assert "tool_calls" not in _choice(messages=both, tools=tools, tool_choice="none")["message"]
    assert len(_choice(messages=both, tools=tools)["message"]["tool_calls"]) == 2
    alone = _choice(messages=both, tools=tools, parallel_tool_calls=False)
    assert len(alone["message"]["tool_calls"]) == 1


def test_an_agent_s_reminders_name_no_tool():
    """They are parts before the wish, and system messages behind it."""
    parts = [
        {"type": "text", "text": text} for text in ("You have get_weather.", "What time is it?")
    ]
    after = {"role": "system", "content": "Use get_weather wisely."}
    messages = [{"role": "user", "content": parts}, after]
    assert "tool_calls" not in _choice(messages=messages, tools=[WEATHER, CLOCK])["message"]
    parts[1]["text"] = "The clock!"
    (called,) = _choice(messages=messages, tools=[WEATHER, CLOCK])["message"]["tool_calls"]
    assert called["function"]["name"] == "clock"
    result = {"role": "tool", "tool_call_id": called["id"], "content": "clock: 12:00"}
    asked = {"role": "assistant", "content": None, "tool_calls": [called]}
    messages = [messages[0], asked, result, after]
    assert _choice(messages=messages, tools=[WEATHER, CLOCK])["message"]["content"]


def test_after_a_tool_s_result_there_is_text():
    messages = [
        {"role": "user", "content": "get_weather"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "tool_call_id": "c", "content": "get_weather says sun"},
    ]
    assert _choice(messages=messages, tools=[WEATHER], tool_choice="required")["message"]["content"]


def test_tool_calls_are_streamed_in_parts():
    reply = _reply(tools=[WEATHER], tool_choice="required", stream=True)
    deltas = [
        event.data["choices"][0]["delta"]["tool_calls"][0]
        for event in reply.events
        if event.kind is Kind.OUTPUT
    ]
    assert deltas[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert len(deltas) > 3
    arguments = "".join(delta["function"]["arguments"] for delta in deltas)
    assert json.loads(arguments) == {"city": "demo", "days": 2}


def test_json_mode_and_json_schema():
    said = _choice(response_format={"type": "json_object"})["message"]["content"]
    assert json.loads(said)["model_called"] is False
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert json.loads(_choice(response_format=form)["message"]["content"]) == {"ok": True}


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": 3}, "model", "invalid_type"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": "hi"}, "messages", "invalid_type"),
        ({"messages": ["hi"]}, "messages[0]", "invalid_type"),
        ({"messages": [{"role": "robot", "content": ""}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content", "invalid_type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
            "missing_required_parameter",
        ),
        ({"temperature": 2.1}, "temperature", "decimal_above_max_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"top_p": -0.1}, "top_p", "decimal_below_min_value"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"n": 129}, "n", "integer_above_max_value"),
        ({"n": True}, "n", "invalid_type"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"max_tokens": 10**400}, "max_tokens", "integer_above_max_value"),
        ({"stop": ["a"] * 5}, "stop", "array_above_max_length"),
        ({"stop": [1]}, "stop", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
        (
            {"tools": [{"type": "function", "function": {"name": "a b"}}]},
            "tools[0].function.name",
            "invalid_value",
        ),
        ({"tool_choice": "auto"}, "tool_choice", None),
        (
            {"tools": [CLOCK], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "tool_choice",
            None,
        ),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema",
            "missing_required_parameter",
        ),
    ],
)
def test_bad_requests_name_what_is_wrong(body, param, code):
    with pytest.raises(Refused) as refused:
        _reply(**body)
    assert (refused.value.status, refused.value.param, refused.value.code) == (400, param, code)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 3) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "function", "name", "parameters"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
_FIELDS = ["model", "messages", "n", "stop", "stream", "stream_options", "tools", "tool_choice"]
_FIELDS += ["max_tokens", "temperature", "response_format", "parallel_tool_calls"]


@given(st.dictionaries(st.sampled_from(_FIELDS), _JSON))
def test_any_body_is_answered_or_refused(body):
    try:
        reply = chat(Asked(1, 0, {"model": "m", "messages": HELLO} | body))
    except Refused:
        return
    for event in reply.events or ():
        event.encode()
    reply.payload()
