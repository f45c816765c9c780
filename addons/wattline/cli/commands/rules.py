"""Commands about rules.yaml: what it says, where calls go by it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wattline.cli.options import AsJson, Rules, State, path_of, settings

app = typer.Typer(rich_markup_mode=None)


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
    from wattline.cli.question import ANY_CALL, Question

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
    if call is not None:
        from wattline.cli.explain_past import explain_past
        from wattline.cli.failure import USAGE, Failure

        if question != ANY_CALL:
            raise Failure(
                "--call names a call that was made: leave out the file and the options that describe one",
                USAGE,
            )
        raise typer.Exit(explain_past(call, settings(rules=rules, state=state), as_json=as_json))
    from wattline.cli.explain import explain as explain_call

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
