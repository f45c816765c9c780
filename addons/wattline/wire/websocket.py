"""One end of a WebSocket (RFC 6455), without I/O: bytes in, whole messages out, and the way back.

Messages are put together before anybody sees them, so their size has a bound. Extensions are not
offered: a compressed message could be a thousand times its size.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wsproto import events
from wsproto.connection import Connection, ConnectionState, ConnectionType

NORMAL = 1000
GOING_AWAY = 1001
TOO_BIG = 1009
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012

_CODES = frozenset({*range(1000, 1004), *range(1007, 1016), *range(3000, 5000)}) - {1015}
"""What may stand in a close frame (RFC 6455, 7.4, and IANA's registry)."""


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message; `data` of a text one is valid UTF-8."""

    data: bytes = field(repr=False)
    text: bool = True


@dataclass(frozen=True, slots=True)
class Ping:
    """Wants a pong with the same payload."""

    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer is done. `fault`: it broke the protocol or a bound, and `code` tells it which."""

    code: int
    reason: str = ""
    fault: bool = False


type Item = Message | Ping | Closed


class Frames:
    """One end; `client` is true for the end that opened the connection. `max_bytes` bounds a message."""

    def __init__(
        self, *, client: bool, max_bytes: int, connection: Connection | None = None
    ) -> None:
        kind = ConnectionType.CLIENT if client else ConnectionType.SERVER
        self._wire = connection or Connection(kind)
        self._max = max_bytes
        self._parts = bytearray()  # a list would take fifty times what many small fragments hold
        self._over = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._wire.state.name}>"

    def feed(self, data: bytes) -> list[Item]:
        """What `data` completes. Nothing comes after a `Closed`."""
        if self._over:
            return []
        if data:
            self._wire.receive_data(data)
        found: list[Item] = []
        for event in self._wire.events():
            item = self._item(event)
            if item is not None:
                found.append(item)
            if isinstance(item, Closed):
                self._over = True
                self._parts.clear()
                break
        return found

    def _item(self, event: events.Event) -> Item | None:
        if isinstance(event, events.TextMessage | events.BytesMessage):
            return self._part(event)
        if isinstance(event, events.Ping):
            return Ping(bytes(event.payload))
        if isinstance(event, events.CloseConnection):
            said = self._wire.state in (ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED)
            return Closed(event.code, event.reason or "", fault=not said)
        return None

    def _part(self, event: events.TextMessage | events.BytesMessage) -> Item | None:
        text = isinstance(event.data, str)
        data = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
        if len(self._parts) + len(data) > self._max:
            return Closed(TOO_BIG, f"a message is larger than {self._max} bytes", fault=True)
        if event.message_finished and not self._parts:
            return Message(data, text)
        self._parts += data
        if not event.message_finished:
            return None
        whole = bytes(self._parts)
        self._parts.clear()
        return Message(whole, text)

    def message(self, message: Message) -> bytes:
        """A message as one frame; nothing once this end has closed."""
        if self._wire.state is not ConnectionState.OPEN:
            return b""
        if not message.text:
            return self._wire.send(events.BytesMessage(message.data))
        return self._wire.send(events.TextMessage(message.data.decode(errors="replace")))

    def pong(self, ping: Ping) -> bytes:
        """The answer to a ping; nothing once this end has closed."""
        if self._wire.state is not ConnectionState.OPEN:
            return b""
        return self._wire.send(events.Pong(ping.payload))

    def close(self, code: int, reason: str = "") -> bytes:
        """The close frame of this end, the first time. A code that may not be sent becomes 1000."""
        if self._wire.state not in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            return b""
        code = code if code in _CODES else NORMAL
        return self._wire.send(events.CloseConnection(code, reason or None))
