"""Secrets that we draw ourselves, each in a file of the state folder that its owner alone can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from wattline.base.settings import SettingsError

MAX_BYTES = 65_536


def read_secret_file(path: Path) -> str | None:
    """The text of a secret file; None when there is none. Raises SettingsError for one that others can read,
    is empty, or is no text.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise SettingsError(
                f"{path} can be read by others: `chmod 600` it, or take a new secret"
            )
        raw = file.read(MAX_BYTES)
    text = raw.decode("ascii", "replace").strip()
    if not text or not text.isascii():
        raise SettingsError(f"{path} holds no secret: restore it from a backup, or delete it")
    return text


def make_secret_file(path: Path, text: str) -> None:
    """Write a secret (mode 0600). It is there whole or not at all. Raises SettingsError."""
    whole = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(whole, flags, 0o600), "w") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        whole.replace(path)
    except OSError as error:
        raise SettingsError(f"{path} can't be written: {error.strerror}") from error
