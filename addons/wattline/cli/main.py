"""The command line: what can be asked for. The work of each command is in a module it imports."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from wattline import __version__
from wattline.cli.environment import Via
from wattline.cli.failure import FAILED, RUN_FAILED, end
from wattline.cli.keys import app as keys_app
from wattline.cli.options import AsJson, Key, LogLevel, Rules, State, age, folder, path_of, settings
from wattline.cli.shells import Shell
from wattline.cli.users import app as users_app


class Commands(TyperGroup):
    """Commands whose errors end in a line or two instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except Exception as error:
            # Wrong usage and `Exit` are the library's own way out.
            if type(error).__module__.partition(".")[0] in {"click", "typer"}:
                raise
            end(error, RUN_FAILED if ctx.invoked_subcommand == "run" else FAILED)


app = typer.Typer(
    name="wattline",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help comes at half the time
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A sidecar proxy for LLM calls: routes by rules, fails over, meters every token.",
)
ca_app = typer.Typer(
    rich_markup_mode=None,
    help="The certificate authority that lets the proxy read calls to model providers.",
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  (typer calls it)
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def wattline(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """A sidecar proxy for LLM calls: routes by rules, fails over, meters every token."""


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

    chosen = settings(
        rules=rules,
        state=state,
        host=host,
        port=port,
        log_level=log_level,
        modes=tuple(mode or ("regular",)),
    )
    raise typer.Exit(serve_forever(chosen))


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


@app.command()
def check(
    *,
    file: Annotated[
        Path | None,
        typer.Argument(
            parser=path_of,
            metavar="FILE",
            help="Default: WATTLINE_RULES, ./rules.yaml, the packaged one.",
        ),
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Read rules.yaml as the sidecar would, and say what is in it or wrong with it.

    Keys are those of this shell. What a sidecar that runs with the state folder has is shown beside.
    """
    from wattline.cli.check import check as check_rules

    raise typer.Exit(check_rules(settings(rules=file, state=state), as_json=as_json))


@app.command()
def explain(
    *,
    body: Annotated[
        str | None, typer.Argument(help="File with a request's JSON body; - reads it from stdin.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model that is asked for.")] = None,
    path: Annotated[str, typer.Option(help="Path of the request.")] = "/v1/chat/completions",
    header: Annotated[
        list[str] | None, typer.Option(help="name=value; can be given more than once.")
    ] = None,
    method: Annotated[str, typer.Option(help="Method of the request.")] = "POST",
    host: Annotated[
        str | None, typer.Option(help="The provider's host, as if the call came by the proxy.")
    ] = None,
    stream: Annotated[bool, typer.Option("--stream", help="As if a stream was asked for.")] = False,
    tokens: Annotated[
        int | None, typer.Option(min=0, help="Estimated prompt tokens, instead of the body's.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="A tag of the call; can be given more than once.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="The call's user field.")] = None,
    principal: Annotated[
        str | None, typer.Option(help="Name of the key that calls. Default: local.")
    ] = None,
    own_key: Annotated[
        list[str] | None,
        typer.Option(
            help="A provider that the caller has a key of its own for; can be given more than once."
        ),
    ] = None,
    call: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="A call of the past, by its x-wattline-call: why it went where it went.",
        ),
    ] = None,
    rules: Rules = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Show where a call would go and why, without making it; or why one of the past went where it went.

    Where a sidecar runs these rules with the state folder, the providers are those that it can use, else
    those of this shell.
    """
    if call is not None:
        from wattline.cli.explain_past import explain_past

        raise typer.Exit(explain_past(call, settings(rules=rules, state=state), as_json=as_json))
    from wattline.cli.explain import explain as explain_call
    from wattline.cli.question import Question

    question = Question(
        body=body,
        model=model,
        path=path,
        headers=tuple(header or ()),
        method=method,
        host=host,
        stream=stream,
        tokens=tokens,
        tags=tuple(tag or ()),
        user=user,
        principal=principal,
        own_keys=tuple(own_key or ()),
    )
    raise typer.Exit(explain_call(question, settings(rules=rules, state=state), as_json=as_json))


@app.command()
def backtest(
    *,
    file: Annotated[
        Path,
        typer.Argument(parser=path_of, metavar="FILE", help="The rules.yaml that is tried."),
    ],
    since: Annotated[str, typer.Option(help="How far back: 30m, 24h, 7d, 2w, or all.")] = "7d",
    image: Annotated[
        Path | None,
        typer.Option("--picture", parser=path_of, metavar="FILE", help="Also draw it, as SVG."),
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Replay the ledger's calls with other rules, without calling anybody.

    Tells which calls change their target, which 429s are avoided or caused, what energy and money change, and
    which rules are never reached. The sidecar may be running.
    """
    from wattline.cli.backtest import Wish
    from wattline.cli.backtest import backtest as replay

    chosen = settings(rules=file, state=state)
    raise typer.Exit(replay(Wish(chosen, since, as_json=as_json, picture=image)))


@app.command("test")
def run_cases(
    *,
    paths: Annotated[
        list[Path],
        typer.Argument(
            parser=path_of, metavar="PATH...", help="Files of cases, or folders of them."
        ),
    ],
    update: Annotated[
        bool, typer.Option("--update", help="Let the files expect what was found.")
    ] = False,
    rules: Rules = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Check rules.yaml against cases: facts of a request, and the plan that is expected.

    No key is needed and nothing is called. Exits 1 when a case comes to another plan, 2 when one can't be read.
    """
    from wattline.cli.cases import check_cases

    chosen = settings(rules=rules, state=state)
    raise typer.Exit(check_cases(paths, chosen, update=update, as_json=as_json))


@app.command()
def record(
    *,
    out: Annotated[
        Path, typer.Option("--out", parser=path_of, metavar="FOLDER", help="Where files are made.")
    ],
    since: Annotated[str, typer.Option(help="How far back: 30m, 24h, 7d, 2w, or all.")] = "7d",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most cases.")] = 200,
    people: Annotated[
        bool, typer.Option("--principals", help="With callers' names and user fields.")
    ] = False,
    rules: Rules = None,
    state: State = None,
) -> None:
    """Make cases for wattline test from calls of the ledger, one of each kind.

    There are no prompts in them, no callers unless asked for, and no headers but those that conditions ask for.
    """
    from wattline.cli.cases import Wish
    from wattline.cli.cases import record as write_cases

    chosen = settings(rules=rules, state=state)
    raise typer.Exit(write_cases(Wish(chosen, out, since, limit, people=people)))


@app.command()
def usage(
    *,
    by: Annotated[str, typer.Option(help="model, provider, key, rule or day.")] = "model",
    since: Annotated[str, typer.Option(help="How far back: 30m, 24h, 7d, 2w, or all.")] = "7d",
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Show calls, tokens and energy from the ledger. The sidecar may be running.

    A call that went to two providers is in both rows, and once in the last line. Attempts, tokens and
    energy are in one row each.
    """
    from wattline.cli.usage import usage as show_usage

    show_usage(folder(state), by=by, since=since, as_json=as_json)


@app.command()
def shadow(
    *,
    since: Annotated[str, typer.Option(help="How far back: 30m, 24h, 7d, 2w, or all.")] = "7d",
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Compare shadow targets with those that answered: times, tokens, failures. The sidecar may be running."""
    from wattline.cli.shadow import shadow as show_shadow

    show_shadow(folder(state), since=since, as_json=as_json)


@app.command()
def audit(*, state: State = None, as_json: AsJson = False) -> None:
    """Recompute the whole ledger; exit 1 and name each difference if it does not add up."""
    from wattline.cli.audit import audit as audit_ledger

    raise typer.Exit(audit_ledger(folder(state), as_json=as_json))


@app.command("import")
def import_files(
    *,
    paths: Annotated[
        list[Path],
        typer.Argument(
            parser=path_of, metavar="PATH...", help="Files, or folders with *.json in them."
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
    ] = False,
    credit: Annotated[
        str | None,
        typer.Option(
            help="Energy that users of a file without balances begin with. Default: no limit."
        ),
    ] = None,
    rules: Rules = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Take over users, keys, balances, dialogs and referrals of other gateways.

    Reads tokens.json, user_tokens.json, dialogs.json, referrals.json, keys.json; knows each by its shape.
    providers.json and tiers.json are printed as a piece of rules.yaml, with names of variables in place of keys. Run again, it leaves
    alone what is here already. Exits 1 when something was not taken.
    """
    from wattline.cli.account_lines import micro
    from wattline.cli.importing.command import import_files as take_over

    chosen = settings(rules=rules, state=state)
    start = None if credit is None else micro(credit)
    raise typer.Exit(take_over(paths, chosen, dry=dry_run, credit=start, as_json=as_json))


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

    raise typer.Exit(examine(settings(rules=rules, state=state)))


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
    seconds = None if for_ is None else float(age(for_))
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


@app.command()
def demo(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 8089,
    delay: Annotated[float | None, typer.Option(help="Milliseconds before each answer.")] = None,
    variance: Annotated[float | None, typer.Option(help="Delay varies by this much.")] = None,
    error_rate: Annotated[
        float | None, typer.Option(help="Part of calls that fail, 0 to 1.")
    ] = None,
    timeout_rate: Annotated[
        float | None, typer.Option(help="Part of calls that are never answered, 0 to 1.")
    ] = None,
    token_speed: Annotated[float | None, typer.Option(help="Tokens a second.")] = None,
) -> None:
    """Run the demo provider alone: an OpenAI-like server with made-up answers.

    The variables MOCK_BASE_DELAY, MOCK_DELAY_VARIANCE, MOCK_ERROR_RATE, MOCK_TIMEOUT_RATE,
    MOCK_TOKEN_SPEED and MOCK_ENABLE_LOGS set what options don't.
    """
    from wattline.cli.demo import demo as run_demo

    chosen = {
        "base_delay_ms": delay,
        "delay_variance_ms": variance,
        "error_rate": error_rate,
        "timeout_rate": timeout_rate,
        "token_speed": token_speed,
    }
    run_demo(port, {name: value for name, value in chosen.items() if value is not None})


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


@ca_app.callback(invoke_without_command=True)
def ca(ctx: typer.Context, state: State = None) -> None:
    """The certificate authority that lets the proxy read calls to model providers.

    Without a subcommand: where its files are, and how clients come to trust it.
    """
    ctx.obj = folder(state)
    if ctx.invoked_subcommand is None:
        from wattline.cli.ca import show

        show(folder(state))


@ca_app.command()
def export(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="File to write; - writes to stdout.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write the CA's certificate (never its key) to a file, to be trusted elsewhere."""
    from wattline.cli.ca import export as export_certificate

    export_certificate(ctx.obj, path, force=force)


app.add_typer(ca_app, name="ca")
app.add_typer(keys_app, name="keys")
app.add_typer(users_app, name="users")
