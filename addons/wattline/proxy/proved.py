"""Digests of requests and answers that mitmproxy passes on: taken where they enter a stream and leave it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import (
    DropStream,
    RequestData,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseProtocolError,
    SendHttp,
)

from wattline.service.watching.carried import Carried


def proved(
    proof: Carried,
    event: events.Event,
    generator: CommandGenerator[None],
    told: Callable[[Carried], None],
) -> Generator[commands.Command, Any]:
    """The commands of a stream as they are. `told` gets the proof when the answer has ended."""
    if isinstance(event, RequestData):
        proof.up.came.add(event.data)
    elif isinstance(event, ResponseData):
        proof.down.came.add(event.data)
    reply: Any = None
    while True:
        try:
            command = generator.send(reply)
        except StopIteration:
            return
        reply = yield command
        _see(proof, command, told)


def _see(proof: Carried, command: commands.Command, told: Callable[[Carried], None]) -> None:
    sent = command.event if isinstance(command, SendHttp) else None
    if isinstance(sent, RequestData):
        proof.up.went.add(sent.data)
    elif isinstance(sent, ResponseData):
        proof.down.went.add(sent.data)
    elif isinstance(sent, ResponseEndOfMessage):
        told(proof)
    elif isinstance(sent, RequestProtocolError | ResponseProtocolError):
        proof.cut = True
        told(proof)
    elif isinstance(command, DropStream):
        told(proof)
