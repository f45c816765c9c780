"""Whole chat answers whose text is not in their choices."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from kit.neutral_answers import JSON
from kit.openai_calls import call
from wattline.dialects.openai.misplaced import with_choices
from wattline.wire.call import Operation

CALL = call(Operation.CHAT)
HEAD = b'"id":"i","object":"o","created":1,"model":"m"'


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"choices":[{"message":{"content":null}}],"content":"b"}', "b"),
        (b'{"choices":[{"message":{"content": null,"role":"assistant"}}],"response":"b"}', "b"),
        (b'{"choices":[],"content":null,"response":"c"}', "c"),
        (b'{"choices":null,"content":"b","response":"c"}', "b"),
        (b'{"choices":"x","content":"b"}', "b"),
        (b'{"content":"b \\"choices\\":[{","response":"c"}', 'b "choices":[{'),
        (b'{"response":"c","message":{"content":"d"}}', "c"),
        (b'{"message":{"content":"d"}}', "d"),
        (b'{"content":""}', ""),
    ],
)
def test_it_is_put_where_clients_look_for_it(raw: bytes, text: str) -> None:
    """C-070: in this order; C-071: the model that was said, else the one that was asked."""
    for body, model in ((raw, CALL.model), (raw[:-1] + b',"model":"said"}', "said")):
        found = ChatCompletion.model_validate_json(with_choices(CALL, body), strict=True)
        (choice,) = found.choices
        assert (choice.message.content, choice.finish_reason) == (text, "stop")
        assert found.model == model
    assert json.loads(with_choices(CALL, raw, "target"))["model"] == "target"
    usage = b',"usage":{"prompt_tokens":3,"completion_tokens":4}}'
    found = ChatCompletion.model_validate_json(with_choices(CALL, raw[:-1] + usage))
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (3, 4)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"choices":[{"message":{"content":"a"}}],"content":"b",%b}' % HEAD,
        b'{"choices":[{"message":{"content":""}}],"content":"b",%b}' % HEAD,
        b'{"choices":[{"message":{"content":null,"tool_calls":[{}]}}],"content":"b",%b}' % HEAD,
        b'{"choices":[{"message":{"content":null,"refusal":"No."}}],"content":"b",%b}' % HEAD,
        b'{"choices":[{"text":"a"}],"content":null,"response":"c",%b}' % HEAD,
        b'{"choices":[],"content":7,"message":"x"}',
        b'{"error":{"message":"m"},"content":"b"}',
        b"{}",
        b"[]",
        b"<html>",
        b"\xff",
    ],
)
def test_what_is_in_its_place_stays_there(raw: bytes) -> None:
    """C-070: the first that is there; and nothing is made where nothing is."""
    assert with_choices(CALL, raw) == raw


def test_what_its_head_lacks_is_added() -> None:
    """C-071: the model that was asked, where none was said; and nothing else is touched."""
    raw = b'{"x": 1.0,"choices":[{"message":{"content":"a"}}],"model":null}'
    made = with_choices(CALL, raw, "target")
    assert made.startswith(b'{"x": 1.0,"choices":[{"message":{"content":"a"}}],"model":"target"')
    assert json.loads(made) == {
        **json.loads(raw),
        "id": f"chatcmpl-{CALL.id}",
        "object": "chat.completion",
        "created": 0,
        "model": "target",
    }
    assert json.loads(with_choices(CALL, raw))["model"] == CALL.model


def test_other_operations_are_none_of_it() -> None:
    raw = b'{"content":"b"}'
    assert with_choices(call(Operation.RESPONSES), raw) == raw


WORDS = ("choices", "content", "response", "message", "model", "id", "created", "usage")


@given(st.dictionaries(st.sampled_from(WORDS), JSON | st.text(max_size=3), max_size=5))
def test_anything(value: dict[str, Any]) -> None:
    raw = json.dumps(value).encode()
    made = with_choices(CALL, raw)
    if made != raw and not value.get("choices"):
        ChatCompletion.model_validate_json(made, strict=True)
    assert with_choices(CALL, made) == made
