"""The state folder: who may read it, and the lock that keeps it to one process."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from wattline.store.base import LedgerDown

OWN_NAMES = frozenset(
    {
        "README.md",
        ".gitignore",
        "ca",
        "logs",
        "sidecar.json",
        "control.sock",
        "jwt.secret",
        "secret.key",
        "excluded-errors.json",
    }
)
OWN_SUFFIXES = frozenset({".sqlite", ".sqlite-wal", ".sqlite-shm", ".lock", ".port", ".pid"})


def prepare(folder: Path) -> None:
    """Make `folder` (0700). An existing one is closed to others only if nothing but wattline's files
    is in it: a folder like /var/lib that was named by mistake stays as it is. Raises OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    open_to_others = stat.S_IMODE(status.st_mode) & 0o077
    if open_to_others and status.st_uid == os.geteuid() and _is_ours(folder):
        folder.chmod(0o700)


def _is_ours(folder: Path) -> bool:
    return all(item.name in OWN_NAMES or item.suffix in OWN_SUFFIXES for item in folder.iterdir())


def make_private(path: Path) -> None:
    """Make the file if need be, and let only its owner read and write it. Raises OSError.

    SQLite gives -wal and -shm the mode of the database. Call it before SQLite opens the file:
    closing any descriptor of a database drops the locks that this process has on it
    (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


class Lock:
    """An exclusive lock on a file. It ends with the process, however that dies; the file stays."""

    def __init__(self, path: Path) -> None:
        """Take it. Raises LedgerDown when another process has it, OSError."""
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._descriptor: int | None = os.open(path, flags, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            self.release()
            raise LedgerDown(
                f"another wattline (process {owner}) uses {path.parent}: stop it, or give this one a "
                "state folder of its own"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next one in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
