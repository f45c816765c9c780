from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.engine.prompt_cache import LEAST, SHORT, SHOWN, Block, PromptCaches, differs
from wattline.wire.usage import Usage, UsageSource

WHO = ("ann", "m", "x-session-id 00")
HERE, THERE = ("a", "m"), ("b", "m")


def prompt(*digests: str):
    """`t1 s m1`: a tool, a part of the system message, a message."""
    kinds = {"t": "tool", "s": "system", "m": "message"}
    counts: dict[str, int] = {}
    found = []
    for digest in digests:
        kind = kinds[digest[0]]
        index = counts.get(kind, 0)
        counts[kind] = index + 1
        found.append(Block(kind, index, "user" if kind == "message" else "", digest.encode(), 1))
    return tuple(found)


FIRST = prompt("t1", "t2", "s1", "m1", "m2")


def judged(after, cached=0, *, before=FIRST, place=HERE, gap=10.0, tokens=4_000, reporting=True):
    caches = PromptCaches()
    if reporting:
        caches.seen(("x", "x", "x"), (), HERE, Usage(1, 1, 1), 0.0, 0.0)
    caches.seen(WHO, before, HERE, Usage(tokens, 10), 0.0, 0.0)
    usage = Usage(tokens + 100, 10, cached)
    broken = caches.seen(WHO, after, place, usage, gap, 1.0, lambda lost: lost / 1_000)
    assert caches.conversations()[0].lost == (broken.lost if broken else 0)
    return broken


@pytest.mark.parametrize(
    ("after", "code", "text", "index"),
    [
        (prompt("t1", "t2", "s2", "m1", "m2"), "system", "system changed, in its part 0", 0),
        (prompt("t2", "t1", "s1", "m1"), "tools_order", "tool list reordered, from tool 0", 0),
        (prompt("t1", "t9", "s1", "m1"), "tools", "tool list changed: tool 1 differs", 1),
        (prompt("t1", "s1", "m1"), "tools", "tool list changed: 2 tools, now 1", 1),
        (
            prompt("t1", "t2", "t3", "s1"),
            "tools",
            "tool list changed: 2 tools, now 3",
            0,
        ),
        (prompt("t1", "t2", "s1", "m1", "m9"), "message", "message 1 differs (user)", 1),
        (prompt("t1", "t2", "s1", "m1"), "shortened", "messages from 1 on were left out", 1),
    ],
)
def test_which_block_broke_it(after, code, text, index):
    broken = judged(after)
    assert (broken.code, broken.text, broken.index) == (code, text, index)
    assert (broken.lost, broken.dollars) == (4_000, 4.0)


def test_what_was_read_is_not_lost():
    assert judged(prompt("t1", "t2", "s1", "m9"), cached=3_000).lost == 1_000


LONGER = (*FIRST, *prompt("m1", "m2", "m3")[2:])


def test_an_unchanged_prompt_that_was_read_is_no_break():
    assert judged(LONGER, cached=3_968) is None
    assert judged(LONGER, cached=3_700) is None, "providers keep whole blocks of tokens"


def test_an_unchanged_prompt_that_was_not_read():
    assert judged(LONGER, place=THERE).text == "another target: a/m answered the call before"
    assert judged(LONGER, gap=SHORT + 1).code == "expired"
    assert judged(LONGER).code == "not_kept"


def test_where_nothing_was_ever_told_of_a_cache_nothing_is_made_of_it():
    assert judged(LONGER, reporting=False) is None
    assert judged(prompt("s2"), reporting=False).code == "tools"


def test_short_prompts_are_never_kept():
    assert judged(prompt("s2"), tokens=LEAST - 1) is None


def test_estimates_say_nothing():
    caches = PromptCaches()
    guess = Usage(5_000, 1, source=UsageSource.ESTIMATED)
    assert caches.seen(WHO, FIRST, HERE, guess, 0.0, 0.0) is None
    assert caches.conversations() == []


def test_it_is_bounded():
    caches = PromptCaches(most=3)
    for number in range(10):
        caches.seen(("p", "m", str(number)), FIRST, HERE, Usage(5_000, 1), 0.0, 0.0)
    assert [c.name for c in caches.conversations()] == ["9", "8", "7"]
    for number in range(30):
        caches.seen(("p", "m", "9"), prompt(f"s{number}"), HERE, Usage(5_000, 1), 0.0, 0.0)
    found = caches.conversations()[0]
    assert (len(found.breaks), found.causes["system"]) == (SHOWN, 29)


TEXTS = st.lists(st.sampled_from(["t1", "t2", "s1", "s2", "m1", "m2", "m3"]), max_size=6)


@given(TEXTS, TEXTS, st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_any_two_prompts(before, after, first, second, cached):
    caches = PromptCaches()
    caches.seen(WHO, prompt(*before), HERE, Usage(first, 1), 0.0, 0.0)
    broken = caches.seen(WHO, prompt(*after), HERE, Usage(second, 1, cached), 1.0, 0.0)
    if broken is not None:
        assert 0 < broken.lost <= min(first, second)
    at = differs(prompt(*before), prompt(*after))
    assert (at is None) == (after[: len(before)] == before)
