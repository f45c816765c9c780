"""Proof of WebSockets that rules pass on: each message goes on as it came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattline.rules.compiled.target import Target
from wattline.service.exchange import Exchange
from wattline.service.watching.carried import Carried, Side
from wattline.wire.websocket import Message


@dataclass(frozen=True, slots=True)
class Witness:
    """Notes the messages of one connection, where they come in and where they are put into frames again. What we say
    ourselves, such as an error event, is not noted. `told` gets the proof when the connection is over.
    """

    proof: Carried
    told: Callable[[Carried], None]

    def asked(self, message: Message) -> None:
        """The client's message, which is about to be passed on."""
        _add(self.proof.up.came, message)

    def sent(self, message: Message, frame: bytes) -> None:
        """It was put into this frame; an empty one means that the provider's end is closed."""
        self._went(self.proof.up.went, message, frame)

    def heard(self, message: Message) -> None:
        """The provider's message."""
        _add(self.proof.down.came, message)

    def passed(self, message: Message, frame: bytes) -> None:
        """It was put into this frame for the client; an empty one means that the client's end is closed."""
        self._went(self.proof.down.went, message, frame)

    def cut(self) -> None:
        """A message was on its way when the connection ended."""
        self.proof.cut = True

    def over(self) -> None:
        """The connection has ended. The second time says nothing."""
        self.told(self.proof)

    def _went(self, side: Side, message: Message, frame: bytes) -> None:
        if frame:
            _add(side, message)
        else:
            self.cut()


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Makes them, where the rules want such proofs."""

    told: Callable[[Carried], None]

    def witness(self, exchange: Exchange, target: Target) -> Witness | None:
        """One for a connection that was just opened; None for what is not passed on, or need not be proved."""
        if not exchange.plan.passed or not exchange.book.proof.passed:
            return None
        origin = target.provider.origin
        proof = Carried.begun("socket", exchange.call.id, origin.host, origin.port, proving=True)
        return Witness(proof, self.told)


def _add(side: Side, message: Message) -> None:
    side.add_message(message.data, text=message.text)
