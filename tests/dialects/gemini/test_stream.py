"""Streams of streamGenerateContent, at every chunk boundary."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.gemini_calls import DIALECT, call
from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import EventTooLarge
from wattline.wire.usage import Usage


def event(candidates: Any, usage: Any = None, **more: Any) -> bytes:
    value = {"candidates": candidates, "usageMetadata": usage, **more, "modelVersion": "gemini-x"}
    kept = {key: inner for key, inner in value.items() if inner is not None}
    return b"data: " + json.dumps(kept).encode() + b"\r\n\r\n"


def said(*parts: Any, finish: str | None = None, index: int | None = 0) -> list[dict[str, Any]]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}}
    if finish is not None:
        candidate["finishReason"] = finish
    if index is not None:
        candidate["index"] = index
    return [candidate]


def text(value: str) -> dict[str, str]:
    return {"text": value}


PROMPT = {"promptTokenCount": 8, "totalTokenCount": 8}
LAST = {
    "promptTokenCount": 8,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 20,
    "cachedContentTokenCount": 3,
    "totalTokenCount": 33,
}
CALL = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}

STREAM = [
    (event(said(text("")), PROMPT), Mark.STARTUP, 0),
    (event(said({"text": "Hm", "thought": True}), PROMPT), Mark.OUTPUT, 2),
    (event(said(text("Hello"), CALL), PROMPT), Mark.OUTPUT, 5 + len('{"name": "f", "args": {}}')),
    (event(said(text(" wörld"), finish="STOP"), LAST), Mark.USAGE, 6),
]
RAW = b"".join(raw for raw, _, _ in STREAM)


def pieces(*chunks: bytes) -> list[Piece]:
    reader = DIALECT.reader(call("streamGenerateContent"))
    return [piece for chunk in chunks for piece in reader.feed(chunk)]


def test_a_stream() -> None:
    found = pieces(RAW)
    assert [(piece.raw, piece.mark, piece.output) for piece in found] == STREAM
    assert [piece.finish for piece in found] == [False, False, False, True]
    assert found[0].usage is None
    assert found[1].usage == Usage(8, 0)
    assert found[3].usage == Usage(8, 25, 3, 20)
    assert {piece.model for piece in found} == {"gemini-x"}


def test_every_chunk_boundary() -> None:
    whole = pieces(RAW)
    for cut in range(len(RAW) + 1):
        assert pieces(RAW[:cut], RAW[cut:]) == whole
    assert pieces(*(RAW[i : i + 1] for i in range(len(RAW)))) == whole


@given(st.lists(st.integers(0, len(RAW)), max_size=8))
def test_any_chunks(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(RAW)]
    assert pieces(*(RAW[a:b] for a, b in pairwise(edges))) == pieces(RAW)


def test_what_comes_after_a_finish_lets_the_held_event_out() -> None:
    """Some servers give each event a finish reason."""
    first, second = (event(said(text(x), finish="STOP"), LAST) for x in "ab")
    found = pieces(first + second)
    assert [(piece.mark, piece.raw) for piece in found] == [
        (Mark.USAGE, first),
        (Mark.OUTPUT, first),
        (Mark.USAGE, second),
    ]
    assert [piece.output for piece in found] == [1, 0, 1]  # metered once


def test_all_candidates_must_finish() -> None:
    both = said(text("a")) + said(text("b"), index=1)
    found = pieces(
        event(both, PROMPT)
        + event(said(text("c"), finish="STOP"), PROMPT)
        + event(said(finish="MAX_TOKENS", index=1), LAST)
    )
    assert [piece.finish for piece in found] == [False, False, True]
    assert [piece.mark for piece in found] == [Mark.OUTPUT, Mark.OUTPUT, Mark.USAGE]


def test_a_finish_without_usage_is_output() -> None:
    (only,) = pieces(event(said(text("a"), finish="STOP")))
    assert (only.mark, only.finish, only.usage) == (Mark.OUTPUT, True, None)
    *_, after = pieces(event(said(text("a"), finish="STOP")) + event(None, LAST))
    assert (after.mark, after.usage) == (Mark.USAGE, Usage(8, 25, 3, 20))


def test_a_refused_prompt_is_an_answer() -> None:
    (only,) = pieces(event(None, PROMPT, promptFeedback={"blockReason": "SAFETY"}))
    assert (only.mark, only.finish, only.usage) == (Mark.USAGE, True, Usage(8, 0))
    (bare,) = pieces(event(None, promptFeedback={"blockReason": "SAFETY"}))
    assert (bare.mark, bare.finish) == (Mark.OUTPUT, True)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ({"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}, "rate_limit"),
        ({"status": "RESOURCE_EXHAUSTED"}, "rate_limit"),
        ({"code": 503, "status": "UNAVAILABLE"}, "overloaded"),
        ({"code": 401, "status": "UNAUTHENTICATED"}, "authentication"),
        ({"code": 403, "status": "PERMISSION_DENIED"}, "permission"),
        ({"code": 400, "status": "INVALID_ARGUMENT"}, "invalid_request"),
        ({"code": 504, "status": "DEADLINE_EXCEEDED"}, "timeout"),
        ({"code": 500, "status": "INTERNAL"}, "server_error"),
        ("odd", "server_error"),
    ],
)
def test_errors_inside_the_stream(error: Any, word: str) -> None:
    value = json.dumps({"error": error}).encode()
    for raw in (b"data: " + value + b"\n\n", value + b"\n\n", b"data: [" + value + b"]\n\n"):
        (piece,) = pieces(raw)
        assert (piece.mark, piece.error, piece.raw) == (Mark.ERROR, word, raw)


@pytest.mark.parametrize(
    "raw",
    [b"data: nonsense\n\n", b"data: 3\n\n", b"data: []\n\n", b'data: {"x":1}\n\n', b"data: {}\n\n"],
)
def test_malformed_events(raw: bytes) -> None:
    assert [piece.mark for piece in pieces(raw)] == [Mark.MALFORMED]


def test_comments_and_foreign_end_markers() -> None:
    found = pieces(b": ping\n\n" + RAW + b"data: [DONE]\n\n" + RAW)
    assert found[0].mark is Mark.STARTUP
    assert found[5].mark is Mark.END
    assert {piece.mark for piece in found[6:]} == {Mark.MALFORMED}


@pytest.mark.parametrize("bad", [-1, 1.5, True, "5", 10**10])
def test_usage_that_cannot_be_true(bad: Any) -> None:
    (piece,) = pieces(event(said(text("a"), finish="STOP"), LAST | {"candidatesTokenCount": bad}))
    assert (piece.usage, piece.bad_usage, piece.mark) == (None, True, Mark.OUTPUT)


def test_odd_shapes_are_read_slowly() -> None:
    odd = [{"content": {"parts": [{"text": "abc"}, {"text": 3}, 4, CALL]}, "finishReason": 1}, 5]
    (piece,) = pieces(event(odd, LAST))
    assert (piece.mark, piece.finish, piece.usage) == (Mark.USAGE, True, Usage(8, 25, 3, 20))
    assert piece.output > 3


KEYS = st.sampled_from(
    [
        "candidates",
        "content",
        "parts",
        "text",
        "finishReason",
        "index",
        "usageMetadata",
        "error",
        "promptFeedback",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(KEYS, JSON, max_size=4), max_size=4))
def test_garbage_never_raises_and_no_byte_is_lost(values: list[Any]) -> None:
    raws = [b"data: " + json.dumps(value).encode() + b"\n\n" for value in values]
    found = pieces(b"".join(raws))
    seen = [piece.raw for piece in found]
    assert [raw for raw in dict.fromkeys(raws) if raw not in seen] == []


def test_the_end_of_the_body_ends_the_last_event() -> None:
    for cut in range(1, 5):
        reader = DIALECT.reader(call("streamGenerateContent"))
        before = reader.feed(RAW[:-cut])
        after = [*reader.end(), *reader.end()]
        held = [piece for piece in [*before, *after] if piece.mark is Mark.USAGE]
        assert [piece.usage for piece in held] == [Usage(8, 25, 3, 20)]
    reader = DIALECT.reader(call("streamGenerateContent"))
    assert reader.feed(b'{\n"error": {"code": 503,\n"status": "UNAVAILABLE"}\n}\n') == []
    assert [piece.error for piece in reader.end()] == ["overloaded"]
    reader = DIALECT.reader(call("streamGenerateContent"))
    reader.feed(RAW[:-9])
    assert reader.end() == []


def test_an_event_is_bounded() -> None:
    with pytest.raises(EventTooLarge):
        pieces(b"data: " + b"x" * (9 * 1024 * 1024))


def test_a_million_events_are_linear() -> None:
    reader = DIALECT.reader(call("streamGenerateContent"))
    raw = event(said(text("a")), PROMPT) * 1000
    assert sum(len(reader.feed(raw)) for _ in range(100)) == 100_000
