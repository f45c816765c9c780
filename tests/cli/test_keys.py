"""`wattline keys` as an operator meets it, with a sidecar and without."""

from __future__ import annotations

import json
import stat
import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Cli


OWN = """
accounts: {start_balance: 10000}
tiers: {premium: {rpm: 1000}}
providers: {demo: {url: "${WATTLINE_DEMO_URL}", demo: true}}
rules: [{name: demo, try: [demo]}]
"""
KEYED = f"{OWN}auth: {{mode: keys}}\n"


@pytest.fixture
def cli(cli: Cli) -> Cli:
    """With rules of its own: what the shipped ones say may change."""
    cli.env["WATTLINE_RULES"] = str(cli.rules(OWN))
    return cli


def made(cli: Cli, *arguments: str) -> dict[str, Any]:
    done = cli("keys", "create", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class TestAlone:
    """No sidecar runs: the command is the one that writes."""

    def test_the_key_is_shown_once(self, cli: Cli) -> None:
        """A-131, A-135: 32 hexadecimal digits on stdout, alone; not in the list, not in the file."""
        done = cli("keys", "create", "--user", "john", "--tokens", "5000")
        key = done.stdout.strip()
        assert len(bytes.fromhex(key)) == 16
        assert "john" in done.stderr
        assert "5,000" in done.stderr
        assert key not in done.stderr
        listed = cli("keys", "list")
        assert "john" in listed.stdout
        assert key not in listed.stdout
        assert f"{key[:6]}…{key[-3:]}" in listed.stdout
        for file in cli.state.iterdir():
            if file.is_file():
                assert key.encode() not in file.read_bytes()
                assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0

    def test_who_only_reads_makes_nothing(self, cli: Cli) -> None:
        assert "There are no keys" in cli("keys", "list").stdout
        assert "There is no user 'ann'" in cli("keys", "show", "ann").stderr
        assert cli("users", "list").returncode == 0
        assert not cli.state.exists()

    def test_none_is_made_that_has_ended_already(self, cli: Cli) -> None:
        done = cli("keys", "create", "--user", "ann", "--expires", "2020-01-01")
        assert (done.returncode, done.stdout) == (1, "")
        assert "expires: is in the past" in done.stderr
        assert "no keys" in cli("keys", "list").stdout

    def test_the_names_of_other_gateways(self, cli: Cli) -> None:
        """A-135: `--type admin --token 15000`, `--type user --userName john --token 5000`."""
        admin = made(cli, "--type", "admin", "--token", "15000")["key"]
        assert (admin["role"], admin["user"], admin["balance"]) == ("admin", "admin", 15000)
        john = made(cli, "--type", "user", "--userName", "john", "--token", "5000")["key"]
        assert (john["role"], john["user"], john["balance"]) == ("user", "john", 5000)

    def test_bounds(self, cli: Cli) -> None:
        """E-083."""
        key = made(
            cli, "--user", "ann", "--models", "gpt-*,m", "--models", "x", "--per-day", "0.5",
            "--expires", "2999-01-31", "--tier", "premium", "--label", "for tests",
        )["key"]  # fmt: skip
        assert key["models"] == ["gpt-*", "m", "x"]
        assert key["budgets"] == {"hour": None, "day": 0.5, "month": None}
        assert key["expires"] == "2999-01-31T00:00:00+00:00"
        assert (key["tier"], key["label"], key["balance"]) == ("premium", "for tests", 10_000)
        shown = cli("keys", "show", "ann").stdout
        for part in ("ann (user): 10,000", "tier: premium", "gpt-*, m, x", "day: 0 of 0.5", "2999"):
            assert part in shown
        other = cli(
            "keys", "set", "ann", "--models", "*", "--expires", "never", "--per-hour", "1", "--json"
        )
        key = json.loads(other.stdout)["key"]
        assert (key["models"], key["expires"], key["tier"]) == (None, None, "premium")
        assert key["budgets"] == {"hour": 1, "day": None, "month": None}

    def test_the_life_of_a_key(self, cli: Cli) -> None:
        first = made(cli, "--user", "ann")
        name = first["key"]["id"]
        rotated = cli("keys", "rotate", "ann")
        assert rotated.stdout.strip() not in {"", first["secret"]}
        for verb, state in (("disable", "disabled"), ("enable", "active")):
            assert name in cli("keys", verb, name).stdout
            assert state in cli("keys", "list", "--user", "ann").stdout
        assert "10,005" in cli("keys", "credit", "ann", "5").stdout
        assert "0" in cli("keys", "credit", "ann", "10005", "--subtract").stdout
        assert cli("keys", "delete", name).returncode == 0
        assert "no keys" in cli("keys", "list").stdout
        assert cli("audit").returncode == 0

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (("rotate", "nobody"), 1, "There is no key 'nobody'"),
            (("show", "nobody"), 1, "There is no user 'nobody'"),
            (("create", "--user", "a/b"), 1, "letters, digits"),
            (("create", "--role", "root"), 2, "--role: 'root' is none of admin, user"),
            (("create", "--credit", "-5"), 2, "--credit: '-5' is no amount of energy"),
            (("create", "--expires", "2027-13-01"), 2, "30d or never"),
            (("create", "--expires", "soon"), 2, "--expires: 'soon' is no day, moment or span"),
            (("set", "ann"), 2, "say what to change"),
            (("credit", "nobody", "5"), 1, "There is no user"),
            (("credit", "nobody", "lots"), 2, "ENERGY: 'lots' is no amount of energy"),
        ],
    )
    def test_mistakes(self, cli: Cli, arguments: tuple[str, ...], code: int, words: str) -> None:
        done = cli("keys", *arguments)
        assert (done.returncode, done.stdout) == (code, "")
        assert words in done.stderr
        assert "Traceback" not in done.stderr


class TestBeside:
    """A sidecar runs: it is asked, and what it is told counts at once."""

    def test_a_running_sidecar_is_asked(self, cli: Cli) -> None:
        env = {"WATTLINE_RULES": str(cli.rules(KEYED))}
        sidecar = cli.start("serve", "--port", "0", env=env)
        try:
            wait_for(cli.state / "sidecar.json")
            done = cli("keys", "create", "--user", "ann", env=env)
            key = done.stdout.strip()
            calls = [call(cli, key)]
            cli("keys", "disable", "ann", env=env)
            calls.append(call(cli, key))
            cli("keys", "enable", "ann", env=env)
            new = cli("keys", "rotate", "ann", env=env).stdout.strip()
            calls += [call(cli, key), call(cli, new)]
            assert calls == [200, 401, 401, 200]
            spent = json.loads(cli("keys", "show", "ann", "--json", env=env).stdout)
            assert len(spent["keys"]) == 1
        finally:
            sidecar.terminate()
            out, err = sidecar.communicate(timeout=60)
        assert key not in out + err
        assert new not in out + err
        assert not (cli.state / "control.sock").exists()
        assert "ann" in cli("keys", "list", env=env).stdout
        assert cli("audit").returncode == 0


def wait_for(path: Any) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def call(cli: Cli, key: str) -> int:
    """The status of a call with this key."""
    mark = json.loads((cli.state / "sidecar.json").read_text())
    connection = HTTPConnection(mark["host"], mark["port"], timeout=60)
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]})
    connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {key}"})
    status = connection.getresponse().status
    connection.close()
    return status
