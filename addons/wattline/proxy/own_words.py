"""What mitmproxy says of a request, in words that its sender can use."""

from __future__ import annotations

from collections.abc import Generator
from types import MappingProxyType
from typing import Any, Final

from mitmproxy.proxy import commands
from mitmproxy.proxy.layers.http import (
    ErrorCode,
    GetHttpConnection,
    ResponseProtocolError,
    SendHttp,
)

from wattline.base.errors import ClientFault, Kind

INVALID: Final = (
    "The request's head can't be trusted: a header's name is bad, or its Content-Length and Transfer-Encoding "
    "are doubled, malformed or both there. Send one Content-Length, or Transfer-Encoding: chunked."
)
_WORDS: Final = MappingProxyType(
    {
        ErrorCode.REQUEST_VALIDATION_FAILED: INVALID,
        ErrorCode.RESPONSE_VALIDATION_FAILED: "The head of the host's answer can't be trusted: it was not passed on.",
    }
)
REFUSED: Final = "refused: "
"""What stands before the policy's reason in a connection's error."""
_KILLED: Final = f"Connection killed: {REFUSED}"


def in_own_words[Result](
    generator: Generator[commands.Command, Any, Result],
) -> Generator[commands.Command, Any, Result]:
    """The same commands; what is said of a head that can't be trusted names no option of mitmproxy's."""
    reply: Any = None
    while True:
        try:
            command = generator.send(reply)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        reply = yield _reworded(command)


def _reworded(command: commands.Command) -> commands.Command:
    if not isinstance(command, SendHttp) or not isinstance(command.event, ResponseProtocolError):
        return command
    event = command.event
    words = _WORDS.get(event.code)
    if words is None:
        return command
    return SendHttp(ResponseProtocolError(event.stream_id, words, event.code), command.connection)


def until_refused(
    opening: Generator[commands.Command, Any, bool],
) -> Generator[commands.Command, Any, bool | ClientFault]:
    """The same commands, and whether there is a connection; no further than the policy's refusal, which is given."""
    reply: Any = None
    while True:
        try:
            command = opening.send(reply)
        except StopIteration as end:
            return bool(end.value)
        reply = yield command
        refused = _refused_in(command, reply)
        if refused is not None:
            opening.close()
            return refused


def _refused_in(command: commands.Command, reply: Any) -> ClientFault | None:
    """The policy's refusal, where that is what came of a connection."""
    if not isinstance(command, GetHttpConnection):
        return None
    connection, error = reply
    if connection is not None or not error or not error.startswith(_KILLED):
        return None
    return ClientFault(
        error.removeprefix(_KILLED), status=403, code="forbidden_destination", kind=Kind.PERMISSION
    )
