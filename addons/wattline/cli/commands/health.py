"""Commands about how a sidecar is."""

from __future__ import annotations

from typing import Annotated

import typer

from wattline.cli.options import AsJson, Rules, State, folder, settings

app = typer.Typer(rich_markup_mode=None)


@app.command()
def health(
    *,
    state: State = None,
    address: Annotated[
        str | None,
        typer.Option(help="host:port to ask. Default: the sidecar of the state folder."),
    ] = None,
    targets: Annotated[
        bool,
        typer.Option(
            "--targets",
            help="In place of that, how each target did in the last hour: its breaker, score, times and "
            "failures, out of the ledger. The sidecar need not run.",
        ),
    ] = False,
    rules: Rules = None,
    as_json: AsJson = False,
) -> None:
    """Ask the running sidecar how it is; exit 0 if it is healthy, else 1."""
    if targets:
        from wattline.cli.faring import targets as tell

        tell(settings(rules=rules, state=state), as_json=as_json)
        return
    from wattline.cli.health import health as ask

    raise typer.Exit(ask(folder(state), address, as_json=as_json))


@app.command()
def healthcheck(
    *,
    state: State = None,
    address: Annotated[
        str | None,
        typer.Option(help="host:port to ask. Default: the sidecar of the state folder."),
    ] = None,
) -> None:
    """Like health, without a word when all is well: for container health checks."""
    from wattline.cli.health import health as ask

    raise typer.Exit(ask(folder(state), address, quiet=True))


@app.command()
def doctor(*, rules: Rules = None, state: State = None) -> None:
    """Check this machine and this configuration, and say what to do.

    Where a sidecar runs with the state folder, providers are those that it can use, and what differs
    from this shell is told.
    """
    from wattline.cli.doctor import doctor as examine

    raise typer.Exit(examine(lambda: settings(rules=rules, state=state)))
