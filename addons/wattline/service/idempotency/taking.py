"""An answer under way, taken down so that it can be given again."""

from __future__ import annotations

from typing import Final

from wattline.service.idempotency.kept import Answer
from wattline.service.idempotency.once import Claim
from wattline.wire.http import Head, Headers, Whole

MARK: Final = ("x-wattline-idempotent", "replay")
"""On an answer that is given again."""
_OF_THEN: Final = frozenset(
    {
        "age",
        "date",
        "retry-after",
        "retry-after-ms",
        "x-request-id",
        "x-should-retry",
        "x-wattline-call",
    }
)
_OF_THEN_TOO: Final = ("access-control-", "anthropic-ratelimit-", "ratelimit", "x-ratelimit-")
"""Headers of answers that are about one exchange, or the caller's state at its time."""


class Taking:
    """`see` each item before it is handed on, then `end` once all came; `close` in any case."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._head: Head | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._full = False

    @property
    def begun(self) -> bool:
        """Some of an answer is out."""
        return self._head is not None

    def see(self, item: Head | Whole | bytes) -> None:
        """Note one item. A whole answer is kept at once: its client may be gone before it has it."""
        if isinstance(item, bytes):
            self._add(item)
            return
        self._head = Head(item.status, lasting(item.headers))
        if isinstance(item, Whole):
            self._add(item.body)
            self._end(stream=False)

    def end(self) -> None:
        """A stream came to its end."""
        self._end(stream=True)

    def close(self, *, unknown: bool = False) -> None:
        """Nothing more comes. Without an answer the request came to nothing, unless that is `unknown`."""
        if self.begun or unknown:
            self._claim.use_up()
        else:
            self._claim.free()
        self._drop()

    def _end(self, *, stream: bool) -> None:
        head = self._head
        if head is None or not 200 <= head.status < 300:
            self._claim.free()
        elif self._full:
            self._claim.use_up()
        else:
            self._claim.keep(Answer(head.status, head.headers, b"".join(self._parts), stream))
        self._drop()

    def _add(self, data: bytes) -> None:
        kept = self._claim.kept
        if self._full or not kept.admits(self._size, len(data)):
            self._drop()
            self._full = True
            return
        self._parts.append(data)
        self._size += len(data)
        kept.filling += len(data)

    def _drop(self) -> None:
        self._claim.kept.filling -= self._size
        self._parts, self._size = [], 0


def lasting(headers: Headers) -> Headers:
    """The headers of an answer that are still true when it is given again."""
    return tuple(
        pair for pair in headers if pair[0] not in _OF_THEN and not pair[0].startswith(_OF_THEN_TOO)
    )
