"""One client's WebSocket after its upgrade: messages to a provider and back, each response metered.

Two pumps run, one for each direction (`Asking`, `Hearing`), and a watch over idle times (`Silence`); `run`
gives what goes to the client. A `response.create` goes out only after its row is durable; the event that
ends a response goes to the client only after its settlement is, and nothing overtakes it. Whatever way the
conversation ends, each open response is settled once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from wattline.base.errors import OurFault
from wattline.dialects.base import Route
from wattline.service.parting import shutting_down, uncancel
from wattline.service.sockets.asking import Asking
from wattline.service.sockets.binding import Binding
from wattline.service.sockets.bound import Bound, Services
from wattline.service.sockets.client_end import ClientEnd
from wattline.service.sockets.hearing import Hearing
from wattline.service.sockets.inbox import Inbox
from wattline.service.sockets.provider_end import ProviderEnd
from wattline.service.sockets.pulse import Pulse
from wattline.service.sockets.pumps import Pumps
from wattline.service.sockets.responses import Responses
from wattline.service.sockets.silence import Silence
from wattline.store.base import State
from wattline.wire.http import Ending, Request
from wattline.wire.websocket import GOING_AWAY, INTERNAL_ERROR, SERVICE_RESTART


class Conversation:
    """See the module: begun by `run`, ended by either side or by silence."""

    def __init__(
        self,
        services: Services,
        request: Request,
        route: Route,
        inbox: Inbox,
        bound: Bound | None = None,
        incapable: Callable[[], None] = lambda: None,
    ) -> None:
        """`bound` is the provider that the upgrade named, if it named one. `incapable` is called when no provider
        of a model has WebSockets.
        """
        self._request = request
        pulse, books = Pulse(), services.opening.books
        self._pumps = Pumps(request.id, self._broken)
        self._client = client = ClientEnd(route.operation)
        self._responses = responses = Responses(services, request, route, inbox, pulse)
        self._provider = provider = ProviderEnd(client, responses, bound)
        self._hearing = Hearing(client, provider, responses, pulse)
        self._binding = Binding(services, provider, responses, self._listen, incapable)
        self._asking = Asking(inbox, client, provider, responses, self._binding, pulse, books)
        self._silence = Silence(client, provider, responses, pulse)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._request.id} {self._provider} {self._responses}>"

    async def run(self) -> AsyncGenerator[bytes]:
        """What goes to the client. All is settled when it ends or is closed."""
        self._pumps.start(self._asking.run(), "listen to a client")
        self._pumps.start(self._silence.run(), "watch a socket")
        self._binding.begin()
        try:
            while data := await self._client.next():
                yield data
        except asyncio.CancelledError:
            if self._request.departure.reason is not Ending.SHUTDOWN:
                raise
            uncancel()
            yield self._last_words()
        finally:
            await self._leave()

    def _listen(self, bound: Bound) -> asyncio.Task[None]:
        return self._pumps.start(self._hearing.run(bound), "listen to a provider")

    def _broken(self) -> None:
        """One of the pumps failed by our own mistake."""
        fault = OurFault("wattline failed on this connection. The log has the details.")
        self._client.refuse_now(fault)
        self._client.goodbye(INTERNAL_ERROR)

    def _last_words(self) -> bytes:
        """To a client that we leave since we stop."""
        fault = shutting_down() if len(self._responses) else None
        return self._client.last_words(SERVICE_RESTART, "the sidecar stops", fault)

    async def _leave(self) -> None:
        """Settle what is open, close the provider's end."""
        self._settle_left()
        await self._pumps.stop()
        self._settle_left()  # one whose row was written a moment ago
        self._provider.close(GOING_AWAY)
        self._provider.over()

    def _settle_left(self) -> None:
        reason = self._request.departure.reason
        state = State.ABORTED if reason is Ending.CLIENT_GONE else State.TRUNCATED
        self._responses.left(state, "internal_error" if reason is None else reason.value)
