"""Which version this is: an option and a command."""

from __future__ import annotations

from typing import Annotated

import typer

from wattline import __version__

app = typer.Typer(rich_markup_mode=None)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  (typer calls it)
    if wanted:
        print(__version__)
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
]


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)
