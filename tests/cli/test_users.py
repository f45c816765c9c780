"""`wattline users` as an operator meets it, without a sidecar; with one it asks as `wattline keys` does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli

RULES = """
accounts: {start_balance: 10000}
tiers: {premium: {rpm: 1000}}
providers: {demo: {url: "${WATTLINE_DEMO_URL}", demo: true}}
rules: [{name: demo, try: [demo]}]
"""


@pytest.fixture
def cli(cli: Cli) -> Cli:
    cli.env["WATTLINE_RULES"] = str(cli.rules(RULES))
    return cli


def test_the_life_of_a_user(cli: Cli) -> None:
    assert "There are no users" in cli("users", "list").stdout
    made = cli(
        "users", "create", "ann", "--email", "ann@x.test", "--tier", "premium", "--credit", "5"
    )
    assert made.stdout == "ann (user, tier premium): 5\n"
    assert cli("users", "create", "bob").stdout == "bob (user): 10,000\n"
    assert cli("users", "set", "ann", "--role", "admin", "--tier", "").stdout == "ann (admin): 5\n"
    assert "disabled" in cli("users", "disable", "ann").stdout
    listed = cli("users", "list").stdout
    assert [word in listed for word in ("ann@x.test", "admin", "disabled", "bob")] == [True] * 4
    assert "disabled" not in cli("users", "enable", "ann").stdout
    assert cli("users", "credit", "ann", "7").stdout == "ann (admin): 12\n"
    assert cli("users", "credit", "ann", "2", "--subtract").stdout == "ann (admin): 10\n"
    told = json.loads(cli("users", "list", "--role", "admin", "--json").stdout)
    assert [(one["id"], one["tier"], one["keys"]) for one in told["users"]] == [("ann", None, 0)]
    assert cli("audit").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("set", "ann"), 2, "say what to change"),
        (("set", "nobody", "--role", "admin"), 1, "There is no user 'nobody'"),
        (("set", "ann", "--role", ""), 2, "--role: '' is none of admin, user"),
        (("create", "ann", "--tier", "gold"), 1, "rules.yaml has premium"),
        (("create", "a/b"), 1, "letters, digits"),
        (("create", "ann", "--credit", "-5"), 2, "no amount of energy"),
        (("list", "--role", "usr"), 2, "Did you mean 'user'?"),
        (("disable", "nobody"), 1, "There is no user"),
    ],
)
def test_mistakes(cli: Cli, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = cli("users", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
