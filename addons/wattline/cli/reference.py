"""docs/cli.md, written from the commands themselves: `python -m wattline.cli.reference > docs/cli.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import typer.main

from wattline.cli.main import app

_HEAD = """\
# Command line

Made by `python -m wattline.cli.reference > docs/cli.md`; a test compares the two. Write `.venv/bin/wattline`
in a checkout, or `wattline` after `pip install`. `--help` after any command shows its options,
`wattline --version` prints the version.

"""

_FOOT = """\
## Exit codes

| code | meaning |
|---|---|
| 0 | done; for `check`, `audit`, `health`, `doctor`: all is well |
| 1 | failed, or something is wrong; the reason is on stderr, findings are on stdout |
| 2 | wrong usage: an unknown option, a value out of range |
| 125 | `run` only: wattline itself failed, the command was not started |
| 126 | `run` only: the command is not executable |
| 127 | `run` only: the command was not found |
| 128 + n | `run` only: signal n ended the command |

Any other code of `run` is the command's own. An unexpected error is told in a line; `WATTLINE_TRACEBACK=1`
shows where it comes from.
"""


def reference() -> str:
    """The page, in Markdown."""
    top = typer.main.get_command(app)
    return _HEAD + "\n".join(_sections(top, "wattline")) + "\n" + _FOOT


def _sections(group: Any, name: str) -> Iterator[str]:
    commands: Mapping[str, Any] = group.commands
    for own, command in commands.items():
        yield _section(command, f"{name} {own}")
        if hasattr(command, "commands"):
            yield from _sections(command, f"{name} {own}")


def _section(command: Any, name: str) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    lines = [f"## {name}", "", f"`{_usage(command, name, arguments, options)}`", ""]
    lines += [*_paragraphs(command.help or ""), ""]
    rows = [*map(_argument_row, arguments), *map(_option_row, options)]
    if rows:
        lines += ["| | |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _usage(command: Any, name: str, arguments: list[Any], options: list[Any]) -> str:
    parts = [name, "[OPTIONS]" if options else "", "-- " if name == "wattline run" else ""]
    parts += [_argument_name(argument) for argument in arguments]
    if hasattr(command, "commands"):
        parts.append(f"[{'|'.join(command.commands)}]")
    return " ".join(part.strip() for part in parts if part)


def _argument_name(argument: Any) -> str:
    name = argument.name.upper() + ("…" if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _argument_row(argument: Any) -> str:
    return f"| `{argument.name.upper()}` | {_cell(argument.help)} |"


def _option_row(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    text = _cell(option.help)
    kind = option.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        text += f" One of {', '.join(f'`{choice.value}`' for choice in kind)}."
    default = option.default
    if default is not None and default is not False:
        text += f" Default: `{default.value if isinstance(default, Enum) else default}`."
    return f"| {names} | {text} |"


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _paragraphs(text: str) -> list[str]:
    """The help's paragraphs, each as one line, with an empty line between two."""
    found = [" ".join(paragraph.split()) for paragraph in text.replace("\b", "").split("\n\n")]
    return [line for paragraph in found for line in ("", paragraph)][1:]


if __name__ == "__main__":
    sys.stdout.write(reference())
