"""What the head of an answer tells beside the answer itself."""

from __future__ import annotations

from dataclasses import dataclass

type Pairs = tuple[tuple[str, str], ...]

LIMIT = "x-ratelimit-limit"
STANDING = frozenset({LIMIT, "x-ratelimit-remaining", "x-ratelimit-reset"})


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands in one window: at most `limit` requests, `remaining` of them now, and one more
    than these from `reset` on, in seconds since 1970.
    """

    limit: int
    remaining: int
    reset: int

    def headers(self) -> Pairs:
        """As clients are told (D-081)."""
        return (
            (LIMIT, str(self.limit)),
            ("x-ratelimit-remaining", str(self.remaining)),
            ("x-ratelimit-reset", str(self.reset)),
        )


@dataclass(slots=True)
class Notice:
    """Shared by all who work on one request: made with its head, read when its answer's head is written."""

    headers: Pairs = ()
    standing: Standing | None = None

    def stand(self, standing: Standing | None) -> None:
        """Tell the tighter of this and what was to be told."""
        if standing is None:
            return
        told = self.standing
        if told is None or (standing.remaining, -standing.reset) < (told.remaining, -told.reset):
            self.standing = standing
