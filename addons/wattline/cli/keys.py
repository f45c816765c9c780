"""`wattline keys`: callers' keys and balances (A-135)."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from wattline.cli.account_lines import (
    amount,
    credited,
    print_balance,
    print_json,
    print_user,
    role_of,
)
from wattline.cli.accounts import ask
from wattline.cli.failure import USAGE, Failure
from wattline.cli.key_lines import print_changed, print_issued, print_key, print_keys
from wattline.cli.options import (
    AsJson,
    Energy,
    Reason,
    Rules,
    State,
    Subtract,
    age,
    settings,
)
from wattline.cli.wrong_value import wrong_value

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Keys and balances of callers, of the sidecar that runs or of its ledger when none does.",
)

Named = Annotated[str, typer.Argument(help="The key's id, or its user's if that has only one key.")]
Tier = Annotated[str | None, typer.Option(help="One of `tiers` in rules.yaml.")]
Expires = Annotated[
    str | None,
    typer.Option(help="A day (2027-01-31), a moment (2027-01-31T12:00Z), a span (30d) or never."),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        help="Only these models: names or patterns, with commas or given again. * for all."
    ),
]
Label = Annotated[str | None, typer.Option(help="A note on what it is for.")]
PerHour = Annotated[str | None, typer.Option("--per-hour", help="Most energy in any hour.")]
PerDay = Annotated[str | None, typer.Option("--per-day", help="Most energy in any 24 hours.")]
PerMonth = Annotated[str | None, typer.Option("--per-month", help="Most energy in any 30 days.")]


@app.command()
def create(
    *,
    user: Annotated[
        str | None,
        typer.Option("--user", "--name", "--userName", help="Whose; made if it does not exist."),
    ] = None,
    role: Annotated[str, typer.Option("--role", "--type", help="user or admin.")] = "user",
    credit: Annotated[
        str | None,
        typer.Option(
            "--credit", "--tokens", "--token",
            help="Energy: what a new user begins with, or what is added. "
            "Default: `accounts.start_balance` of rules.yaml for a new user, no limit for a new admin.",
        ),
    ] = None,
    email: Annotated[str | None, typer.Option(help="The new user's.")] = None,
    tier: Tier = None,
    expires: Expires = None,
    models: Models = None,
    per_hour: PerHour = None,
    per_day: PerDay = None,
    per_month: PerMonth = None,
    label: Label = None,
    rules: Rules = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a key, and its user if need be. The key is shown this once."""
    given = {
        "user": user,
        "role": role_of(role),
        "credit": amount(credit, "--credit"),
        "email": email,
        "tier": tier,
        "expires": None if expires is None else _moment(expires),
        "models": _list(models),
        "budgets": _budgets(per_hour, per_day, per_month),
        "label": label,
    }
    result = ask(settings(rules=rules, state=state), "create", **given)
    print_issued(result, as_json=as_json)


@app.command("list")
def list_keys(
    *,
    user: Annotated[str | None, typer.Option("--user", "--name", help="Only this user's.")] = None,
    rules: Rules = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """List keys. The keys themselves are not kept: only their ends are shown."""
    result = ask(settings(rules=rules, state=state), "list", user=user)
    if not print_json(result, as_json=as_json):
        print_keys(result["keys"])


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A user's id or a key's.")],
    *,
    rules: Rules = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Show a user's balance and keys, with their bounds and what was spent of them."""
    result = ask(settings(rules=rules, state=state), "show", name=name)
    if not print_json(result, as_json=as_json):
        print_user(result["user"])
        for key in result["keys"]:
            print_key(key)


@app.command()
def rotate(
    key: Named, *, rules: Rules = None, state: State = None, as_json: AsJson = False
) -> None:
    """Give a key a new secret. The old one is refused from the next call on."""
    result = ask(settings(rules=rules, state=state), "rotate", key=key)
    print_issued(result, as_json=as_json)


@app.command()
def disable(
    key: Named, *, rules: Rules = None, state: State = None, as_json: AsJson = False
) -> None:
    """Refuse a key from the next call on."""
    print_changed(
        ask(settings(rules=rules, state=state), "disable", key=key), "disabled", as_json=as_json
    )


@app.command()
def enable(
    key: Named, *, rules: Rules = None, state: State = None, as_json: AsJson = False
) -> None:
    """Let a disabled key in again."""
    print_changed(
        ask(settings(rules=rules, state=state), "enable", key=key), "enabled", as_json=as_json
    )


@app.command()
def delete(
    key: Named, *, rules: Rules = None, state: State = None, as_json: AsJson = False
) -> None:
    """Forget a key. What it used stays in the ledger."""
    print_changed(
        ask(settings(rules=rules, state=state), "delete", key=key), "deleted", as_json=as_json
    )


@app.command("set")
def set_bounds(
    key: Named,
    *,
    tier: Tier = None,
    expires: Expires = None,
    models: Models = None,
    per_hour: PerHour = None,
    per_day: PerDay = None,
    per_month: PerMonth = None,
    label: Label = None,
    rules: Rules = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Change a key's bounds. Budgets are set together: what is left out then has no bound."""
    given: dict[str, Any] = {}
    if tier is not None:
        given["tier"] = tier or None
    if expires is not None:
        given["expires"] = _moment(expires)
    if models is not None:
        given["models"] = _list(models)
    if (budgets := _budgets(per_hour, per_day, per_month)) is not None:
        given["budgets"] = budgets
    if label is not None:
        given["label"] = label
    if not given:
        raise Failure("say what to change: --tier, --expires, --models, --per-day, …", USAGE)
    print_changed(
        ask(settings(rules=rules, state=state), "set", key=key, **given), "changed", as_json=as_json
    )


@app.command()
def credit(
    user: Annotated[str, typer.Argument(help="A user's id, or that of one of its keys.")],
    energy: Energy,
    *,
    subtract: Subtract = False,
    reason: Reason = None,
    rules: Rules = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Add to a user's balance, or take from it."""
    given = credited(user, energy, subtract=subtract, reason=reason)
    print_balance(ask(settings(rules=rules, state=state), "credit", **given), as_json=as_json)


def _budgets(hour: str | None, day: str | None, month: str | None) -> dict[str, str | None] | None:
    if hour is None and day is None and month is None:
        return None
    said = {"hour": hour, "day": day, "month": month}
    return {name: amount(text, f"--per-{name}") for name, text in said.items()}


def _list(models: list[str] | None) -> list[str] | None:
    if models is None:
        return None
    names = [name.strip() for one in models for name in one.split(",") if name.strip()]
    return None if names == ["*"] else names


def _moment(text: str) -> int | None:
    """Milliseconds since 1970, or None for never. Raises Failure."""
    if text == "never":
        return None
    if text[:4].isdigit() and "-" in text:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise _no_end(text) from None
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return max(int(moment.timestamp() * 1000), 0)
    with suppress(Failure):
        return int((time.time() + age(text)) * 1000)
    raise _no_end(text)


def _no_end(text: str) -> Failure:
    wanted = "write for example 2027-01-31, 2027-01-31T12:00Z, 30d or never"
    return wrong_value("--expires", text, f"is no day, moment or span of time: {wanted}")
