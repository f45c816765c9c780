"""B-170: pictures by URL in OpenAI's requests, replaced in the client's own bytes."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.errors import OurFault
from wattline.base.strict_json import read_object
from wattline.dialects.openai.image_urls import (
    find_image_urls,
    inline_images,
    unreadable_image,
)
from wattline.wire.pictures import Fetched

PNG = Fetched("image/png", b"\x89PNG\r\n\x1a\nx")
DATA = "data:image/png;base64,iVBORw0KGgp4"
URL = "https://h.test/a.png?x=1"

CHAT = b"""{ "model" : "m", "x": 1.50, "messages":[
  {"role":"user","content":"https://h.test/a.png?x=1"},
  {"role": "user", "content": [ {"type":"text","text":"https://h.test/a.png?x=1"} ,
     {"type":"image_url" , "image_url": {"detail":"low", "url" : "https:\\/\\/h.test/a.png?x=1" } , "z":[ ]},
     {"type":"image_url","image_url":"HTTP://h.test/b.png"}, {"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}
  ]} ], "url":"https://h.test/a.png?x=1" }"""

RESPONSES = (
    b'{"input":[{"role":"user","content":[{"type":"input_image","image_url":"https://h.test/a.png?x=1",'
    b'"detail":"auto"},{"type":"input_image","file_id":"f"}]},{"type":"function_call_output","call_id":"c",'
    b'"output":[{"type":"input_image","image_url":"https://h.test/a.png?x=1"}]}],"model":"m"}'
)


def found(raw: bytes) -> list[tuple[str, str]]:
    return [(place.url, place.param) for place in find_image_urls(read_object(raw, max_depth=64))]


def inlined(raw: bytes, *urls: str) -> bytes:
    places = find_image_urls(json.loads(raw))
    return inline_images(raw, places, dict.fromkeys(urls, PNG))


def test_urls_are_found_with_their_fields() -> None:
    assert found(CHAT) == [
        (URL, "messages[1].content[1].image_url.url"),
        ("HTTP://h.test/b.png", "messages[1].content[2].image_url"),
    ]
    assert found(RESPONSES) == [
        (URL, "input[0].content[0].image_url"),
        (URL, "input[1].output[0].image_url"),
    ]


def test_only_the_urls_bytes_change() -> None:
    quoted = f'"{DATA}"'.encode()
    one = CHAT.replace(rb'"https:\/\/h.test/a.png?x=1"', quoted)
    assert inlined(CHAT, URL) == one
    assert inlined(CHAT, URL, "HTTP://h.test/b.png") == one.replace(
        b'"HTTP://h.test/b.png"', quoted
    )
    assert inlined(RESPONSES, URL) == RESPONSES.replace(f'"{URL}"'.encode(), quoted)


def test_nothing_fetched_changes_nothing() -> None:
    assert inlined(CHAT) is CHAT
    assert inlined(CHAT, "https://other.test/") is CHAT


def test_lone_surrogates_and_other_scripts_stay() -> None:
    raw = (
        '{"messages":[{"role":"user","content":[{"type":"text","text":"ü\\ud800 ["},'
        f'{{"type":"image_url","image_url":{{"url":"{URL}"}}}}]}}],"é":"\\ud83d"}}'
    ).encode()
    assert inlined(raw, URL) == raw.replace(URL.encode(), DATA.encode())


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(URL),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "input", "content", "output", "type", "image_url", "url", "image_url"]
            ),
            inner | st.sampled_from(["image_url", "input_image"]),
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(st.dictionaries(st.sampled_from(["messages", "input", "model"]), NESTED))
def test_any_body_keeps_its_shape(body) -> None:
    raw = json.dumps(body, indent=1).encode()
    places = find_image_urls(body)
    after = json.loads(inline_images(raw, places, {URL: PNG}))
    for place in places:
        holder = body
        for step in place.path[:-1]:
            holder = holder[step]
        holder[place.path[-1]] = DATA
    assert after == body


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": None, "input": 3},
        {"messages": {"content": []}},
        {"messages": [None, 1, "x", [], {}, {"content": None}, {"content": [None, 1, [], {}]}]},
        {"messages": [{"content": [{"type": "image_url"}, {"type": ["image_url"]}]}]},
        {"messages": [{"content": [{"type": "image_url", "image_url": {"url": 3}}]}]},
        {"messages": [{"content": [{"type": "image_url", "image_url": [URL]}]}]},
        {"messages": [{"content": [{"type": "image_url", "image_url": {"url": "httpx://x"}}]}]},
        {"messages": [{"content": [{"type": "file", "image_url": {"url": URL}}]}]},
        {"input": "https://h.test/a.png"},
    ],
)
def test_wrong_types_hold_no_pictures(body) -> None:
    assert find_image_urls(body) == ()


def test_places_of_another_body_are_our_fault() -> None:
    places = find_image_urls(json.loads(CHAT))
    for raw in (
        b"{}",
        b'{"messages":[]}',
        b'{"messages":{}}',
        b'{"messages":[{},{"content":[1,2]}]}',
    ):
        with pytest.raises(OurFault):
            inline_images(raw, places, {URL: PNG})


def test_large_bodies_are_read_once() -> None:
    """32 pictures among 20,000 messages: not their product."""
    part = {"type": "image_url", "image_url": {"url": URL}}
    plain = [{"role": "user", "content": "x" * 100}] * 20_000
    pictured = [{"role": "user", "content": [part]}] * 32
    raw = json.dumps({"messages": plain + pictured}).encode()
    began = time.monotonic()
    after = inlined(raw, URL)
    assert time.monotonic() - began < 3
    assert after.count(DATA.encode()) == 32


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", " http://127.0.0.1/", "http:127.0.0.1", "//a.test/b.png", ""]
)
def test_a_url_that_names_no_picture_is_told_by_its_field(url):
    """A lax provider might fetch what we do not."""
    part = {"type": "image_url", "image_url": {"url": url}}
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, part]}]}
    assert unreadable_image(body) == "messages[0].content[1].image_url.url"
    for fine in ("https://a.test/b.png", "data:image/png;base64,AAAA"):
        part["image_url"]["url"] = fine
        assert unreadable_image(body) is None
