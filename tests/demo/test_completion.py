from __future__ import annotations

import pytest

from wattline.demo.asked import Asked
from wattline.demo.check import Refused
from wattline.demo.completion import completion


def _reply(**body):
    return completion(Asked(7, 1_700_000_000, {"model": "m", "prompt": "hello there", **body}))


def test_plain_has_openai_s_default_limit_of_16_tokens():
    body = _reply().body
    assert body["object"] == "text_completion"
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 16
    assert _reply(max_tokens=500).body["choices"][0]["finish_reason"] == "stop"


def test_streamed_with_usage_when_asked():
    events = list(_reply(stream=True, stream_options={"include_usage": True}).events)
    said = "".join(e.data["choices"][0]["text"] for e in events[:-2])
    assert said == _reply().body["choices"][0]["text"]
    assert events[-2].data["usage"]["completion_tokens"] == 16
    assert events[-1].data == "[DONE]"


@pytest.mark.parametrize(
    ("prompt", "tokens", "choices"),
    [
        ("hello there", 3, 1),
        (["hello", "you"], 3, 2),
        ([1, 2, 3], 3, 1),
        ([[1, 2], [3]], 3, 2),
    ],
)
def test_prompts_of_every_kind(prompt, tokens, choices):
    body = _reply(prompt=prompt).body
    assert body["usage"]["prompt_tokens"] == tokens
    assert len(body["choices"]) == choices


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": None},
        {"prompt": []},
        {"prompt": {}},
        {"prompt": [None]},
        {"prompt": [[True]]},
        {"prompt": ["x"] * 2, "n": 65},
        {"prompt": ["x"] * 129},
    ],
)
def test_bad_prompts(body):
    with pytest.raises(Refused):
        _reply(**body)
