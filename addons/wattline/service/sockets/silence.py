"""Ends a conversation in which nothing is said for too long."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final

from wattline.service.sockets.client_end import ClientEnd
from wattline.service.sockets.provider_end import ProviderEnd
from wattline.service.sockets.pulse import Pulse
from wattline.service.sockets.responses import Responses
from wattline.wire.websocket import GOING_AWAY

IDLE: Final = 570.0
"""Seconds without a message in either direction, and no response under way, after which a socket is
closed: less than mitmproxy's own 600, which would end it without a word."""


@dataclass(slots=True, repr=False)
class Silence:
    """The watch over idle times."""

    client: ClientEnd
    provider: ProviderEnd
    responses: Responses
    pulse: Pulse

    async def run(self) -> None:
        """End what is silent for too long. A message does not wake it: it looks when the last one was."""
        while (due := self._due()) > self.pulse.now():
            self.pulse.stirred.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self.pulse.stirred.wait()
        bound = self.provider.bound
        if len(self.responses) and bound is not None:
            await self.provider.lose(bound, "idle_timeout")
        else:
            self.client.goodbye(GOING_AWAY, "nothing was said for too long")

    def _due(self) -> float:
        """When the provider has been silent for too long in a response; without one, when everybody has."""
        bound = self.provider.bound
        if not len(self.responses) or bound is None:
            return self.pulse.last + IDLE
        timeouts = bound.timeouts()
        if self.client.full:  # it is the client that we wait for
            return self.pulse.now() + timeouts.idle
        asked = max(turn.asked for turn in self.responses.lanes.turns())
        if self.pulse.heard < asked:
            return asked + timeouts.first_byte
        return self.pulse.heard + timeouts.idle
