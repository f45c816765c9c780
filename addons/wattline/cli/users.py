"""`wattline users`: the people that keys belong to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wattline.cli.account_lines import (
    amount,
    credited,
    energy_text,
    print_balance,
    print_json,
    print_notes,
    print_user,
    role_of,
)
from wattline.cli.accounts import ask
from wattline.cli.failure import USAGE, Failure
from wattline.cli.options import AsJson, Energy, Reason, Rules, State, Subtract, settings

COLUMNS = ("id", "name", "email", "role", "tier", "balance", "keys", "state")
NUMBERS = ("balance", "keys")

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Users and their balances, of the sidecar that runs or of its ledger when none does.",
)

User = Annotated[str, typer.Argument(help="The user's id, or that of one of its keys.")]
Role = Annotated[
    str | None, typer.Option(help="user or admin. A key is an admin's if its user is one.")
]
Tier = Annotated[
    str | None,
    typer.Option(help='One of `tiers` in rules.yaml, for keys that have none; "" for none.'),
]
Name = Annotated[str | None, typer.Option(help="What people call the user.")]
Email = Annotated[str | None, typer.Option(help='The address to log in with; "" for none.')]


@app.command("list")
def list_users(
    *,
    role: Annotated[str | None, typer.Option(help="Only those: user or admin.")] = None,
    rules: Rules = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """List users with their balances."""
    result = ask(settings(rules=rules, state=state), "users", role=role_of(role))
    if not print_json(result, as_json=as_json):
        _table(result["users"])


@app.command()
def create(
    user: Annotated[str | None, typer.Argument(help="The id. Left out, one is made.")] = None,
    *,
    name: Name = None,
    email: Email = None,
    role: Role = None,
    tier: Tier = None,
    credit: Annotated[
        str | None,
        typer.Option(
            help="Energy that the balance begins with. Default: `accounts.start_balance` of rules.yaml, "
            "no limit for an admin."
        ),
    ] = None,
    rules: Rules = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Make a user without a key; `wattline keys create --user` makes keys."""
    given = {
        "user": user,
        "name": name,
        "email": email or None,
        "role": role_of(role),
        "tier": tier or None,
        "credit": amount(credit, "--credit"),
    }
    _told(ask(settings(rules=rules, state=state), "create_user", **given), as_json)


@app.command("set")
def set_user(
    user: User,
    *,
    name: Name = None,
    email: Email = None,
    role: Role = None,
    tier: Tier = None,
    rules: Rules = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Change a user. What is not given stays; it counts from the next call on."""
    said = {"name": name, "email": email, "role": role_of(role), "tier": tier}
    given = {word: value for word, value in said.items() if value is not None}
    if not given:
        raise Failure("say what to change: --tier, --role, --name, --email", USAGE)
    changes = {word: value or None for word, value in given.items()}
    _told(ask(settings(rules=rules, state=state), "set_user", user=user, **changes), as_json)


@app.command()
def disable(
    user: User, *, rules: Rules = None, state: State = None, as_json: AsJson = False
) -> None:
    """Refuse all keys and logins of a user from the next call on."""
    _told(ask(settings(rules=rules, state=state), "disable_user", user=user), as_json)


@app.command()
def enable(
    user: User, *, rules: Rules = None, state: State = None, as_json: AsJson = False
) -> None:
    """Let a disabled user in again."""
    _told(ask(settings(rules=rules, state=state), "enable_user", user=user), as_json)


@app.command()
def credit(
    user: User,
    energy: Energy,
    *,
    subtract: Subtract = False,
    reason: Reason = None,
    rules: Rules = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Add to a user's balance, or take from it: as `wattline keys credit`."""
    given = credited(user, energy, subtract=subtract, reason=reason)
    print_balance(ask(settings(rules=rules, state=state), "credit", **given), as_json=as_json)


def _told(result: dict[str, Any], as_json: bool) -> None:  # noqa: FBT001 - an option
    if not print_json(result, as_json=as_json):
        print_user(result["user"])
        print_notes(result)


def _table(users: list[dict[str, Any]]) -> None:
    from wattline.cli.terminal import console, safe, table

    if not users:
        print("There are no users. Make one: wattline users create NAME")
        return
    made = table(COLUMNS, NUMBERS)
    for user in users:
        cells = (
            user["id"], user["name"], user["email"] or "", user["role"], user["tier"] or "",
            energy_text(user["balance"], "no limit"), str(user["keys"]),
            "active" if user["disabled"] is None else "disabled",
        )  # fmt: skip
        made.add_row(*(safe(cell) for cell in cells))
    console().print(made)
