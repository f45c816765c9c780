"""`wattline import` as an operator meets it, with a sidecar and without."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wattline.store.audit import audit

if TYPE_CHECKING:
    from conftest import Cli

ANN, BOB = "5c4b810d2772c0377beb1d13aeca4abc", "dbec5c79410210f5f3fedaf4cdfba8b4"
TOKENS = [
    {"id": ANN, "user_id": "ann", "tokens_gpt": 61301},
    {"id": BOB, "user_id": "bob", "tokens_gpt": -3},
    {"id": "70be0350f3f75fd0ca4aa1c9cbcf5ffa", "user_id": "not a name", "tokens_gpt": 1},
    {"id": "56de68ecb7308dd84625749a891d35cb", "tokens_gpt": {"tokens": 285}},
]
DIALOG = [{"role": "user", "content": "very private"}, {"role": "assistant", "content": "hush"}]
FILES: dict[str, Any] = {
    "tokens.json": {"tokens": TOKENS},
    "dialogs.json": {"dialogs": [{"name": "ann", "messages": DIALOG}]},
    "referrals.json": {"referrals": [{"referrer_id": "ann", "referred_id": "bob"}]},
    "system_messages.json": {"systemMessages": [{"userId": "bob", "systemMessage": "be brief"}]},
}
RULES = "tiers: {free: {rpm: 5}}\nrules: [{name: all, try: model}]\nproviders: {}\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "db"
    folder.mkdir()
    for name, value in FILES.items():
        (folder / name).write_text(json.dumps(value))
    return folder


def taken(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[int, int, int]]:
    """For each file what was made, was there, was not taken."""
    files = json.loads(done.stdout)["files"]
    return {Path(one["path"]).name: (one["made"], one["there"], one["not_taken"]) for one in files}


def asked(cli: Cli, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{cli.state / 'ledger.sqlite'}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


FIRST = {
    "tokens.json": (2, 0, 2),
    "dialogs.json": (1, 0, 0),
    "referrals.json": (1, 0, 0),
    "system_messages.json": (1, 0, 0),
}


def test_twice_is_the_same_as_once(cli: Cli, files: Path) -> None:
    """A-137: users with their keys and balances, dialogs, referrals; nothing is doubled."""
    dry = cli("import", str(files), "--dry-run", "--json")
    assert taken(dry) == FIRST
    assert not (cli.state / "ledger.sqlite").exists()
    first = cli("import", str(files), "--json")
    assert first.returncode == 1  # two rows were not taken
    assert taken(first) == FIRST
    reasons = [one["reason"] for one in json.loads(first.stdout)["files"][3]["reasons"]]
    assert len(reasons) == 2
    again = cli("import", str(files), "--json")
    assert taken(again) == {
        name: (0, made, not_taken) for name, (made, _, not_taken) in FIRST.items()
    }
    assert taken(cli("import", str(files), "--dry-run", "--json")) == taken(again)
    assert asked(cli, "SELECT principal, micro FROM entries ORDER BY principal") == [
        ("ann", 61_301_000_000),
        ("bob", 0),
    ]
    assert asked(cli, "SELECT user, role, label FROM keys ORDER BY user") == [
        ("ann", "user", "imported"),
        ("bob", "user", "imported"),
    ]
    assert asked(cli, "SELECT dialog, role FROM messages") == [
        ("ann", "user"),
        ("ann", "assistant"),
    ]
    assert asked(cli, "SELECT referrer, referred, bonus FROM referrals") == [("ann", "bob", 0)]
    assert asked(cli, "SELECT user, content FROM system_messages") == [("bob", "be brief")]
    for done in (dry, first, again):
        for secret in (ANN, BOB, "very private", "be brief"):
            assert secret not in done.stdout + done.stderr
    assert audit(cli.state / "ledger.sqlite").ok


def test_for_people(cli: Cli, files: Path) -> None:
    done = cli("import", *(str(files / name) for name in FILES))
    assert done.stdout == ""
    assert "tokens, 4 rows: 2 taken over, 0 here already, 2 not taken" in done.stderr
    assert "not taken: user_id: is missing, or no name (row 4)" in done.stderr
    assert "note: its balance was below 0: begins with 0 (1)" in done.stderr


def test_what_comes_without_its_users(cli: Cli, files: Path) -> None:
    """Nobody is made by a dialog or a referral: the balance would be another."""
    done = cli("import", str(files / "dialogs.json"), str(files / "referrals.json"), "--json")
    assert taken(done) == {"dialogs.json": (0, 0, 1), "referrals.json": (0, 0, 1)}
    (file, _) = json.loads(done.stdout)["files"]
    assert "import the users first" in file["reasons"][0]["reason"]


def test_keys_of_the_second_gateway(cli: Cli, tmp_path: Path) -> None:
    """B-065: an admin's key is an admin's; a tier must be there; a balance is given, or none is."""
    keys = {
        "ad9970421fe07447bf011f78a88d72af": {"userId": "carl", "tokenUsage": 5, "role": "user", "tier": "free"},
        "f94b06121fcae0383f1284f4609a9783": {"userId": "root", "role": "admin", "tier": "free"},
        "b2a60f1277b6670ec6edde62739edb35": {"userId": "dora", "role": "user", "tier": "none-such"},
    }  # fmt: skip
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(keys))
    rules = str(cli.rules(RULES))
    done = cli("import", str(path), "--json", "--rules", rules, "--credit", "12.5")
    (file,) = json.loads(done.stdout)["files"]
    assert (file["made"], file["there"]) == (3, 0)
    assert done.returncode == 1
    assert "user made, key not taken: There is no tier 'none-such'" in str(file["reasons"])
    again = cli("import", str(path), "--json", "--rules", rules, "--credit", "12.5")
    assert (again.returncode, *taken(again).values()) == (1, (0, 2, 1))
    found = asked(cli, "SELECT user, role, tier FROM keys ORDER BY user")
    assert found == [("carl", "user", "free"), ("root", "admin", "free")]
    starts = asked(cli, "SELECT id, start FROM users ORDER BY id")
    assert starts == [("carl", 12_500_000), ("dora", 12_500_000), ("root", None)]


def test_providers_and_tiers_are_printed(cli: Cli, tmp_path: Path) -> None:
    """B-003: a piece of rules.yaml on stdout, all else beside it; keys nowhere."""
    secret = "sk-very-secret-0123456789"
    one = {"id": "openai", "apiKey": secret, "provider_url": "https://api.openai.com/v1"}
    (tmp_path / "providers.json").write_text(json.dumps([one | {"models": {"gpt-4o": {}}}]))
    (tmp_path / "tiers.json").write_text(json.dumps({"free": {"rps": 1, "rpm": 2, "rpd": 3}}))
    done = cli("import", str(tmp_path / "providers.json"), str(tmp_path / "tiers.json"))
    assert done.returncode == 0, done.stderr
    assert secret not in done.stdout + done.stderr
    assert "OPENAI_API_KEY" in done.stderr
    rules = cli.rules(done.stdout + "rules: [{name: all, try: model}]\n")
    checked = cli("check", str(rules), env={"OPENAI_API_KEY": "sk-of-a-test-0123"})
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert not cli.state.exists()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"tokens": [{"id": "5c4b810d', "no whole JSON"),
        (b"", "it is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[1]", "not a file that can be taken over"),
    ],
)
def test_what_is_no_such_file(cli: Cli, tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "tokens.json"
    path.write_bytes(data)
    done = cli("import", str(path))
    assert done.returncode == 1
    assert told in done.stderr
    assert "5c4b810d" not in done.stderr
    assert cli("import", str(tmp_path / "none.json")).returncode == 1


def test_a_folder_without_files(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = cli("import", str(tmp_path / "empty"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is nothing: no *.json in it" in done.stderr


def test_a_running_sidecar_takes_them_over(cli: Cli, files: Path) -> None:
    """A-131: old clients' keys work at once."""
    rules = RULES + "auth: {mode: keys}\n"
    with cli.start("serve", "--port", "0", "--rules", str(cli.rules(rules))) as sidecar:
        try:
            mark = cli.state / "sidecar.json"
            while not mark.exists():
                assert sidecar.poll() is None
                time.sleep(0.05)
            big = [{"role": "user", "content": "x" * 300_000}] * 5
            (files / "dialogs.json").write_text(json.dumps([{"name": "ann", "messages": big}]))
            assert taken(cli("import", str(files), "--json")) == FIRST
            assert taken(cli("import", str(files), "--json"))["dialogs.json"] == (0, 1, 0)
            port = json.loads(mark.read_text())["port"]
            for key, status in ((ANN, 200), ("0" * 31 + "1", 401)):
                wire = HTTPConnection("127.0.0.1", port, timeout=10)
                wire.request("GET", "/v1/models", headers={"authorization": f"Bearer {key}"})
                assert wire.getresponse().status == status
                wire.close()
        finally:
            sidecar.terminate()
            sidecar.communicate(timeout=20)
    assert audit(cli.state / "ledger.sqlite").ok


def test_many_rows(cli: Cli, tmp_path: Path) -> None:
    """A-184: more users than that gateway was made for."""
    rows = [
        {"id": f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}", "user_id": f"u{number}", "tokens_gpt": 1}
        for number in range(1, 12_001)
    ]  # fmt: skip
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps(rows))
    assert taken(cli("import", str(path), "--json")) == {"tokens.json": (12_000, 0, 0)}
    assert asked(cli, "SELECT count(*) FROM keys") == [(12_000,)]
