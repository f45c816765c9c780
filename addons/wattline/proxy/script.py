"""The addon of `mitmdump -s addons/sidecar.py`: brings the sidecar into a mitmproxy that runs already."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from mitmproxy import ctx, http, master

from wattline.proxy.messages import whole_response
from wattline.wire.http import Whole

log = logging.getLogger(__name__)

_NOT_READY = Whole(
    503,
    (("content-type", "application/json"), ("retry-after", "1"), ("x-wattline-fault", "ours")),
    b'{"error":{"message":"The sidecar is starting.","type":"server_error","param":null,'
    b'"code":"starting"}}',
)

type Attach = Callable[[master.Master], Awaitable[None]]
type Detach = Callable[[], Awaitable[None]]


class ScriptDoor:
    """Until the sidecar is there, every request is refused: nothing slips through unseen."""

    def __init__(self, attach: Attach, detach: Detach) -> None:
        self._attach = attach
        self._detach = detach
        self._attached = False

    async def running(self) -> None:
        """mitmproxy listens: start the sidecar, or end mitmproxy with the reason."""
        try:
            await self._attach(ctx.master)
        except Exception as error:
            log.exception("wattline can't start: %s", error)  # noqa: TRY401  (a reason, not a trace)
            ctx.master.shutdown()
            return
        self._attached = True

    async def done(self) -> None:
        """mitmproxy ends: settle what is open."""
        if self._attached:
            self._attached = False
            await self._detach()

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Refuse what comes before the sidecar is ready."""
        if not self._attached:
            flow.response = whole_response(_NOT_READY)

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """The same for tunnels."""
        if not self._attached:
            flow.response = whole_response(_NOT_READY)
