"""Options that several commands have."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from wattline.base.settings import Settings, read_settings
from wattline.cli.environment import undone
from wattline.cli.wrong_value import none_of, wrong_value


def path_of(text: str) -> Path:
    """A path that was typed. An empty one is a variable that was not set, and would be the working
    folder. Raises BadParameter.
    """
    if not text.strip():
        raise typer.BadParameter("it is empty: leave the option out, or name a path")
    return Path(text)


Rules = Annotated[
    Path | None,
    typer.Option(
        parser=path_of,
        metavar="PATH",
        help="rules.yaml to use. Default: WATTLINE_RULES, ./rules.yaml, the packaged one.",
    ),
]
State = Annotated[
    Path | None,
    typer.Option(
        parser=path_of,
        metavar="FOLDER",
        help="Folder of the ledger and the CA. Default: WATTLINE_STATE, ./state beside a rules.yaml, "
        "~/.local/state/wattline.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Key = Annotated[
    str | None,
    typer.Option(
        envvar="WATTLINE_KEY",
        show_envvar=False,
        help="The command's key for wattline, when rules.yaml says `auth: {mode: keys}`. "
        "Better given as WATTLINE_KEY: arguments can be seen by other users.",
    ),
]
Energy = Annotated[str, typer.Argument(help="How much, for example 5000 or 0.5.")]
Subtract = Annotated[
    bool, typer.Option("--subtract", help="Take it away instead; never more than is free.")
]
Reason = Annotated[str | None, typer.Option(help="What the ledger says of it.")]
LogLevel = Annotated[
    str | None,
    typer.Option(
        help="debug, info, warn, error or silent. Default: WATTLINE_LOG_LEVEL, LOG_LEVEL, rules.yaml, info."
    ),
]

_AGE = re.compile(r"(\d{1,6})\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def settings(
    *,
    rules: Path | None = None,
    state: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    log_level: str | None = None,
    modes: tuple[str, ...] = ("regular",),
    env: Mapping[str, str] | None = None,
) -> Settings:
    """The process's settings. Raises SettingsError, Failure."""
    chosen = read_settings(
        undone(os.environ if env is None else env),
        cwd=Path.cwd(),
        rules=rules,
        state=state,
        host=host,
        port=port,
        log_level=log_level,
        modes=modes,
    )
    if chosen.log_level is not None:
        from wattline.base.logs import LEVELS

        if chosen.log_level.lower() not in LEVELS:
            name = "--log-level" if log_level else "WATTLINE_LOG_LEVEL or LOG_LEVEL"
            raise none_of(name, chosen.log_level, tuple(LEVELS))
    return chosen


def age(text: str, option: str = "--since") -> int:
    """Seconds of `30m`, `24h`, `7d`, `2w`, given with an option. Raises Failure."""
    match = _AGE.fullmatch(text.strip().lower())
    if match is None:
        examples = "30m, 24h, 7d, 2w or all" if option == "--since" else "30m, 24h, 7d or 2w"
        raise wrong_value(option, text, f"is no span of time: write for example {examples}")
    return int(match[1]) * _SECONDS[match[2]]


def folder(state: Path | None) -> Path:
    """The state folder, for commands that need nothing else. Raises SettingsError."""
    # The port is given so that a PORT of another program can't get in the way.
    return settings(state=state, port=0).state
