"""Variables written so that a shell or a program can take them over."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from enum import StrEnum


class Shell(StrEnum):
    """`bash` serves dash and every POSIX shell too."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"
    DOTENV = "dotenv"
    JSON = "json"


_PLAIN = re.compile(r"[A-Za-z0-9_./:,@%+=-]*")
# PowerShell takes typographic quotes for straight ones.
_POWERSHELL_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")


def render(values: Mapping[str, str], shell: Shell) -> str:
    """The text to evaluate or to save, newline at its end."""
    if shell is Shell.JSON:
        return json.dumps(dict(values), indent=2) + "\n"
    write = _WRITERS[shell]
    return "".join(write(name, value) + "\n" for name, value in values.items())


def _bash(name: str, value: str) -> str:
    quoted = value.replace("'", "'\\''")
    return f"export {name}='{quoted}'"


def _fish(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


def _powershell(name: str, value: str) -> str:
    quoted = _POWERSHELL_QUOTES.sub(lambda quote: quote[0] * 2, value)
    return f"$Env:{name} = '{quoted}'"


def _dotenv(name: str, value: str) -> str:
    """Bare where every reader agrees, else quoted as python-dotenv, Node's dotenv and Docker Compose
    read it. `docker run --env-file` knows no quotes: there only bare values work.
    """
    if _PLAIN.fullmatch(value):
        return f"{name}={value}"
    if "'" not in value and "\n" not in value:
        return f"{name}='{value}'"
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}="{quoted}"'


_WRITERS: Mapping[Shell, Callable[[str, str], str]] = {
    Shell.BASH: _bash,
    Shell.ZSH: _bash,
    Shell.FISH: _fish,
    Shell.POWERSHELL: _powershell,
    Shell.DOTENV: _dotenv,
}
