"""Commands about what was seen of calls."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from wattline.cli.options import AsJson, State, age, folder, path_of, settings

app = typer.Typer(rich_markup_mode=None)


@app.command(context_settings={"allow_interspersed_args": False})
def watch(
    *,
    command: Annotated[
        list[str] | None, typer.Argument(help="A command to watch, with its arguments.")
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="30s, 10m, 8h: for how long. Default: until Ctrl-C.")
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            help="A host to read beside the known providers'; can be given more than once."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_of, metavar="PATH", help="Write the proposal to this new file."),
    ] = None,
    state: State = None,
) -> None:
    """Observe a program's model calls without changing any, and propose a rules.yaml.

    Each call goes to the host that its program names, with the program's own key. Hosts that are no model
    providers are only counted. SIGUSR1 prints what was seen so far.
    """
    from wattline.cli.watch import Watch
    from wattline.cli.watch import watch as observe

    chosen = settings(state=state, port=port)
    seconds = None if for_ is None else float(age(for_, "--for"))
    asked = Watch(chosen, seconds, command or (), host or (), out, dict(os.environ))
    raise typer.Exit(observe(asked))


@app.command()
def cache(*, state: State = None, as_json: AsJson = False) -> None:
    """Show what broke providers' prompt caches, by conversation, with the tokens and the money that it cost.

    Asks the sidecar that runs: it keeps this in memory, where rules.yaml says `affinity: {diagnose: true}`.
    """
    from wattline.cli.cache import cache as show

    show(folder(state), as_json=as_json)


@app.command()
def proof(
    *,
    since: Annotated[str, typer.Option(help="30m, 24h, 7d, 2w, or all.")] = "24h",
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Show and verify the digests of what was passed on untouched; 1 when something was changed."""
    from wattline.cli.proof import proof as show

    raise typer.Exit(show(folder(state), since=since, as_json=as_json))
