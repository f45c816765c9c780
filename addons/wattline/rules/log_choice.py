"""How and where to log: the environment first, then rules.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattline.base.logs import FORMATS, default_level
from wattline.base.settings import SettingsError
from wattline.rules.compiled.upkeep import LogRules

FOLDER: Final = "logs"
"""Of the state folder."""
_FORMAT: Final = ("WATTLINE_LOG_FORMAT", "LOG_FORMAT")


@dataclass(frozen=True, slots=True)
class LogChoice:
    """`format` is the console's; `folder` is that of the files, None for none."""

    level: str
    format: str
    folder: Path | None


def log_choice(
    rules: LogRules, level: str | None, env: Mapping[str, str], state: Path
) -> LogChoice:
    """`level` is what the command line or the environment says. Raises SettingsError."""
    folder: Path | None = None
    if rules.file is True:
        folder = state / FOLDER
    elif rules.file is not False:
        folder = state / rules.file  # an absolute path stays as it is
    return LogChoice(
        level or rules.level or default_level(env), log_format(env) or rules.format, folder
    )


def log_format(env: Mapping[str, str]) -> str | None:
    """What `LOG_FORMAT` says; None when it is not set. Raises SettingsError."""
    for name in _FORMAT:
        if said := env.get(name, "").strip().lower():
            if said not in FORMATS:
                raise SettingsError(f"{name} is {said[:40]!r}; it must be {' or '.join(FORMATS)}")
            return said
    return None
