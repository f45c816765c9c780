"""What commands say when the sidecar that runs has other variables than the shell that asks."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli

THERE = {"T": "sk-there-0123456789", "U": "http://127.0.0.1:9/v1", "A": "alice-0123456789abcdef"}
HERE = {"H": "sk-here-0123456789", "PYTHONIOENCODING": "utf-8"}
RULES = """
version: 1
providers:
  there: {url: "${U}", key: "${T}"}
  here: {url: "http://127.0.0.1:9/v1", key: "${H}"}
auth: {mode: keys, keys: {alice: "${A}"}}
rules: [{name: all, try: [there/m, here/m]}]
"""
OPEN = RULES.replace("auth:", "# auth:")


@contextlib.contextmanager
def serving(cli: Cli, text: str) -> Iterator[Cli]:
    cli.env["WATTLINE_RULES"] = str(cli.rules(text))
    process = cli.start("serve", "--port", "0", env=THERE)
    try:
        deadline = time.monotonic() + 30
        while cli("healthcheck").returncode:
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
        yield cli
    finally:
        process.terminate()
        out = process.communicate(timeout=30)
    assert process.returncode == 0, out


@pytest.fixture(scope="module")
def served(shared_cli: Cli) -> Iterator[Cli]:
    with serving(shared_cli, OPEN) as cli:
        yield cli


def no_secret(text: str) -> None:
    assert not [
        value for value in (*THERE.values(), HERE["H"]) if "0123" in value and value in text
    ]


def test_explain_decides_as_the_sidecar_would(served: Cli) -> None:
    done = served("explain", "--model", "m", env=HERE)

    assert "there/m: ready" in done.stdout
    assert "here/m: No API key for here: H is not set" in done.stdout
    assert "Providers are those of the sidecar on 127.0.0.1:" in done.stdout
    assert "there: the sidecar can use it, this shell can't (No API key" in done.stdout
    assert "here: this shell could use it, the sidecar can't (No API key" in done.stdout
    found = json.loads(served("explain", "--model", "m", "--json", env=HERE).stdout)
    assert found["availability_from"] == "sidecar"
    assert [d["provider"] for d in found["sidecar"]["differences"]] == ["there", "here"]
    assert f"rules     version {found['sidecar']['rules_version']}" in done.stdout
    no_secret(done.stdout + json.dumps(found) + (served.state / "sidecar.json").read_text())


def test_check_shows_both(served: Cli) -> None:
    done = served("check", env=HERE)

    assert done.returncode == 0
    assert "with the variables of this shell" in done.stdout
    assert "was started with other variables:\n  there: the sidecar can use it" in done.stdout
    found = json.loads(served("check", "--json", env=HERE).stdout)
    assert found["sidecar"]["providers"]["there"] is None
    same = served("check", env=THERE)
    assert "has the same providers" in same.stdout
    assert f"rules version {found['sidecar']['rules_version']}" in same.stdout


def test_doctor_asks_for_what_the_sidecar_uses(served: Cli) -> None:
    done = served("doctor", env=HERE)

    assert done.returncode == 0, done.stdout
    assert "✓ provider there: configured in the sidecar, its URL is not known here" in done.stdout
    assert "· there: the sidecar can use it" in done.stdout
    assert "provider here: configured" not in done.stdout


def test_a_shell_without_the_callers_keys_can_ask_too(cli: Cli) -> None:
    with serving(cli, RULES):
        done = cli("explain", "--model", "m", "--principal", "alice", env=HERE)
        checked = cli("check", env=HERE)
        examined = cli("doctor", env=HERE)

    assert "there/m: ready" in done.stdout, done.stderr
    assert "With this shell's variables the rules can't be used" in done.stdout
    assert checked.returncode == 1
    assert "This is with the variables of this shell. The sidecar on" in checked.stdout
    assert examined.returncode == 0, examined.stdout
    assert "The sidecar, with its variables, can use it." in examined.stdout


def test_other_rules_are_told_apart(served: Cli) -> None:
    other = served.folder / "other.yaml"
    other.write_text(OPEN)

    explained = served("explain", "--model", "m", "--rules", str(other), env=HERE)
    assert "here/m: ready" in explained.stdout
    assert f"runs other rules, {served.env['WATTLINE_RULES']}" in explained.stdout
    assert "runs other rules: " in served("check", str(other), env=HERE).stdout
    assert "the sidecar runs other rules" in served("doctor", "--rules", str(other)).stdout


def test_without_a_sidecar_it_is_said_whose_providers_these_are(cli: Cli) -> None:
    rules = cli.rules(OPEN)
    done = cli("explain", "--model", "m", "--rules", str(rules), env=HERE)
    assert "No sidecar runs with the state folder" in done.stdout
    found = json.loads(cli("check", "--json", str(rules), env=HERE).stdout)
    assert found["sidecar"] is None


def test_check_notes_a_file_that_others_can_change(cli: Cli) -> None:
    rules = cli.rules(OPEN)
    rules.chmod(0o666)
    done = cli("check", str(rules), env=HERE)
    assert done.returncode == 0
    assert "note: " in done.stdout
    assert "can be changed by its group and everybody" in done.stdout
    assert "can be changed by" in cli("doctor", "--rules", str(rules), env=HERE).stdout
