"""What may be wrong with where files are: who can change them, and on what kind of file system."""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

NETWORK = frozenset(
    {
        *("9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.cephfs", "fuse.glusterfs"),
        *("fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs3", "nfs4"),
        *("ocfs2", "orangefs", "smb2", "smb3", "smbfs", "virtiofs", "vboxsf", "webdav", "vmhgfs"),
    }
)
"""File systems of other machines: locks and shared memory, which SQLite's WAL is built on, may not work
there (https://www.sqlite.org/wal.html)."""
MOUNTS = Path("/proc/self/mountinfo")
MOUNT_SECONDS = 2.0
_ESCAPED = re.compile(r"\\([0-7]{3})")
_BSD_MOUNT = re.compile(r".+? on (?P<place>.+) \((?P<kind>[\w.]+)[,)]")

type Mount = tuple[str, str]
"""Where it is mounted, and its kind."""


def permission_notes(path: Path) -> Iterator[str]:
    """Who else could change the rules; nothing when only their owner can, or nobody knows."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    others = [
        who for who, bit in (("its group", stat.S_IWGRP), ("everybody", stat.S_IWOTH)) if mode & bit
    ]
    if others:
        who = " and ".join(others)
        yield f"{path} can be changed by {who}, who then decide where keys are used: chmod go-w"


def network_note(state: Path) -> Iterator[str]:
    """That the state folder is on a file system of another machine; nothing when it is not."""
    if (kind := network_kind(state)) is not None:
        yield f"state folder {state} is on a network file system ({kind})"


def network_kind(path: Path) -> str | None:
    """The kind of the network file system that `path` is on; None for a local or an unknown one."""
    kind = kind_of(path, _mounts())
    return kind if kind in NETWORK else None


def kind_of(path: Path, mounts: Iterable[Mount]) -> str | None:
    """The kind of the innermost mount that holds `path`; of two at one place the later counts."""
    real = PurePosixPath(path.resolve())
    best: Mount | None = None
    for place, kind in mounts:
        if real.is_relative_to(place) and (best is None or len(place) >= len(best[0])):
            best = place, kind
    return best[1] if best is not None else None


def read_mountinfo(text: str) -> Iterator[Mount]:
    """Linux: proc(5), `/proc/pid/mountinfo`. Lines that make no sense are left out."""
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        fields, kind = before.split(" "), after.partition(" ")[0]
        if dash and len(fields) > 4 and kind:
            yield _ESCAPED.sub(lambda code: chr(int(code[1], 8)), fields[4]), kind


def read_mount(text: str) -> Iterator[Mount]:
    """macOS and BSDs: what mount(8) prints, `server:/x on /Volumes/x (nfs, nodev)`."""
    for line in text.splitlines():
        if match := _BSD_MOUNT.match(line):
            yield match["place"], match["kind"]


def _mounts() -> Iterator[Mount]:
    try:
        if MOUNTS.exists():
            return read_mountinfo(MOUNTS.read_text(errors="surrogateescape"))
        found = subprocess.run(
            ["/sbin/mount"], capture_output=True, text=True, check=False, timeout=MOUNT_SECONDS
        )
        return read_mount(found.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return iter(())
