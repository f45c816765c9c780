"""The body for a target: edited, never built anew."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.openai_calls import DIALECT, call
from wattline.base.errors import OurFault
from wattline.wire.call import Operation

BODY = b'{ "model" : "gpt-4o",\n "messages":[{"role":"user","content":"\\u00e9 {\\"model\\":1}"}],"x":1.0e+2,"temperature" :0.70}'


def write(
    body: bytes, target: str = "gpt-4o", defaults: Any = None, overrides: Any = None, **fields: Any
) -> bytes:
    known = {"stream": False, **fields}
    return DIALECT.write_body(body, call(**known), target, defaults or {}, overrides or {})


def test_nothing_to_change_changes_no_byte() -> None:
    """C-064."""
    assert write(BODY) == BODY
    assert write(BODY, stream=True, wants_usage=True) == BODY


def test_only_the_model_is_replaced() -> None:
    assert write(BODY, "llama-3.3") == BODY.replace(b'"gpt-4o"', b'"llama-3.3"')
    assert json.loads(write(BODY, 'a"\u00e9'))["model"] == 'a"\u00e9'


def test_usage_is_asked_for_in_streams_of_chunks_only() -> None:
    """A-051."""
    tail = b',"stream_options":{"include_usage":true}}'
    assert write(BODY, stream=True) == BODY[:-1] + tail
    assert write(BODY, stream=True, operation=Operation.COMPLETION) == BODY[:-1] + tail
    assert write(BODY, stream=True, operation=Operation.RESPONSES) == BODY
    for given_, wanted in (
        (b"null", b'{"include_usage":true}'),
        (b"{}", b'{"include_usage":true}'),
        (b'{"include_usage":false }', b'{"include_usage":true }'),
        (b'{ "x": 1.0 }', b'{ "x": 1.0,"include_usage":true }'),
    ):
        body = b'{"model":"gpt-4o","stream_options":%b,"z":1}'
        assert write(body % given_, stream=True) == body % wanted


def test_defaults_are_added_where_nothing_is_set() -> None:
    """C-062: temperature 0.3 and max_tokens 2048."""
    defaults = {"temperature": 0.3, "max_tokens": 2048}
    assert (
        write(b'{"model":"gpt-4o"}', defaults=defaults)
        == b'{"model":"gpt-4o","temperature":0.3,"max_tokens":2048}'
    )
    assert write(BODY, defaults=defaults) == BODY[:-1] + b',"max_tokens":2048}'
    for limit in (b'"max_tokens":5', b'"max_completion_tokens":5', b'"max_tokens":null'):
        body = b'{"model":"gpt-4o","temperature":1,%b}' % limit
        assert write(body, defaults=defaults) == body


def test_defaults_for_text_stay_out_of_other_operations() -> None:
    defaults = {"temperature": 0.3, "max_tokens": 2048, "dimensions": 8}
    made = write(
        b'{"model":"gpt-4o","input":"x"}', defaults=defaults, operation=Operation.EMBEDDINGS
    )
    assert json.loads(made) == {"model": "gpt-4o", "input": "x", "dimensions": 8}
    made = write(
        b'{"model":"gpt-4o","input":"x"}', defaults=defaults, operation=Operation.RESPONSES
    )
    assert json.loads(made)["max_output_tokens"] == 2048
    assert "max_tokens" not in json.loads(made)


def test_overrides_replace_and_beat_defaults() -> None:
    made = json.loads(
        write(
            BODY,
            defaults={"max_tokens": 9},
            overrides={"temperature": 0, "max_tokens": 5, "model": "no"},
        )
    )
    assert (made["temperature"], made["max_tokens"], made["model"]) == (0, 5, "gpt-4o")
    made = json.loads(
        write(b'{"model":"gpt-4o","max_completion_tokens":900}', overrides={"max_tokens": 5})
    )
    assert made == {"model": "gpt-4o", "max_tokens": 5}


def test_a_model_that_was_left_out_is_written() -> None:
    made = write(b'{"input":"x"}', "omni", operation=Operation.MODERATIONS, model="x")
    assert made == b'{"input":"x","model":"omni"}'


def test_an_upload_stays_as_it_is() -> None:
    assert write(b"--x\r\n", "other", operation=Operation.TRANSCRIPTION) == b"--x\r\n"


def test_a_body_that_was_never_read_is_our_fault() -> None:
    with pytest.raises(OurFault):
        write(b"[]")


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["temperature", "stream_options", "a"]),
        st.none()
        | st.booleans()
        | st.text(max_size=5)
        | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
        max_size=3,
    ),
    st.text(min_size=1, max_size=9).filter(str.isprintable),
    st.booleans(),
)
def test_it_means_the_edited_object(
    extra: dict[str, Any],
    model: str,
    stream: bool,  # noqa: FBT001  (drawn)
) -> None:
    value = {"model": "gpt-4o", **extra}
    made = json.loads(write(json.dumps(value).encode(), model, {"temperature": 0.3}, stream=stream))
    expected = {"temperature": 0.3, **value, "model": model}
    if stream:
        options = value.get("stream_options")
        expected["stream_options"] = {
            **(options if isinstance(options, dict) else {}),
            "include_usage": True,
        }
    assert made == expected
