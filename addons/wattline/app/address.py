"""Where this sidecar listens."""

from __future__ import annotations

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Address:
    """Host and port; none until we listen."""

    __slots__ = ("host", "port")

    def __init__(self) -> None:
        self.host, self.port = "", 0

    def is_own(self, host: str, port: int) -> bool:
        """Whether this leads to us."""
        return port == self.port and host in {*LOOPBACK, self.host}

    def is_local(self) -> bool:
        """Whether only this machine can reach us."""
        return self.host in LOOPBACK
