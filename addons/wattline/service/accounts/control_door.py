"""The socket in the state folder at which the command line asks a running sidecar.

Only one process may write the ledger, so commands do not open it beside a sidecar. The socket is of its
owner alone (mode 0600), and who connects must be the same user or root, as far as the system tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from wattline.service.accounts.control import MAX_LINE, Control

NAME = "control.sock"
IDLE = 30.0
"""Seconds without a question after which a connection is closed."""
CONNECTIONS = 16
TOO_LONG = b"too long"
"""In place of a line that is; it is no JSON."""
LONGEST = 100
"""Characters of a path that fit into a socket's address on every system."""

log = logging.getLogger(__name__)


class ControlDoor:
    """Listens until closed."""

    def __init__(self, control: Control, folder: Path, max_line: int = MAX_LINE) -> None:
        self._control, self._path, self._max_line = control, folder / NAME, max_line
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Listen. A system that can't gets a warning: commands then wait until the sidecar is stopped."""
        try:
            listener = _bind(self._path)
            self._server = await asyncio.start_unix_server(
                self._serve, sock=listener, limit=self._max_line
            )
        except OSError as error:
            log.warning("%s: %s; `wattline keys` works only while stopped", self._path, error)

    async def close(self) -> None:
        """Stop listening, hang up, take the socket away."""
        if self._server is None:
            return
        self._server.close()
        for writer in self._open:
            writer.close()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if len(self._open) <= CONNECTIONS and _is_ours(writer):
                await self._converse(reader, writer)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = b"\n"
        while line.endswith(b"\n"):
            try:
                line = await asyncio.wait_for(reader.readline(), IDLE)
            except ValueError:
                line = TOO_LONG
            # What ends without a line feed is half a question: nobody may act on it.
            if line.endswith(b"\n") or line is TOO_LONG:
                writer.write(await self._control.handle(line))
                await writer.drain()


def connect(folder: Path, timeout: float) -> socket.socket | None:
    """A connection to the door of a sidecar; None when nobody listens there. Raises OSError."""
    wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    wire.settimeout(timeout)
    try:
        with _address(folder / NAME) as address:
            wire.connect(address)
    except (FileNotFoundError, ConnectionRefusedError):
        wire.close()
        return None
    except BaseException:
        wire.close()
        raise
    return wire


def _bind(path: Path) -> socket.socket:
    """A listener of its owner alone. Whoever left one there is dead: we have the ledger's lock."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with _address(path) as address:
            listener.bind(address)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """`path`, or a short way to it: an address has room for about 100 characters."""
    if len(os.fsencode(path)) <= LONGEST or not Path("/proc/self/fd").exists():
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _is_ours(writer: asyncio.StreamWriter) -> bool:
    """Who is at the other end is our user, or root. Where the system can't tell, the mode must do."""
    credentials = getattr(socket, "SO_PEERCRED", None)
    if credentials is None:
        return True
    size = struct.calcsize("3i")
    wire: socket.socket = writer.get_extra_info("socket")
    _, user, _ = struct.unpack("3i", wire.getsockopt(socket.SOL_SOCKET, credentials, size))
    return user in (0, os.geteuid())
