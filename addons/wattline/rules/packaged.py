"""The rules.yaml that is used where none is named."""

from __future__ import annotations

import errno
import importlib.resources
from pathlib import Path


def packaged_rules() -> Path:
    """The rules.yaml of this checkout, or the one in the wheel. Raises FileNotFoundError."""
    beside = Path(__file__).resolve().parents[3] / "rules.yaml"
    packed = Path(str(importlib.resources.files("wattline") / "defaults" / "rules.yaml"))
    for path in (beside, packed):
        if path.is_file():
            return path
    missing = (
        f"there is no rules.yaml in {beside.parent}: restore it, or name another with --rules FILE"
    )
    raise FileNotFoundError(errno.ENOENT, missing)
