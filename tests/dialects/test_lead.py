from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wattline.dialects.lead import Lead, asks_more, beginning, no_plain_text
from wattline.wire.parts import Text, ToolCall
from wattline.wire.prompt import Format, Message, Prompt, Role, Sampling, Thinking

USER = Message(Role.USER, (Text("Count to ten."),))
PROMPT = Prompt((USER,), sampling=Sampling(max_tokens=100))


def test_the_text_so_far_is_the_last_message() -> None:
    led = Lead("one, two, ", used=30).led(PROMPT)
    assert led.messages == (USER, Message(Role.ASSISTANT, (Text("one, two,"),)))
    assert led.sampling.max_tokens == 70
    assert Lead("x", used=1000).led(PROMPT).sampling.max_tokens == 1
    assert Lead("x", used=5).led(Prompt((USER,))).sampling.max_tokens is None


def test_white_space_alone_is_no_beginning() -> None:
    assert Lead(" \n").led(PROMPT).messages == (USER,)


def test_a_beginning_of_the_clients_own_is_kept() -> None:
    own = Message(Role.ASSISTANT, (Text("zero, "), Text("half, ")))
    prompt = replace(PROMPT, messages=(USER, own))
    assert beginning(prompt) == "zero, half, "
    assert beginning(PROMPT) == ""
    assert beginning(Prompt(())) == ""
    led = Lead("one ", before=beginning(prompt)).led(prompt)
    assert led.messages == (USER, Message(Role.ASSISTANT, (Text("zero, half, one"),)))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"format": Format()}, "json"),
        ({"sampling": Sampling(n=2)}, "alternatives"),
        ({"thinking": Thinking(effort="low")}, "reasoning"),
        ({"thinking": Thinking(budget=1024)}, "reasoning"),
        ({"thinking": Thinking(budget=-1)}, "reasoning"),
        ({"extras": {"logprobs": True}}, "format"),
        ({"extras": {"generationConfig.responseLogprobs": True}}, "format"),
        ({"extras": {"modalities": ["text", "audio"]}}, "format"),
        ({"extras": {"audio": {"voice": "x"}}}, "format"),
        ({"messages": (Message(Role.ASSISTANT, (ToolCall("c", "f", "{}"),)),)}, "beginning"),
    ],
)
def test_what_is_no_plain_text(changed: dict[str, Any], why: str) -> None:
    assert no_plain_text(replace(PROMPT, **changed)) == why


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"sampling": Sampling(n=1)},
        {"thinking": Thinking(effort="none")},
        {"thinking": Thinking(budget=0)},
        {"extras": {"logprobs": False, "modalities": ["text"], "logit_bias": {}}},
    ],
)
def test_plain_text(changed: dict[str, Any]) -> None:
    assert no_plain_text(replace(PROMPT, **changed)) is None


def test_the_rules_own_fields_count_too() -> None:
    assert asks_more({"response_format": {"type": "json_object"}})
    assert not asks_more({"temperature": 0.2, "top_p": 1})
