"""Counts the messages in one way of a WebSocket (RFC 6455, 5.2) without keeping any of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_EXTENDED: Final[Mapping[int, int]] = MappingProxyType({126: 2, 127: 8})
"""Bytes of a length that does not fit into seven bits."""
_CONTROL = 0x08
_FINAL = 0x80
_MASKED = 0x80


class MessageCount:
    """Fed with a connection's bytes in any pieces. What is no WebSocket is counted as if it were one."""

    __slots__ = ("_counts", "_head", "_left", "messages")

    def __init__(self) -> None:
        self.messages = 0
        """Messages that have ended. Control frames are none."""
        self._head = bytearray()
        self._left = 0
        """Bytes of the frame's payload that have not come."""
        self._counts = False
        """A message ends with this frame."""

    def feed(self, data: bytes) -> None:
        """More bytes. Never raises."""
        at = 0
        while at < len(data):
            if self._left:
                taken = min(self._left, len(data) - at)
                self._left -= taken
                at += taken
                self._ended()
                continue
            taken = self._wanted() - len(self._head)
            self._head += data[at : at + taken]
            at += taken
            if len(self._head) == self._wanted():
                self._begun()

    def _wanted(self) -> int:
        """The length of the frame's head, as far as it can be told."""
        if len(self._head) < 2:
            return 2
        length = self._head[1]
        return 2 + _EXTENDED.get(length & 0x7F, 0) + (4 if length & _MASKED else 0)

    def _begun(self) -> None:
        """The head is whole."""
        first, length = self._head[0], self._head[1] & 0x7F
        more = _EXTENDED.get(length, 0)
        self._left = int.from_bytes(self._head[2 : 2 + more]) if more else length
        self._counts = bool(first & _FINAL) and not first & _CONTROL
        self._head.clear()
        self._ended()

    def _ended(self) -> None:
        if not self._left and self._counts:
            self.messages += 1
            self._counts = False
