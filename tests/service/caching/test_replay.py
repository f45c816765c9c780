"""E-122: a kept answer told in the other way says the same, or is not told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.neutral_answers import REPLIES, TEXTS, usages
from wattline.base.origin import AuthStyle, Origin
from wattline.dialects.base import Energy
from wattline.dialects.codecs import client_codec
from wattline.dialects.spoken import spoken_dialects
from wattline.rules.compiled.provider import Provider, Timeouts
from wattline.rules.compiled.target import Target
from wattline.service.caching.cache import Entry
from wattline.service.caching.cacheable import reply_of, sound
from wattline.service.caching.replay import BLOCK, as_asked, stream_of, whole_of
from wattline.wire.call import Call, Operation, Principal
from wattline.wire.parts import Text
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage

SPOKEN = spoken_dialects()
CLIENTS = [
    ("openai", Operation.CHAT),
    ("openai", Operation.COMPLETION),
    ("openai", Operation.RESPONSES),
    ("anthropic", Operation.CHAT),
    ("gemini", Operation.CHAT),
    ("ollama", Operation.CHAT),
    ("ollama", Operation.COMPLETION),
]
TARGET = Target(
    Provider(
        "p", "openai", Origin("https", "p.test", 443), "", AuthStyle.NONE, None, (), Timeouts()
    ),
    "up",
    "m",
)
USAGE = Usage(30, 12)
PLAIN = st.builds(
    Reply,
    st.builds(
        Alternative,
        st.builds(Text, TEXTS).map(lambda part: (part,)),
        st.just(Stop.END),
    ).map(lambda one: (one,)),
    id=TEXTS,
    model=TEXTS,
    created=st.integers(1, 2**31),
    usage=usages(),
)


def call_of(dialect: str, operation: Operation, *, stream: bool) -> Call:
    return Call(
        id="req_1",
        dialect=dialect,
        operation=operation,
        method="POST",
        host="h",
        path="/",
        model="m",
        stream=stream,
        principal=Principal("local"),
        wants_usage=True,
    )


def kept(reply: Reply, call: Call) -> Entry:
    """The answer as a whole one."""
    codec = client_codec(call.dialect, call.operation)
    assert codec is not None
    assert reply.usage is not None
    body = codec.write_reply(reply, call)
    return Entry(0.0, TARGET, body, "application/json", reply.usage, Energy(5_000_000))


@pytest.mark.parametrize("client", CLIENTS, ids=str)
@settings(max_examples=40, deadline=None)
@given(reply=PLAIN)
def test_text_is_told_in_both_ways(client, reply):
    whole, stream = (call_of(*client, stream=way) for way in (False, True))
    entry = kept(reply, whole)
    told = as_asked(entry, stream, SPOKEN[client[0]])
    assert told is not None
    assert told.stream
    assert sound(told, stream)
    back = as_asked(told, whole, SPOKEN[client[0]])
    assert back is not None
    assert not back.stream
    before, after = reply_of(entry, whole), reply_of(back, whole)
    assert before is not None
    assert after is not None
    assert before.alternatives == after.alternatives
    assert before.usage == after.usage


@pytest.mark.parametrize("client", CLIENTS, ids=str)
@settings(max_examples=40, deadline=None)
@given(reply=REPLIES.filter(lambda reply: reply.usage is not None))
def test_anything_is_told_as_it_is_or_not_at_all(client, reply):
    whole, stream = (call_of(*client, stream=way) for way in (False, True))
    entry = kept(reply, whole)
    told = as_asked(entry, stream, SPOKEN[client[0]])
    if told is not None:
        before, after = reply_of(entry, whole), reply_of(told, stream)
        assert before is not None
        assert after is not None
        assert _said(before) == _said(after)


def _said(reply: Reply) -> list[list[tuple]]:
    """Parts in order by kind, texts of one kind joined: a stream may cut and order them otherwise."""
    found = []
    for one in reply.alternatives:
        texts: dict[str, str] = {}
        for part in one.parts:
            said = getattr(part, "text", None) or _arguments(part)
            texts[part.kind] = texts.get(part.kind, "") + said
        found.append(sorted((kind, text) for kind, text in texts.items() if text))
    return found


def _arguments(part: object) -> str:
    """As values: text may be escaped in one way or another."""
    text = getattr(part, "arguments", "")
    try:
        return repr(json.loads(text))
    except ValueError:
        return text


@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_each_way_has_this_time_s_energy_once(client):
    dialect = SPOKEN[client[0]]
    whole, stream = (call_of(*client, stream=way) for way in (False, True))
    reply = Reply((Alternative((Text("x" * 50_000),), Stop.END),), "i", "m", 1, USAGE)
    entry = kept(reply, whole)
    first = whole_of(entry, whole, dialect, Energy(5_000_000))
    again = whole_of(replace(entry, body=first), whole, dialect, Energy(1_250_000))
    assert (first.count(b'"energy":5'), again.count(b'"energy":')) == (1, 1)
    assert json.loads(again) == json.loads(first.replace(b'"energy":5', b'"energy":1.25'))
    told = as_asked(entry, stream, dialect)
    assert told is not None
    blocks = list(stream_of(told, stream, dialect, Energy(1_250_000)))
    assert all(len(block) <= BLOCK for block in blocks[:-1])
    assert b"".join(blocks).count(b'"energy":1.25') == 1
    reader = dialect.reader(stream)
    pieces = [*reader.feed(b"".join(blocks)), *reader.end()]
    assert any(piece.finish for piece in pieces)
    assert any(piece.usage == reply.usage for piece in pieces)


@pytest.mark.parametrize("client", CLIENTS, ids=str)
@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"<html>", b'{"choices":[{}]}', b"\xff"])
def test_what_is_no_answer_is_not_sound_and_not_told(client, body):
    whole, stream = (call_of(*client, stream=way) for way in (False, True))
    entry = replace(kept(Reply((), usage=USAGE), whole), body=body)
    assert not sound(entry, whole)
    if client != ("openai", Operation.CHAT) or body != b'{"choices":[{}]}':
        assert as_asked(entry, stream, SPOKEN[client[0]]) is None
