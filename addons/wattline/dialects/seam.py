"""Where the text of a continuation meets the text that its client has already.

A target is given the answer so far, without the white space at its end, as the beginning of its own. Then
* the same white space at the start of what it writes is what the client has already, and is left out;
* a target that writes all of the given beginning once more is taken to repeat it: that much is left out.
  This is done only where it can hardly be anything else: the beginning has at least `LEAST` characters, and its
  first `LEAST` don't occur in it a second time. A text that says the same again and again is no repetition;
* anything else is taken as it is: what follows, or a new start, can't be told apart.
"""

from __future__ import annotations

from typing import Final

LEAST: Final = 32
"""Characters of a beginning, and of its own beginning, that no text repeats by chance."""


class Seam:
    """Takes the texts of a continuation, in order, and gives what the client gets of them.

    `sent` is the beginning that the target was given, `space` the white space after it that it was not.
    """

    __slots__ = ("_at", "_repeats", "_sent", "_space")

    def __init__(self, sent: str, space: str) -> None:
        self._sent = sent
        self._space = space
        self._at = 0
        """Characters of `sent` that came once more, and are held."""
        self._repeats = len(sent) >= LEAST and sent.find(sent[:LEAST], 1) < 0

    def __repr__(self) -> str:
        return f"<Seam {self._at} of {len(self._sent)}>"

    def feed(self, text: str) -> str:
        """What goes out now."""
        if self._repeats:
            text = self._overlap(text)
        return self._after_space(text) if self._space and not self._repeats else text

    def end(self) -> str:
        """The target has stopped: what was held is its own after all."""
        if not self._repeats:
            return ""
        return self._as_it_is("")

    def _overlap(self, text: str) -> str:
        left = len(self._sent) - self._at
        if len(text) < left and self._sent.startswith(text, self._at):
            self._at += len(text)
            return ""
        if len(text) >= left and text.startswith(self._sent[self._at :]):
            self._repeats = False
            return text[left:]
        return self._as_it_is(text)

    def _as_it_is(self, text: str) -> str:
        self._repeats = False
        return self._sent[: self._at] + text

    def _after_space(self, text: str) -> str:
        same = 0
        for ours, theirs in zip(self._space, text, strict=False):
            if ours != theirs:
                break
            same += 1
        more = same == len(text)  # all of it was there already: there may come more
        self._space = self._space[same:] if more else ""
        return text[same:]
