"""Request bodies that are still coming in, over all connections: what they hold, and which are late.

Nothing is counted on the way: the open streams are asked, once for each MiB of a body and once a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakSet

from wattline.base.errors import ClientFault, Fault, Kind, OurFault
from wattline.proxy.admission import admission_of
from wattline.rules.compiled.entrance import Limits

if TYPE_CHECKING:
    from wattline.proxy.http_layer import EdgeHttpLayer
    from wattline.proxy.stream import EdgeStream

STEP = 1 << 20
"""Bytes of a body after which the sum is looked at again."""


@dataclass(slots=True)
class Pending:
    """Asks the streams of all HTTP layers."""

    limits: Callable[[], Limits]
    layers: WeakSet[EdgeHttpLayer] = field(default_factory=WeakSet)

    def held(self) -> int:
        """Bytes of bodies in memory, those of calls under way too."""
        return sum(
            admission.received
            for stream in self.streams()
            if (admission := admission_of(stream.flow)) is not None and admission.spool is None
        )

    def refusal(self, before: int, after: int) -> Fault | None:
        """Why a body that grew from `before` to `after` bytes can't be taken now."""
        if before // STEP == after // STEP or self.held() <= self.limits().pending_bytes:
            return None
        return OurFault(
            f"The calls under way hold more than {self.limits().pending_bytes} bytes "
            "(rules.yaml: limits.pending_bytes). Try again in a moment.",
            status=503,
            code="too_many_bodies",
            kind=Kind.UNAVAILABLE,
            retry_after=1,
        )

    def late(self) -> list[EdgeStream]:
        """HTTP/2 streams whose body took longer than it may. HTTP/1 has a timer for its one body."""
        latest = asyncio.get_running_loop().time() - self.limits().body_seconds
        return [
            stream
            for stream in self.streams()
            if stream.body_since is not None
            and stream.body_since < latest
            and stream.takes_body()
            and not stream.edge_layer.speaks_http1()
        ]

    def late_answer(self) -> Fault:
        """What a client of a late body is told."""
        return ClientFault(
            f"The body was not complete after {self.limits().body_seconds:g} s "
            "(rules.yaml: limits.body_seconds).",
            status=408,
            code="body_timeout",
        )

    def streams(self) -> Iterator[EdgeStream]:
        """Those that are open, on all connections."""
        for layer in list(self.layers):
            yield from layer.edge_streams()
