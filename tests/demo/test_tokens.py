from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wattline.demo.tokens import WIDTH, count, split


@given(st.text())
def test_pieces_are_the_text_and_as_many_as_counted(text):
    pieces = split(text)
    assert "".join(pieces) == text
    assert len(pieces) == count(text)
    assert all(0 < len(piece) <= WIDTH for piece in pieces)
