from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.decisions import a_call
from wattline.dialects.base import Answer
from wattline.engine.meter import Meter, estimate_tokens
from wattline.wire.piece import Mark, Piece
from wattline.wire.usage import MAX_TOKENS, Usage, UsageSource


def meter(prompt: int = 9) -> Meter:
    return Meter(a_call(stream=True), prompt)


def text(characters: int, **said) -> Piece:
    return Piece(Mark.OUTPUT, b"data: x\n\n", characters, **said)


def said(*counts: int) -> Piece:
    return Piece(Mark.USAGE, b"data: u\n\n", usage=Usage(*counts))


BAD = Piece(Mark.USAGE, b"data: u\n\n", bad_usage=True)


def estimated(prompt: int, completion: int) -> Usage:
    return Usage(prompt, completion, source=UsageSource.ESTIMATED)


def run(*pieces: Piece, ended: bool = True, prompt: int = 9):
    found = meter(prompt)
    for piece in pieces:
        found.see(piece)
    return found.usage(ended)


def test_the_providers_word_counts():
    """A-055."""
    assert run(text(4), text(4), said(12, 2)) == (Usage(12, 2), ())


def test_a_count_that_comes_twice_or_grows_is_its_last_value():
    assert run(text(4, usage=Usage(12, 1)), text(4, usage=Usage(12, 2)), said(12, 2)) == (
        Usage(12, 2),
        (),
    )


def test_zero_is_zero():
    assert run(text(400), said(0, 0)) == (Usage(0, 0), ())
    assert run(text(400), said(0, 0), ended=False) == (Usage(0, 0), ())


def test_no_count_is_an_estimate():
    assert run(text(5), text(5), text(2)) == (estimated(9, 3), ("no_usage",))
    assert run(text(400)) == (estimated(9, 100), ("no_usage",))
    assert run() == (estimated(9, 0), ("no_usage",))


def test_an_event_is_at_least_one_token():
    assert run(*[text(1)] * 50) == (estimated(9, 50), ("no_usage",))
    assert run(*[Piece(Mark.STARTUP, b": ping\n\n")] * 50) == (estimated(9, 0), ("no_usage",))


def test_a_count_that_can_not_be_true_is_replaced_by_an_estimate():
    assert run(text(40), BAD) == (estimated(9, 10), ("bad_usage",))


def test_a_bad_count_beside_a_good_one_is_flagged():
    assert run(text(40), said(9, 8), BAD) == (Usage(9, 8), ("bad_usage",))
    assert run(text(40), BAD, said(9, 8)) == (Usage(9, 8), ("bad_usage",))


def test_output_after_the_last_count_of_a_broken_stream_is_added():
    """Usage so far is metered when a stream is cut: interim counts alone would be too low."""
    pieces = (text(4, usage=Usage(12, 1, cached=5)), text(40), text(40))
    assert run(*pieces, ended=False) == (
        Usage(12, 21, cached=5, source=UsageSource.ESTIMATED),
        ("partial_usage",),
    )
    assert run(*pieces) == (Usage(12, 1, cached=5), ())


def test_a_stream_cut_after_its_last_count_is_exact():
    assert run(text(4), text(4), said(12, 2), ended=False) == (Usage(12, 2), ())


def test_a_whole_answer():
    """A-050: the same for an answer that is not streamed."""
    cases = [
        (Answer(Usage(3, 4), output=100), (Usage(3, 4), ())),
        (Answer(Usage(0, 0), output=100), (Usage(0, 0), ())),
        (Answer(None, output=10), (estimated(9, 3), ("no_usage",))),
        (Answer(None, bad_usage=True, output=10), (estimated(9, 3), ("bad_usage",))),
        (Answer(None), (estimated(9, 0), ("no_usage",))),
    ]
    for answer, wanted in cases:
        found = meter()
        found.answer(answer)
        assert found.usage(ended=True) == wanted


@pytest.mark.parametrize("prompt", [-5, 0, MAX_TOKENS * 10])
def test_estimates_stay_within_bounds(prompt):
    usage, _ = run(text(10**15), prompt=prompt)
    assert usage == estimated(min(max(prompt, 0), MAX_TOKENS), MAX_TOKENS)
    partial, _ = run(said(5, MAX_TOKENS), text(10**15), ended=False)
    assert partial.completion == MAX_TOKENS


@pytest.mark.parametrize(
    ("characters", "tokens"), [(0, 0), (-3, 0), (1, 1), (4, 1), (5, 2), (10**18, MAX_TOKENS)]
)
def test_about_four_characters_a_token(characters, tokens):
    assert estimate_tokens(characters) == tokens


def test_asking_does_not_change_it():
    found = meter()
    found.see(text(8))
    assert found.usage(ended=False) == found.usage(ended=False)
    assert repr(found) == "<Meter call_1 9+2 no_usage>"


PIECES = st.builds(
    Piece,
    st.sampled_from(Mark),
    st.just(b"data\n\n"),
    st.integers(-5, 50),
    st.none() | st.builds(Usage, st.integers(0, 99), st.integers(0, 99)),
    st.booleans(),
)


@given(st.lists(PIECES, max_size=30), st.booleans())
def test_against_the_plain_rules(pieces, ended):
    usage, flags = run(*pieces, ended=ended)
    counts = [index for index, piece in enumerate(pieces) if piece.usage is not None]
    after = [p.output for p in pieces[counts[-1] + 1 if counts else 0 :] if p.output > 0]
    tokens = max(len(after), -(-sum(after) // 4))
    if not counts:
        assert usage == estimated(9, tokens)
        assert len(flags) == 1
    else:
        last = pieces[counts[-1]].usage
        assert last is not None
        assert usage.prompt == last.prompt
        assert usage.completion == last.completion + (0 if ended else tokens)
        assert ("partial_usage" in flags) == (not ended and tokens > 0)
    assert ("bad_usage" in flags) == any(piece.bad_usage for piece in pieces)
