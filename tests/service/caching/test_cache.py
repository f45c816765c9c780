"""E-122: the key and the store, without any I/O."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.clock import ManualClock
from wattline.base.origin import AuthStyle, Origin
from wattline.dialects.base import Energy
from wattline.rules.book import Book
from wattline.rules.compiled.provider import Provider, Timeouts
from wattline.rules.compiled.target import Target
from wattline.rules.compiled.upkeep import CacheRules
from wattline.rules.load import load
from wattline.service.caching.cache import ENTRY_COST, Cache, Entry, Key, canonical, digest_of
from wattline.service.caching.caching import Filling, share_of
from wattline.wire.call import Call, Operation, Principal
from wattline.wire.usage import Usage

CALL = Call(
    id="req_1",
    dialect="openai",
    operation=Operation.CHAT,
    method="POST",
    host="127.0.0.1",
    path="/v1/chat/completions",
    model="m",
    stream=False,
    principal=Principal("ann"),
)
BODY = b'{"model":"m","temperature":0}'
HEADERS = (("anthropic-version", "2023-06-01"), ("user-agent", "x"))

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=3), values, max_size=4)


def digest(
    body: bytes = BODY,
    call: Call = CALL,
    headers: Any = HEADERS,
    rule: str = "r",
    version: str = "v",
) -> bytes:
    return digest_of(call, headers, body, rule, version)


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reordered(value[name]) for name in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def strict(value: Any) -> Any:
    """With the kinds told apart that Python's `==` joins: 1, 1.0 and True."""
    if isinstance(value, dict):
        return {name: strict(item) for name, item in value.items()}
    if isinstance(value, list):
        return [strict(item) for item in value]
    return type(value).__name__, repr(value)


@given(objects, objects)
def test_bodies_have_one_key_only_if_they_are_the_same(one, two):
    kept = [{k: v for k, v in body.items() if k != "stream"} for body in (one, two)]
    same = strict(kept[0]) == strict(kept[1])
    assert (digest(json.dumps(one).encode()) == digest(json.dumps(two).encode())) == same


@given(objects)
def test_the_order_of_members_and_white_space_do_not_matter(body):
    spaced = json.dumps(reordered(body), indent=3, ensure_ascii=True).encode()
    assert digest(json.dumps(body, ensure_ascii=True).encode()) == digest(spaced)


@given(objects)
def test_how_an_answer_comes_is_no_part_of_the_key_but_only_at_the_top(body):
    body.pop("stream", None)
    streamed = body | {"stream": True, "stream_options": {"include_usage": True}}
    assert digest(json.dumps(body).encode()) == digest(json.dumps(streamed).encode())
    inner = [json.dumps({"x": one}).encode() for one in (body, streamed)]
    assert digest(inner[0]) != digest(inner[1])


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (b'{"a":0.1}', b'{"a":0.10000000000000001}'),
        (b'{"a":9007199254740993}', b'{"a":9007199254740992.0}'),
        (b'{"a":' + b"9" * 5000 + b"}", b'{"a":' + b"9" * 4999 + b"8}"),
        (b'{"a":0}', b'{"a":"0"}'),
        (b'{"a":0}', b'{"a":-0}'),
        (b'{"a":1}', b'{"a":true}'),
        (b'{"a":null}', b"{}"),
        (b'{"a":"null"}', b'{"a":null}'),
        (b'{"a":[1,2]}', b'{"a":[2,1]}'),
        (b'{"a":[[],1]}', b'{"a":[[1]]}'),
        (b'{"a":"1,2"}', b'{"a":"1","2":""}'),
        (b'{"a":"\\ud800"}', b'{"a":"\\ud801"}'),
        (b'{"a":"x' + b"y" * 100_000 + b'1"}', b'{"a":"x' + b"y" * 100_000 + b'2"}'),
    ],
)
def test_nothing_is_rounded_joined_or_cut(one, two):
    assert digest(one) != digest(two)
    assert digest(one) == digest(b" " + one + b"\n")


def test_escapes_are_the_characters_that_they_stand_for():
    assert digest('{"é":"\\/"}'.encode()) == digest(b'{"\\u00e9":"/"}')


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a":1}x'])
def test_what_is_no_json_has_no_key(body):
    with pytest.raises(ValueError):  # noqa: PT011 - json's own
        canonical(body)


OTHERS: dict[str, dict[str, Any]] = {
    "principal": {"call": replace(CALL, principal=Principal("anne"))},
    "dialect": {"call": replace(CALL, dialect="anthropic")},
    "operation": {"call": replace(CALL, operation=Operation.COMPLETION)},
    "path": {"call": replace(CALL, path="/v1/completions")},
    "model": {"call": replace(CALL, model="n")},
    "host": {"call": replace(CALL, forward=True)},
    "rule": {"rule": "s"},
    "version": {"version": "w"},
    "header": {"headers": (("anthropic-version", "2023-06-02"),)},
    "header more": {"headers": (*HEADERS, ("anthropic-beta", "x"))},
    "header other": {"headers": (("openai-beta", "2023-06-01"),)},
    "header moved": {"headers": (("anthropic-beta", "a"), *HEADERS)},
    "header two": {"headers": (*HEADERS, ("anthropic-beta", "a"), ("anthropic-beta", "b"))},
}


def test_all_that_an_answer_depends_on_is_in_the_key():
    found = [digest(), *(digest(**other) for other in OTHERS.values())]
    assert len(set(found)) == len(found)
    assert all(len(one) == 32 for one in found)


@given(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))
def test_no_text_can_pose_as_two(one, two, three, four):
    def of(principal: str, rule: str) -> bytes:
        return digest(call=replace(CALL, principal=Principal(principal)), rule=rule)

    assert (of(one, two) == of(three, four)) == ((one, two) == (three, four))


@given(st.text(min_size=63, max_size=80), st.text(min_size=1, max_size=2), st.text(max_size=2))
def test_principals_with_a_long_common_start_are_two(start, one, two):
    """CVE-2026-35030: a key of a part of the name would be one for both."""
    found = [digest(call=replace(CALL, principal=Principal(start + end))) for end in (one, two)]
    assert (found[0] == found[1]) == (one == two)


def test_what_changes_nothing_is_not_in_the_key():
    assert digest() == digest(headers=(*HEADERS, ("accept", "text/event-stream")))
    assert digest() == digest(call=replace(CALL, id="req_2", stream=True, wants_usage=True))
    paths = [
        f"/v1beta/models/x:{method}" for method in ("generateContent", "streamGenerateContent")
    ]
    assert len({digest(call=replace(CALL, path=path)) for path in paths}) == 1


PROVIDER = Provider(
    name="p",
    dialect="openai",
    origin=Origin("https", "p.test", 443),
    base_path="",
    auth=AuthStyle.NONE,
    credential=None,
    windows=(),
    timeouts=Timeouts(),
)
RULES = "providers:\n  p: {url: 'https://p.test'}\nrules: [{name: all, try: model}]\n"


def book(version: str = "v", **more: Any) -> Book:
    return replace(load(RULES, env={}), version=version, cache=CacheRules(enabled=True, **more))


def cache_of(**more: Any) -> Cache:
    cache = Cache(ManualClock())
    cache.follow(book(**more))
    return cache


def entry(cache: Cache, size: int = 10) -> Entry:
    return Entry(
        cache.clock.monotonic(),
        Target(PROVIDER, "up", "m"),
        b"x" * size,
        "application/json",
        Usage(1, 2),
        Energy(3),
    )


def key(number: int) -> Key:
    return Key(number.to_bytes(32), stream=False)


def test_an_entry_is_found_until_it_is_too_old():
    """E-005: caching."""
    cache = cache_of(ttl=10.0)
    assert cache.find(key(1)) is None
    cache.keep(key(1), kept := entry(cache), "v")
    cache.clock.advance(9.9)
    assert cache.find(key(1)) is kept
    assert cache.find(Key(key(1).digest, stream=True)) is None
    cache.clock.advance(0.1)
    assert cache.find(key(1)) is None
    assert (len(cache), cache.size) == (0, 0)


def test_the_one_not_asked_for_longest_goes_first():
    cache = cache_of(max_entries=3)
    for number in range(3):
        cache.keep(key(number), entry(cache), "v")
    cache.find(key(0))
    cache.keep(key(3), entry(cache), "v")
    assert [cache.find(key(number)) is not None for number in range(4)] == [True, False, True, True]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20_000)), max_size=60))
def test_its_bounds_hold_whatever_comes(puts):
    cache = cache_of(max_entries=6, max_bytes=100_000)
    for number, size in puts:
        made = entry(cache, size)
        cache.keep(key(number), made, "v")
        assert len(cache) <= 6
        assert cache.size <= 100_000
        fits = made.size <= 100_000 // 8
        assert (cache.find(key(number)) is made) == fits
    total = sum(one.size for n in range(10) if (one := cache.find(key(n))) is not None)
    assert cache.size == total


def test_other_rules_find_nothing_of_the_old_ones():
    cache = cache_of()
    cache.keep(key(1), entry(cache), "v")
    cache.follow(book("v"))
    assert len(cache) == 1
    cache.follow(book("w"))
    assert (len(cache), cache.size) == (0, 0)
    cache.keep(key(1), entry(cache), "v")  # it was under way when the rules changed
    assert len(cache) == 0


def test_answers_under_way_have_a_bound_together():
    cache = cache_of(max_bytes=65_536)
    room = 65_536 // 8 - ENTRY_COST
    fillings = [Filling(cache) for _ in range(20)]
    for filling in fillings:
        for _ in range(7):
            filling.see(b"x" * 1000)
        assert cache.filling <= 65_536
    assert room < 7_000
    assert cache.filling == 0  # each was too large by itself
    for filling in fillings:
        filling.close()
    small = [Filling(cache) for _ in range(20)]
    for filling in small:
        filling.see(b"x" * 6_000)
        assert cache.filling <= 65_536
    assert cache.filling == 60_000
    for filling in small:
        filling.close()
        filling.close()
    assert cache.filling == 0


@pytest.mark.parametrize(
    ("micro", "share", "cost"),
    [
        (31_500_000, "0.25", 7_875_000),
        (3, "0.5", 2),
        (1, "0.5", 0),
        (5, "1", 5),
        (5, "0", 0),
        (None, "0.5", None),
        (None, "0", 0),
    ],
)
def test_a_share_is_exact_and_rounded_half_to_even(micro, share, cost):
    assert share_of(Energy(micro), Fraction(share)) == Energy(cost)


def test_what_it_shows_of_itself_holds_no_answer():
    cache = cache_of()
    made = entry(cache)
    cache.keep(key(1), made, "v")
    assert "xxx" not in repr(made) + repr(cache) + repr(Filling(cache))
