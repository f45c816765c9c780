"""What a conversation over a WebSocket is led by: the services that all of them use, and its provider."""

from __future__ import annotations

from dataclasses import dataclass

from wattline.rules.compiled.provider import Timeouts
from wattline.rules.compiled.target import Target
from wattline.service.entrance.redaction import secrets_of
from wattline.service.exchange import Exchange
from wattline.service.metering.settlement import Settlement
from wattline.service.opening import Opening
from wattline.service.sockets.turns import OwedAttempts, TurnAttempts
from wattline.service.sockets.upgrades import Upgrades
from wattline.service.watching.conversed import Witness, Witnesses
from wattline.upstream.sockets import Socket


@dataclass(frozen=True, slots=True)
class Services:
    """What every conversation uses."""

    opening: Opening
    attempts: TurnAttempts
    owed: OwedAttempts
    settlement: Settlement
    upgrades: Upgrades
    witnesses: Witnesses


@dataclass(slots=True)
class Bound:
    """The provider at the other end, and the exchange that led there."""

    exchange: Exchange
    target: Target
    socket: Socket
    witness: Witness | None = None
    """Where it has to be proved that messages are passed on untouched."""

    @property
    def passed(self) -> bool:
        """It is the host that the client itself named, with the client's own key."""
        return self.exchange.plan.passed

    def secrets(self) -> tuple[bytes, ...]:
        """Keys that the client must not see."""
        return secrets_of(self.target)

    def timeouts(self) -> Timeouts:
        """The target's."""
        return self.target.timeouts or self.target.provider.timeouts
