"""What of a dialog goes along with a question (A-061)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wattline.rules.compiled.callers import DialogRules
from wattline.service.dialogs.context import oldest_kept, shorter, trimmed
from wattline.store.dialogs import Message

MESSAGES = st.lists(
    st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=60)), max_size=30
)


def dialog(pairs):
    return tuple(Message(role, content, seq) for seq, (role, content) in enumerate(pairs, 1))


def turns(count, size=4):
    return dialog([("user", "q" * size), ("assistant", "a" * size)] * count)


def test_all_of_a_short_dialog():
    kept = turns(3)
    assert trimmed(kept, "now", None, DialogRules()) == kept
    assert trimmed((), "now", "system", DialogRules()) == ()


def test_by_messages():
    """Room is left for the question and its answer."""
    assert trimmed(turns(3), "now", None, DialogRules(messages=4)) == turns(3)[4:]
    assert trimmed(turns(3), "now", None, DialogRules(messages=5)) == turns(3)[4:]
    assert trimmed(turns(3), "now", None, DialogRules(messages=6)) == turns(3)[2:]
    assert trimmed(turns(3), "now", None, DialogRules(messages=2)) == ()


def test_by_tokens():
    """Each of these messages is about 5 tokens, the question 5, and so is the system message."""
    for tokens, left in ((5, 0), (14, 0), (15, 2), (24, 2), (25, 4), (35, 6)):
        assert len(trimmed(turns(3), "now!", None, DialogRules(tokens=tokens + 4))) == left
    rules = DialogRules(tokens=29)
    assert len(trimmed(turns(3), "now!", None, rules)) == 4
    assert len(trimmed(turns(3), "now!", "sys!", rules)) == 2
    assert trimmed(turns(3), "x" * 10_000, None, rules) == ()


def test_other_scripts_are_more_tokens():
    latin = dialog([("user", "q" * 100), ("assistant", "a" * 100)])
    other = dialog([("user", "я" * 100), ("assistant", "ю" * 100)])
    rules = DialogRules(tokens=80)
    assert trimmed(latin, "x", None, rules) == latin
    assert trimmed(other, "x", None, rules) == ()


def test_the_place_of_the_oldest():
    kept = turns(3)
    assert oldest_kept(kept, kept) == 1
    assert oldest_kept(kept, kept[4:]) == 5
    assert oldest_kept(kept, ()) == 7
    assert oldest_kept((), ()) == 0


def test_half_of_it():
    assert shorter(turns(4)) == turns(4)[4:]
    assert shorter(turns(1)) == ()
    assert shorter(()) == ()


@given(MESSAGES, st.text(max_size=60), st.none() | st.text(max_size=60),
       st.integers(2, 40), st.integers(1, 400))  # fmt: skip
def test_what_is_sent_is_the_end_of_it_and_begins_with_a_question(
    pairs, question, system, messages, tokens
):
    whole = dialog(pairs)
    kept = trimmed(whole, question, system, DialogRules(messages, tokens))
    assert tuple(kept) == whole[len(whole) - len(kept) :]
    assert not kept or kept[0].role == "user"
    assert len(kept) <= messages - 2
    half = shorter(kept)
    assert tuple(half) == tuple(kept)[len(kept) - len(half) :]
    assert not half or half[0].role == "user"
    assert len(half) < len(kept) or not kept
    assert [m for m in whole if m.seq >= oldest_kept(whole, kept)] == list(kept)
