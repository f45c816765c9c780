"""Who visits one of our own pages: written down by the gate, found again by the web face.

Both are in one process, so what is known of a visitor needs no header but the request's id.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakValueDictionary

from wattline.wire.call import Principal

PREFIX = "x-wattline-web-"
"""Of internal headers; none passes from a client."""
SECRET = PREFIX + "secret"
VISIT = PREFIX + "visit"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Visitor:
    """`id` is the request's, `peer` the client's address; `principal` is None when the request has no
    credential that is known.
    """

    id: str
    peer: str
    principal: Principal | None = None


class Visits:
    """Visitors by the ids of their requests, for as long as the gate's side keeps them."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str, Visitor] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._known)

    def announce(self, visitor: Visitor) -> None:
        """A request of this visitor is on its way."""
        self._known[visitor.id] = visitor

    def find(self, request_id: str) -> Visitor | None:
        """Whose request this is."""
        return self._known.get(request_id)
