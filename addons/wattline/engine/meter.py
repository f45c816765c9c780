"""Counts one answer's tokens: the provider's word where it can be true, else an estimate."""

from __future__ import annotations

from dataclasses import replace

from wattline.dialects.base import Answer
from wattline.wire.call import Call
from wattline.wire.piece import Piece
from wattline.wire.usage import MAX_TOKENS, Usage, UsageSource

CHARACTERS_PER_TOKEN = 4
"""About; for English text and common tokenizers."""

NO_USAGE = "no_usage"
BAD_USAGE = "bad_usage"
PARTIAL_USAGE = "partial_usage"


def estimate_tokens(characters: int) -> int:
    """About how many tokens a text is; none only for an empty one."""
    return min(-(-max(characters, 0) // CHARACTERS_PER_TOKEN), MAX_TOKENS)


class Meter:
    """Sees each piece of an answer, or all of it, and says in the end what was used.

    The last valid usage counts: a count that comes twice or grows is its last value. 0 stays 0.
    """

    __slots__ = ("_bad", "_call", "_characters", "_events", "_prompt", "_usage")

    def __init__(self, call: Call, prompt_estimate: int) -> None:
        self._call = call
        self._prompt = min(max(prompt_estimate, 0), MAX_TOKENS)
        self._usage: Usage | None = None
        self._bad = False
        # Output since the last valid usage.
        self._characters = 0
        self._events = 0

    def __repr__(self) -> str:
        usage, flags = self.usage(ended=True)
        return f"<Meter {self._call.id} {usage.prompt}+{usage.completion} {' '.join(flags)}>"

    def see(self, piece: Piece) -> None:
        """Note one piece of a stream."""
        self._note(piece.output, piece.usage, bad=piece.bad_usage)

    def answer(self, answer: Answer) -> None:
        """Note a whole answer."""
        self._note(answer.output, answer.usage, bad=answer.bad_usage)

    def usage(self, ended: bool) -> tuple[Usage, tuple[str, ...]]:  # noqa: FBT001  (the callers name it)
        """What was used, and flags: `bad_usage` when a count that can't be true was refused,
        `no_usage` when there was none at all, `partial_usage` when more output came after the last
        count of an answer that did not come to its end (`ended`).
        """
        flags = (BAD_USAGE,) if self._bad else ()
        said = self._usage
        if said is None:
            estimate = Usage(self._prompt, self._estimate(), source=UsageSource.ESTIMATED)
            return estimate, flags or (NO_USAGE,)
        if ended or not self._events:
            return said, flags
        completion = min(said.completion + self._estimate(), MAX_TOKENS)
        partial = replace(said, completion=completion, source=UsageSource.ESTIMATED)
        return partial, (*flags, PARTIAL_USAGE)

    def _note(self, output: int, usage: Usage | None, *, bad: bool) -> None:
        if output > 0:
            self._characters += output
            self._events += 1
        if usage is not None:
            self._usage = usage
            self._characters = self._events = 0
        if bad:
            self._bad = True

    def _estimate(self) -> int:
        """Tokens of the output since the last usage: an event carries at least one."""
        return min(max(estimate_tokens(self._characters), self._events), MAX_TOKENS)
