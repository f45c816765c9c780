from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.demo.asked import Asked
from wattline.demo.check import Refused
from wattline.demo.responses import responses

TOOL = {
    "type": "function",
    "name": "add",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
}


def _reply(**body):
    return responses(Asked(7, 1_700_000_000, {"model": "m", "input": "hello there", **body}))


def _events(**body):
    return [event.data for event in _reply(stream=True, **body).events]


def test_plain():
    body = _reply(instructions="be short").body
    assert body["status"] == "completed"
    assert body["output"][0]["content"][0]["text"].startswith("This is the wattline demo provider")
    assert body["usage"]["input_tokens"] == 3 + 2
    assert body["usage"]["total_tokens"] == 5 + body["usage"]["output_tokens"]


def test_the_stream_has_the_documented_events_in_order():
    events = _events()
    names = [event["type"] for event in events]
    deltas = names.count("response.output_text.delta")
    assert names == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * deltas,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"] == _reply().body
    assert deltas == events[-1]["response"]["usage"]["output_tokens"]


def test_each_event_is_named_on_its_line_and_there_is_no_done():
    encoded = b"".join(event.encode() for event in _reply(stream=True).events)
    for block in encoded.decode().strip().split("\n\n"):
        first, second = block.split("\n")
        assert first == f"event: {json.loads(second.removeprefix('data: '))['type']}"
    assert b"[DONE]" not in encoded


def test_a_token_limit_leaves_it_incomplete():
    assert _reply(max_output_tokens=2).body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert _events(max_output_tokens=2)[-1]["type"] == "response.incomplete"


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_an_idle_choice_needs_no_tools(choice):
    """Codex has its tools in an item of the input."""
    tools = {"type": "additional_tools", "role": "developer", "tools": []}
    items = [tools, {"role": "user", "content": "hi"}]
    assert _reply(input=items, tool_choice=choice).body["output"][0]["type"] == "message"
    with pytest.raises(Refused):
        _reply(input=items, tool_choice="required")


def test_tool_calls_plain_and_streamed():
    (item,) = _reply(tools=[TOOL], tool_choice="required").body["output"]
    assert (item["type"], item["name"]) == ("function_call", "add")
    assert json.loads(item["arguments"]) == {"a": 1}
    events = _events(tools=[TOOL], input="please add")
    parts = [e["delta"] for e in events if e["type"] == "response.function_call_arguments.delta"]
    assert "".join(parts) == item["arguments"]
    assert len(parts) > 1


def test_after_a_tool_s_result_there_is_text():
    items = [
        {"role": "user", "content": "add"},
        {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "2"},
    ]
    body = _reply(input=items, tools=[TOOL], tool_choice="required").body
    assert body["output"][0]["type"] == "message"


def test_json_schema():
    form = {"type": "json_schema", "name": "x", "schema": {"type": "integer"}}
    text = _reply(text={"format": form}).body["output"][0]["content"][0]["text"]
    assert json.loads(text) == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": None}, "input"),
        ({"input": 3}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
    ],
)
def test_bad_requests(body, param):
    with pytest.raises(Refused) as refused:
        _reply(**body)
    assert refused.value.param == param


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "name", "format"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(
    st.dictionaries(
        st.sampled_from(["input", "tools", "tool_choice", "text", "stream", "instructions"]), _JSON
    )
)
def test_any_body_is_answered_or_refused(body):
    try:
        reply = _reply(**body)
    except Refused:
        return
    for event in reply.events or ():
        event.encode()
    reply.payload()
