"""A client's own request with the beginning of its answer."""

from __future__ import annotations

from typing import Any

import pytest

from kit.decisions import a_call
from wattline.dialects.codecs import client_codec, provider_side
from wattline.dialects.lead import Lead, beginning
from wattline.dialects.led_body import led_body
from wattline.wire.call import Operation

USER = {"role": "user", "content": "hi"}
SAID = {"role": "assistant", "content": "so far"}
LEAD = Lead("so far", used=30)


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"max_tokens": 100}, {"max_tokens": 70}),
        ({"max_completion_tokens": 100}, {"max_completion_tokens": 70}),
        ({"max_tokens": 10, "max_completion_tokens": 31}, {"max_tokens": 1, "max_completion_tokens": 1}),
        ({"options": {"num_predict": 100, "seed": 3}}, {"options": {"num_predict": 70, "seed": 3}}),
        ({"options": {"num_predict": -1}}, {"options": {"num_predict": -1}}),
        ({"max_tokens": None, "user": "u", "x": [1.5]}, {"max_tokens": None, "user": "u", "x": [1.5]}),
        ({"max_tokens": "100"}, {"max_tokens": "100"}),
        ({"max_tokens": True, "options": 3}, {"max_tokens": True, "options": 3}),
    ],
)  # fmt: skip
def test_all_but_the_limit_is_the_clients(fields: dict[str, Any], left: dict[str, Any]) -> None:
    sent = {"model": "m", "messages": [USER], **fields}
    found = led_body(sent, {"messages": [{"as": "written"}, SAID]}, LEAD)
    assert found == {"model": "m", "messages": [USER, SAID], **left}


def test_of_gemini() -> None:
    turn = {"role": "user", "parts": [{"text": "hi"}]}
    said = {"role": "model", "parts": [{"text": "so far"}]}
    sent = {"contents": [turn], "generationConfig": {"maxOutputTokens": 100, "topK": 3}}
    assert led_body(sent, {"contents": [turn, said]}, LEAD) == {
        "contents": [turn, said],
        "generationConfig": {"maxOutputTokens": 70, "topK": 3},
    }


def test_the_clients_own_beginning_is_replaced() -> None:
    own = {"role": "assistant", "content": [{"type": "text", "text": "Sure: "}]}
    lead = Lead("so far", before="Sure: ")
    found = led_body({"messages": [USER, own]}, {"messages": [USER, SAID]}, lead)
    assert found == {"messages": [USER, SAID]}


@pytest.mark.parametrize(
    ("sent", "written", "lead"),
    [
        ({}, {"messages": [SAID]}, LEAD),
        ({"messages": "no"}, {"messages": [SAID]}, LEAD),
        ({"messages": []}, {"messages": [SAID]}, LEAD),
        ({"messages": [USER]}, {"messages": []}, LEAD),
        ({"messages": [USER]}, {"contents": [SAID]}, LEAD),
        ({"messages": [USER]}, {"messages": [USER]}, Lead(" \n")),
        ({"messages": [USER, SAID, SAID]}, {"messages": [USER, SAID]}, Lead("x", before="so far")),
    ],
)
def test_where_it_can_not_be_told_it_is_written_anew(sent: Any, written: Any, lead: Lead) -> None:
    assert led_body(sent, written, lead) is None


TURN = {"role": "user", "parts": [{"text": "hi"}]}
SAMPLES: dict[str, dict[str, Any]] = {
    "openai": {"messages": [{"role": "system", "content": "be kind"}, USER], "x": 1},
    "anthropic": {"max_tokens": 90, "system": "be kind", "messages": [USER], "metadata": {"user_id": "u"}},
    "gemini": {"contents": [TURN], "systemInstruction": {"parts": [{"text": "be kind"}]}, "labels": {"a": "b"}},
    "ollama": {"messages": [USER], "options": {"num_predict": 90}, "keep_alive": "5m"},
}  # fmt: skip


@pytest.mark.parametrize("own", [False, True], ids=["plain", "begun"])
@pytest.mark.parametrize("dialect", SAMPLES)
def test_as_each_dialects_codec_writes_it(dialect: str, own: bool) -> None:  # noqa: FBT001  (a parameter)
    sent = {"model": "m", **SAMPLES[dialect]}
    name = "contents" if dialect == "gemini" else "messages"
    said = {"role": "model" if dialect == "gemini" else "assistant"}
    said |= {"parts": [{"text": "Sure: "}]} if dialect == "gemini" else {"content": "Sure: "}
    if own:
        sent[name] = [*sent[name], said]
    codec = client_codec(dialect, Operation.CHAT)
    side = provider_side(dialect, "host.example").codec
    assert codec is not None
    prompt = codec.read_prompt(sent, a_call(stream=True, dialect=dialect))
    lead = Lead("so far, so good", used=30, before=beginning(prompt))
    found = led_body(sent, side.write_prompt(lead.led(prompt), "up").body, lead)
    assert found is not None
    *before, last = found[name]
    assert before == SAMPLES[dialect][name]
    assert ("Sure: so far, so good" if own else "so far, so good") in str(last)
    assert {key for key in found if found[key] == sent[key]} == set(sent) - {
        name, "max_tokens", "options"
    }  # fmt: skip
