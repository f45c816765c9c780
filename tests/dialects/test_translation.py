"""A whole answer as a client's stream (A-052)."""

from __future__ import annotations

import json

from kit.openai_calls import call
from wattline.dialects.openai.chat_codec import ChatCodec
from wattline.dialects.translation import unfolded
from wattline.wire.parts import Text
from wattline.wire.piece import Mark
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage

SAID = (Alternative((Text("word " * 30),), Stop.END),)


def test_the_pieces_keep_their_marks():
    """The usage is a piece of its own, so that it is held back and told once, with its energy."""
    pieces = unfolded(ChatCodec(), Reply(SAID, usage=Usage(7, 3)), call())
    assert [piece.mark for piece in pieces].count(Mark.USAGE) == 1
    assert pieces[-1].mark is Mark.END
    assert [piece.usage for piece in pieces if piece.usage] == [Usage(7, 3)]
    output = [piece for piece in pieces if piece.mark is Mark.OUTPUT]
    assert sum(piece.output for piece in output) == 150
    assert len(output) > 2
    assert all(json.loads(piece.raw[6:])["choices"] for piece in output)


def test_counts_that_cannot_be_true_are_told_to_the_meter():
    pieces = unfolded(ChatCodec(), Reply(SAID, bad_usage=True), call())
    assert any(piece.bad_usage for piece in pieces)
    assert not any(piece.usage for piece in pieces)
