"""Strategies for answers in no provider's shape, and streams cut at every place."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from wattline.wire.parts import Image, Part, Reasoning, Refusal, Text, ToolCall
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage

TEXTS = st.text(min_size=1, max_size=12)
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
BASE64 = st.binary(min_size=1, max_size=6).map(lambda value: b64encode(value).decode())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)

SEALED = st.builds(Reasoning, st.text(max_size=8), signature=TEXTS) | st.builds(
    Reasoning, redacted=TEXTS
)
CALLS = st.lists(
    st.builds(ToolCall, TEXTS, NAMES, st.text(max_size=12), signature=st.none() | TEXTS),
    max_size=3,
)


@st.composite
def thoughts(draw: st.DrawFn) -> list[Reasoning]:
    """Blocks of thought that stay apart: unsigned text only where a signed or redacted block follows
    that is none of its own.
    """
    if draw(st.booleans()):
        return draw(st.lists(st.builds(Reasoning, TEXTS), max_size=1))
    return draw(st.lists(SEALED, max_size=3))


@st.composite
def alternatives(draw: st.DrawFn) -> Alternative:
    """One alternative in the order that a chat message keeps."""
    parts: list[Part] = [*draw(thoughts())]
    parts += draw(st.lists(st.builds(Text, TEXTS), max_size=1))
    parts += draw(st.lists(st.builds(Refusal, TEXTS), max_size=1))
    parts += draw(st.lists(st.builds(Image, st.just("image/png"), BASE64), max_size=2))
    calls = draw(CALLS)
    stops = (Stop.TOOL_CALLS,) if calls else (Stop.END, Stop.LENGTH, Stop.FILTERED)
    return Alternative((*parts, *calls), draw(st.sampled_from(stops)))


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Counts that can be true."""
    cached, written, rest, reasoning, seen = (draw(st.integers(0, 999)) for _ in range(5))
    return Usage(cached + written + rest, reasoning + seen, cached, reasoning, written=written)


REPLIES = st.builds(
    Reply,
    st.lists(alternatives(), min_size=1, max_size=3).map(tuple),
    id=TEXTS,
    model=TEXTS,
    created=st.integers(1, 2**40),
    usage=st.none() | usages(),
)


def every_cut(feed: Callable[[], Callable[[bytes], Sequence[Any]]], data: bytes) -> list[list[Any]]:
    """What fresh readers make of `data`: whole, byte by byte, and in two parts cut at each place."""
    results = [list(feed()(data))]
    read = feed()
    results.append([item for byte in data for item in read(bytes([byte]))])
    for cut in range(1, len(data)):
        read = feed()
        results.append([*read(data[:cut]), *read(data[cut:])])
    return results
