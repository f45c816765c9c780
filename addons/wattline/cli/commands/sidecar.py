"""Commands that run a sidecar, or lead to one."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from wattline.cli.environment import Via
from wattline.cli.options import Key, LogLevel, Rules, State, settings
from wattline.cli.shells import Shell

app = typer.Typer(rich_markup_mode=None)

_MODES = "write regular, transparent, socks5, local, wireguard, reverse:URL or upstream:URL, each with @PORT if need be"


@app.command()
def serve(
    *,
    rules: Rules = None,
    state: State = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Address to listen on. Default: WATTLINE_HOST, HOST, rules.yaml, 127.0.0.1."
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="0 takes any free one. Default: WATTLINE_PORT, PORT, rules.yaml, 8088.",
        ),
    ] = None,
    mode: Annotated[
        list[str] | None,
        typer.Option(
            help="One of mitmproxy's proxy modes; can be given more than once. Default: regular, "
            "which serves base URLs and proxy variables on one port."
        ),
    ] = None,
    log_level: LogLevel = None,
) -> None:
    """Run the sidecar until Ctrl-C or SIGTERM."""
    from wattline.serving import serve as serve_forever

    _check_modes(mode or ())
    chosen = settings(
        rules=rules,
        state=state,
        host=host,
        port=port,
        log_level=log_level,
        modes=tuple(mode or ("regular",)),
    )
    raise typer.Exit(serve_forever(chosen))


def _check_modes(modes: Sequence[str]) -> None:
    if not modes:
        return
    from wattline.cli.wrong_value import wrong_value
    from wattline.proxy.modes import unfit_mode

    for mode in modes:
        if (reason := unfit_mode(mode)) is not None:
            raise wrong_value("--mode", mode, f"is no proxy mode ({reason}): {_MODES}")


@app.command(context_settings={"allow_interspersed_args": False})
def run(
    *,
    command: Annotated[list[str], typer.Argument(help="The command and its arguments.")],
    via: Annotated[Via, typer.Option(help="How its calls come to the sidecar.")] = Via.BOTH,
    rules: Rules = None,
    state: State = None,
    key: Key = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    log_level: Annotated[
        str | None,
        typer.Option(help="Of a sidecar started here. Default: WATTLINE_LOG_LEVEL, warning."),
    ] = None,
) -> None:
    """Run a command whose model calls go through wattline.

    wattline run -- COMMAND uses the sidecar that runs already, else starts one for as long as the command takes. Exits with
    the command's code; 125 means that wattline failed, 126 not executable, 127 not found.
    """
    from wattline.cli.run import Order
    from wattline.cli.run import run as run_command

    level = log_level or os.environ.get("WATTLINE_LOG_LEVEL") or "warning"
    chosen = settings(rules=rules, state=state, port=0, log_level=level)
    order = Order(command, chosen, via, dict(os.environ), key, quiet, chose_rules=rules is not None)
    raise typer.Exit(run_command(order))


@app.command()
def env(
    *,
    shell: Annotated[Shell, typer.Option(help="How to write them.")] = Shell.BASH,
    via: Annotated[Via, typer.Option(help="How calls come to the sidecar.")] = Via.BOTH,
    rules: Rules = None,
    state: State = None,
    key: Key = None,
) -> None:
    """Print the variables that send a program's calls to the sidecar: eval "$(wattline env)"."""
    from wattline.cli.door import find_door
    from wattline.cli.environment import variables
    from wattline.cli.shells import render

    door = find_door(settings(rules=rules, state=state), via, key)
    sys.stdout.write(render(variables(door, via, os.environ), shell))
