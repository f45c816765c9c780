from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, example, given
from hypothesis import strategies as st

from wattline.dialects.lead import Lead
from wattline.dialects.seam import LEAST, Seam

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80) | st.text(
    "ab \n\tÄ漢😀", max_size=80
)


def cut(text: str, places: list[int]) -> list[str]:
    """The text in pieces, cut at these places."""
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(edges)]


def joined(seam: Seam, pieces: list[str]) -> str:
    return "".join(seam.feed(piece) for piece in pieces) + seam.end()


@given(TEXTS, st.integers(0, 80), st.lists(st.integers(0, 80), max_size=6))
@example("Hello \n world", 7, [1])
@example("a" * 80, 40, [])
def test_a_target_that_goes_on_loses_and_doubles_nothing(
    text: str, at: int, places: list[int]
) -> None:
    """It goes on from what it was given; white space at the end of that it was not given."""
    so_far = text[:at]
    lead = Lead(so_far)
    rest = text[len(lead.sent) :]
    # A text that says all of itself again right there is what the rule is about; see below.
    assume(not (Seam(lead.sent, "")._wholes and rest.startswith(lead.sent)))
    assert so_far + joined(lead.seam(), cut(rest, places)) == text


@given(TEXTS, TEXTS, st.lists(st.integers(0, 300), max_size=6))
def test_a_target_that_repeats_the_beginning(so_far: str, rest: str, places: list[int]) -> None:
    """All of it is left out, once, with the white space after it."""
    so_far = f"The beginning, which is long enough: {so_far}"
    lead = Lead(so_far)
    whole = so_far + rest
    assert so_far + joined(lead.seam(), cut(whole, places)) == whole


@given(
    before=st.sampled_from(["Sure: ", "Sure, here is all that I know of it, from the start: ", ""]),
    so_far=TEXTS,
    rest=TEXTS,
    with_it=st.booleans(),
    places=st.lists(st.integers(0, 300), max_size=6),
)
def test_a_target_that_repeats_the_answer_with_or_without_the_clients_beginning(
    before: str, so_far: str, rest: str, *, with_it: bool, places: list[int]
) -> None:
    """Whoever wrote the first words, the client has them."""
    so_far = f"The answer, which is long enough: {so_far}"
    lead = Lead(so_far, before=before)
    whole = so_far + rest
    said = before + whole if with_it else whole
    assert so_far + joined(lead.seam(), cut(said, places)) == whole


@given(TEXTS, st.lists(st.integers(0, 80), max_size=6))
def test_what_fits_both_for_a_while_is_lost_by_neither(text: str, places: list[int]) -> None:
    before = "It is one and the same beginning, "
    so_far = "It is one and the same beginning - or is it? Who knows."
    said = before[:-2] + text
    assume(not said.startswith((before + so_far, so_far)))
    assert joined(Lead(so_far, before=before).seam(), cut(said, places)) == said


@given(TEXTS, st.lists(st.integers(0, 80), max_size=6))
def test_a_new_start_is_taken_as_it_is(text: str, places: list[int]) -> None:
    so_far = "Once upon a time there was a proxy that wanted to know"
    assume(not text.startswith(so_far))
    assert joined(Lead(so_far).seam(), cut(text, places)) == text


def test_a_short_beginning_is_never_taken_for_a_repetition() -> None:
    """`ha` may be followed by `haha`."""
    assert joined(Lead("ha").seam(), ["haha"]) == "haha"
    short = "x" * (LEAST - 1)
    assert joined(Lead(short).seam(), [short, "!"]) == short + "!"


def test_a_text_that_says_the_same_again_and_again_is_no_repetition() -> None:
    line = "------------------------------------------------\n"
    assert joined(Lead(line * 3).seam(), ["\n" + line * 3]) == line * 3
    words = "All work and no play makes a dull proxy. "
    assert joined(Lead(words * 2).seam(), [" ", words * 2]) == words * 2


def test_a_repetition_that_stops_half_way_is_text() -> None:
    so_far = "The quick brown fox jumps over the lazy dog, they say"
    assert joined(Lead(so_far).seam(), ["The quick ", "brown"]) == "The quick brown"
    assert joined(Lead(so_far).seam(), ["The quick ", "red"]) == "The quick red"


def test_white_space_that_comes_in_parts() -> None:
    seam = Lead("Hello \n ").seam()
    assert [seam.feed(text) for text in (" ", "\n", "  you", " too")] == ["", "", " you", " too"]
    seam = Lead("Hello \n").seam()
    assert [seam.feed(text) for text in (" ", "x", "\n")] == ["", "x", "\n"]


def test_what_the_client_began_itself() -> None:
    """A target that repeats repeats that too."""
    lead = Lead(" the answer is long", before="Well, as far as anybody can tell,")
    assert lead.sent == "Well, as far as anybody can tell, the answer is long"
    assert joined(lead.seam(), [lead.sent, " and dull"]) == " and dull"
    assert joined(lead.seam(), [" and dull"]) == " and dull"
