"""Where the text of a continuation meets the text that its client has already.

A target is given the answer so far, without the white space at its end, as the beginning of its own. Then
* the same white space at the start of what it writes is what the client has already, and is left out;
* a target that writes all of the given beginning once more is taken to repeat it: that much is left out.
  This is done only where it can hardly be anything else: the beginning has at least `LEAST` characters, and its
  first `LEAST` don't occur in it a second time. A text that says the same again and again is no repetition;
* where the client began the answer itself, a target may repeat all of it, or only what came after the client's
  words: the same holds for both;
* anything else is taken as it is: what follows, or a new start, can't be told apart.
"""

from __future__ import annotations

from typing import Final

LEAST: Final = 32
"""Characters of a beginning, and of its own beginning, that no text repeats by chance."""


class Seam:
    """Takes the texts of a continuation, in order, and gives what the client gets of them.

    `sent` is the beginning that the target was given, `space` the white space after it that it was not; the first
    `before` characters of `sent` are the client's own.
    """

    __slots__ = ("_at", "_space", "_wholes")

    def __init__(self, sent: str, space: str, before: int = 0) -> None:
        self._space = space
        self._at = 0
        """Characters that came once more, and are held."""
        answer = sent[before:]
        wholes = [one for one in dict.fromkeys((sent, answer)) if len(one) >= LEAST]
        self._wholes = [one for one in wholes if _once(one[:LEAST], sent)]
        """What it may repeat and what is held is the beginning of; empty once that is decided."""

    def __repr__(self) -> str:
        return f"<Seam {self._at} of {max(map(len, self._wholes), default=0)}>"

    def feed(self, text: str) -> str:
        """What goes out now."""
        if self._wholes:
            text = self._overlap(text)
        return self._after_space(text) if self._space and not self._wholes else text

    def end(self) -> str:
        """The target has stopped: what was held is its own after all."""
        return self._as_it_is("") if self._wholes else ""

    def _overlap(self, text: str) -> str:
        fitting = []
        for whole in self._wholes:
            left = len(whole) - self._at
            if len(text) < left and whole.startswith(text, self._at):
                fitting.append(whole)
            elif len(text) >= left and text.startswith(whole[self._at :]):
                self._wholes = []
                return text[left:]
        if not fitting:
            return self._as_it_is(text)
        self._at += len(text)
        self._wholes = fitting
        return ""

    def _as_it_is(self, text: str) -> str:
        held, self._wholes = self._wholes[0][: self._at], []
        return held + text

    def _after_space(self, text: str) -> str:
        same = 0
        for ours, theirs in zip(self._space, text, strict=False):
            if ours != theirs:
                break
            same += 1
        more = same == len(text)  # all of it was there already: there may come more
        self._space = self._space[same:] if more else ""
        return text[same:]


def _once(part: str, text: str) -> bool:
    """It is in the text a first time, and at no other place."""
    return text.find(part, text.find(part) + 1) < 0
