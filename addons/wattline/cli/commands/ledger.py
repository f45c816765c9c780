"""Commands about the ledger: what was used, whether it adds up, what others kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wattline.cli.options import AsJson, Rules, State, folder, path_of, settings

app = typer.Typer(rich_markup_mode=None)


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
    start = None if credit is None else micro(credit, "--credit")
    raise typer.Exit(take_over(paths, chosen, dry=dry_run, credit=start, as_json=as_json))
