"""Token counts as Anthropic's answers give them: reading them with suspicion, writing them with energy.

Anthropic counts what was read from its cache and what was written into it beside `input_tokens`; the
neutral prompt holds all three.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from wattline.dialects.base import Energy
from wattline.dialects.splice import dumps, edit_object
from wattline.wire.usage import MAX_TOKENS, Usage, UsageSource


class Counts(NamedTuple):
    """The counts of a `usage` member; None where one is not given."""

    input: int | None = None
    output: int | None = None
    read: int | None = None
    written: int | None = None
    reasoning: int | None = None

    def over(self, earlier: Counts) -> Counts:
        """These, and the earlier ones where these are not given: a stream's counts are totals."""
        return Counts(*(new if new is not None else old for new, old in zip(self, earlier)))  # noqa: B905

    @property
    def usage(self) -> Usage | None:
        """Neutral; None when the input or the output is not given: half a usage is none."""
        if self.input is None or self.output is None:
            return None
        read, written = self.read or 0, self.written or 0
        prompt = self.input + read + written
        if prompt > MAX_TOKENS:
            return None
        return Usage(
            prompt,
            self.output,
            cached=read,
            reasoning=min(self.reasoning or 0, self.output),
            written=written,
        )


NO_COUNTS = Counts()
_CHARACTERS_PER_TOKEN = 4


class BadCount(Exception):
    """A count is no integer from 0 to MAX_TOKENS."""


def read_counts(value: Any) -> Counts:
    """The counts in a parsed `usage`; null and an object without counts give none.

    Raises BadCount for what can't be true.
    """
    if value is None:
        return NO_COUNTS
    if not isinstance(value, dict):
        raise BadCount
    counts = Counts(
        _count(value.get("input_tokens")),
        _count(value.get("output_tokens")),
        _count(value.get("cache_read_input_tokens")),
        _count(value.get("cache_creation_input_tokens")),
        _reasoning(value.get("output_tokens_details")),
    )
    if sum(count or 0 for count in (counts.input, counts.read, counts.written)) > MAX_TOKENS:
        raise BadCount
    return counts


def _reasoning(details: Any) -> int | None:
    if details is None:
        return None
    if not isinstance(details, dict):
        raise BadCount
    return _count(details.get("thinking_tokens"))


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= MAX_TOKENS:
        raise BadCount
    return value


class StreamCounts:
    """The counts of one stream. Those of `message_delta` are totals and stand over those of `message_start`.

    An answer that comes to its end without a count of its output gets one here: the count of
    `message_start` is of a time when there was none.
    """

    __slots__ = ("_characters", "_counted", "_counts", "_deltas")

    def __init__(self) -> None:
        self._counts = NO_COUNTS
        self._counted = False
        self._characters = 0
        self._deltas = 0

    def output(self, size: int) -> None:
        """So many characters of output came."""
        if size > 0:
            self._characters += size
            self._deltas += 1

    def begin(self, said: Any) -> Usage | None:
        """The usage in `message_start`; None also for no input at all, which some servers say until they
        know. Raises BadCount.
        """
        self._counts = read_counts(said)
        usage = self._counts.usage
        return usage if usage is not None and usage.prompt else None

    def total(self, said: Any) -> Usage | None:
        """The usage in a `message_delta`; None when it does not count the output. Raises BadCount."""
        counts = read_counts(said)
        if counts.output is None:
            return None
        self._counts = counts.over(self._counts)
        self._counted = self._counts.usage is not None
        return self._counts.usage

    def estimate(self) -> Usage | None:
        """The provider's own input with about the output that came; None when that is not needed, or
        nothing is known of the input.
        """
        begun = self._counts.usage
        if begun is None or self._counted or not begun.prompt:
            return None
        output = max(-(-self._characters // _CHARACTERS_PER_TOKEN), self._deltas, begun.completion)
        return Usage(
            begun.prompt,
            min(output, MAX_TOKENS),
            begun.cached,
            source=UsageSource.ESTIMATED,
            written=begun.written,
        )


def usage_members(usage: Usage) -> dict[str, Any]:
    """A neutral usage in Anthropic's names."""
    found: dict[str, Any] = {
        "input_tokens": max(0, usage.prompt - usage.cached - usage.written),
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.completion,
    }
    if usage.reasoning:
        found["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return found


def write_usage(raw: bytes | None, said: Usage | None, usage: Usage, energy: Energy) -> bytes:
    """The JSON of a `usage` member with energy. `raw` is the upstream's own, `said` what it was read as:
    when that is `usage` itself only the energy is new. An `energy` of the upstream's is replaced.
    """
    changes: dict[str, bytes | None] = {}
    if said != usage:
        changes = {key: dumps(value) for key, value in usage_members(usage).items()}
    if usage.source is UsageSource.ESTIMATED:
        changes["estimated"] = b"true"
    return edit_object(raw, changes | {"energy": energy.json.encode()})
