"""Answers to requests that are not taken: in the shape of their path, counted and logged."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from wattline.base.errors import ClientFault, Fault, Kind, OurFault
from wattline.dialects.base import Dialect
from wattline.dialects.likely import likely_dialect
from wattline.dialects.table import find, normalise
from wattline.service.entrance.decision import RequestHead
from wattline.service.entrance.local_paths import local_path
from wattline.service.entrance.own_names import Own, is_to_us
from wattline.service.entrance.safety import safe
from wattline.service.entrance.styles import Styles
from wattline.service.metering.counts import Counts
from wattline.wire.http import Use, Whole

log = logging.getLogger("wattline.requests")


class HeadRefusals:
    """Turns faults into answers. `own` says where we listen."""

    def __init__(self, dialects: Mapping[str, Dialect], counts: Counts, own: Own) -> None:
        self.styles = Styles(dialects)
        self.counts = counts
        self._dialects = dialects
        self._own = own

    def refuse(self, head: RequestHead, fault: Fault) -> Whole:
        """The answer to a request, in the dialect of its path."""
        self._note(head, fault)
        local = local_path(head.path) if is_to_us(head, self._own) else None
        if local is not None and not find("POST", head.host, local[0], forward=False):
            return safe(self.styles.render(local[1].style, fault, head.id))
        return safe(self._dialect(head).error(fault, head.id))

    def refuse_connect(self, head: RequestHead, fault: Fault) -> Whole:
        """The answer to a CONNECT, which has no path."""
        self._note(head, fault)
        return self.render(fault, head.id)

    def forbidden(self, head: RequestHead, reason: str) -> Whole:
        """The answer for a destination that the policy refuses."""
        fault = ClientFault(reason, status=403, code="forbidden_destination", kind=Kind.PERMISSION)
        return self.refuse_connect(head, fault)

    def internal_error(self) -> Whole:
        """The answer when our own code failed: nothing was sent upstream."""
        fault = OurFault("wattline failed on this request; nothing was sent to a provider.")
        return safe(self.render(fault, ""))

    def render(self, fault: Fault, request_id: str) -> Whole:
        """A fault where no dialect is known yet: OpenAI's shape."""
        return self._dialects["openai"].error(fault, request_id)

    def note(self, request_id: str, method: str, path: str, fault: Fault) -> None:
        """Count and log a request that was not taken, be it for its head or its body."""
        self.counts.refused(fault)
        log.info(
            "%(request_id)s refused: %(method)s %(path)s %(status)s %(code)s",
            {
                "request_id": request_id,
                "method": method,
                "path": path.partition("?")[0][:100],
                "status": fault.status,
                "code": fault.code,
            },
        )

    def _note(self, head: RequestHead, fault: Fault) -> None:
        target = f"{head.host}:{head.port}" if head.method == "CONNECT" else head.path
        self.note(head.id, head.method, target, fault)

    def _dialect(self, head: RequestHead) -> Dialect:
        """That of the path, as far as one can tell."""
        path = normalise(head.path)
        forward = head.use is Use.FORWARD and not self._own(head.host, head.port)
        route = None
        if path:
            route = find(head.method, head.host, path, forward=forward)
            route = route or find("POST", head.host, path, forward=forward)
        name = route.dialect if route is not None else likely_dialect(head.path)
        return self._dialects[name]
