"""What `wattline keys` prints of keys."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from wattline.cli.account_lines import energy_text, print_json, print_notes

COLUMNS = ("id", "user", "key", "role", "tier", "balance", "spent 24 h", "expires", "state")
NUMBERS = ("balance", "spent 24 h")
IDS = ("id", "key", "expires")
SPARE = ("spent 24 h", "key", "role", "tier")
"""What a narrow terminal can do without."""


def print_issued(result: dict[str, Any], *, as_json: bool) -> None:
    """A new secret, alone on stdout: it is shown this once."""
    if print_json(result, as_json=as_json):
        return
    # The key alone on stdout: KEY=$(wattline keys create --user ann)
    print(result["secret"])
    key = result["key"]
    sys.stderr.write(
        f"This is the key of {key['user']} ({key['id']}); it is not shown again. "
        f"Balance: {energy_text(key['balance'], 'no limit')}.\n"
    )
    print_notes(result)


def print_changed(result: dict[str, Any], word: str, *, as_json: bool) -> None:
    """A line on a key, and what became of it."""
    if not print_json(result, as_json=as_json):
        key = result["key"]
        print(f"{key['id']} of {key['user']} ({key['key']}): {word}")
        print_notes(result)


def print_keys(keys: list[dict[str, Any]]) -> None:
    """A table, or what to do where it would be empty."""
    from wattline.cli.terminal import print_rows, safe

    if not keys:
        print("There are no keys. Make one: wattline keys create --user NAME")
        return
    rows = []
    for key in keys:
        cells = (
            key["id"], key["user"], key["key"], key["role"], key["tier"] or "",
            energy_text(key["balance"], "no limit"), energy_text(key["spent"]["day"], ""),
            (key["expires"] or "")[:10], _state(key),
        )  # fmt: skip
        rows.append([safe(cell) for cell in cells])
    print_rows(COLUMNS, rows, numbers=NUMBERS, ids=IDS, spare=SPARE)


def print_key(key: dict[str, Any]) -> None:
    """A key with its bounds and what was spent of them."""
    from wattline.cli.terminal import safe

    print(safe(f"  {key['id']}  {key['key']}  {key['role']}, {_state(key)}  {key['label']}"))
    facts: list[tuple[str, Callable[[], str]]] = [
        ("tier", lambda: key["tier"] or ""),
        ("expires", lambda: key["expires"] or ""),
        ("models", lambda: "" if key["models"] is None else ", ".join(key["models"]) or "none"),
    ]
    for name, text in facts:
        if text():
            print(safe(f"    {name}: {text()}"))
    for span, most in key["budgets"].items():
        spent, bound = energy_text(key["spent"][span], ""), energy_text(most, "")
        print(f"    {span}: {spent}" + (f" of {bound}" if bound else ""))


def _state(key: dict[str, Any]) -> str:
    if key["active"]:
        return "active"
    return "disabled" if key["disabled"] else "expired or its user disabled"
