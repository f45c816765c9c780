"""Commands about the certificate authority."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wattline.cli.options import State, folder

app = typer.Typer(
    rich_markup_mode=None,
    help="The certificate authority that lets the proxy read calls to model providers.",
)


@app.callback(invoke_without_command=True)
def ca(ctx: typer.Context, state: State = None) -> None:
    """The certificate authority that lets the proxy read calls to model providers.

    Without a subcommand: where its files are, and how clients come to trust it.
    """
    ctx.obj = folder(state)
    if ctx.invoked_subcommand is None:
        from wattline.cli.ca import show

        show(folder(state))


@app.command()
def export(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="File to write; - writes to stdout.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write the CA's certificate (never its key) to a file, to be trusted elsewhere."""
    from wattline.cli.ca import export as export_certificate

    export_certificate(ctx.obj, path, force=force)
