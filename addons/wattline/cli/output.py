"""Files that a command makes at its end: looked at before it begins, so that no work is lost for a mistyped name."""

from __future__ import annotations

import os
from pathlib import Path

from wattline.cli.failure import Failure


def check_output(path: Path) -> None:
    """The file can most likely be made. Raises Failure."""
    folder = path.parent
    if not folder.is_dir():
        raise Failure(f"{path} can't be written: there is no folder {folder}")
    if path.is_dir():
        raise Failure(f"{path} is a folder: name a file in it")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise Failure(f"{path} can't be written: no permission")
