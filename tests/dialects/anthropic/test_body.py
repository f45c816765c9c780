"""Bodies for a target: every byte that is not edited stays."""

from __future__ import annotations

import json
from typing import Any

from kit.anthropic_calls import DIALECT, call
from wattline.wire.call import Operation

RAW = (
    b'{ "model" : "claude-x","max_tokens":1e1, "thinking":{"type":"enabled","budget_tokens":1024},\n'
    b' "messages":[{"role":"user","content":[{"type":"text","text":"h\\u00e9","cache_control":{"type":"ephemeral"}}]},'
    b'{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"Eq\\/B=="},'
    b'{"type":"server_tool_use","id":"s","name":"web_search","input":{}}]}],"new_beta":[1.0,{}] }\n'
)


def write(
    raw: bytes = RAW, model: str = "claude-x", operation: Operation = Operation.CHAT, **rules: Any
) -> bytes:
    return DIALECT.write_body(
        raw, call(operation), model, rules.get("defaults", {}), rules.get("overrides", {})
    )


def test_untouched_byte_for_byte() -> None:
    assert write() == RAW


def test_only_the_model_changes() -> None:
    assert write(model="claude-y") == RAW.replace(b'"claude-x"', b'"claude-y"')


def test_defaults_and_overrides() -> None:
    """E-060: in Anthropic's names, and nothing that it would refuse."""
    plain = b'{"model":"claude-x","messages":[]}'
    defaults = {"max_tokens": 7, "temperature": 0.7, "stop": "X", "seed": 1, "n": 2}
    assert json.loads(write(plain, defaults=defaults)) == {
        "model": "claude-x",
        "messages": [],
        "max_tokens": 7,
        "temperature": 0.7,
        "stop_sequences": ["X"],
    }
    assert json.loads(write(plain))["max_tokens"] == 4096
    changed = json.loads(write(plain, overrides={"max_completion_tokens": 9, "model": "no"}))
    assert changed == {"model": "claude-x", "messages": [], "max_tokens": 9}


def test_no_sampling_is_added_to_a_thinking_call() -> None:
    assert write(defaults={"temperature": 0.3, "top_p": 0.5, "max_tokens": 5}) == RAW


def test_counting_tokens_takes_no_limits() -> None:
    plain = b'{"model":"claude-x","messages":[]}'
    rules = {"max_tokens": 7, "temperature": 0.7, "speed": "fast"}
    written = write(plain, operation=Operation.COUNT_TOKENS, defaults=rules)
    assert written == b'{"model":"claude-x","messages":[],"speed":"fast"}'


def test_a_model_that_stands_twice_is_replaced_once() -> None:
    doubled = b'{"model":"a","messages":[],"model":"claude-x","max_tokens":1}'
    assert write(doubled, "z") == b'{"model":"z","messages":[],"max_tokens":1}'
