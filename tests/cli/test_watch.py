"""`wattline watch` and `wattline proof` as processes."""

from __future__ import annotations

import json
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wattline.cli.watch import hand_over
from wattline.service.watching.carried import Carried
from wattline.service.watching.proofs import proof_file

if TYPE_CHECKING:
    from conftest import Cli

ASK = """
import urllib.error, urllib.request
body = b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}'
request = urllib.request.Request("http://api.openai.com/v1/chat/completions", body)
request.add_header("content-type", "application/json")
try:
    urllib.request.urlopen(request, timeout=20)
except urllib.error.HTTPError as error:
    raise SystemExit(7)
"""


def test_a_command_is_watched_and_rules_are_proposed(cli: Cli) -> None:
    """There is no internet here: the call fails, as it would without us, and is counted. The code is the command's."""
    out = cli.folder / "proposed.yaml"
    done = cli("watch", "--out", str(out), "--", sys.executable, "-c", ASK)
    assert done.returncode == 7, done.stderr
    assert done.stdout == ""
    assert not (cli.state / "ledger.sqlite").exists()
    assert '"api.openai.com" # 1 call' in out.read_text()
    checked = cli("check", str(out))
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("host", ["http://foo/", "", "a b", "foo:443"])
def test_a_host_that_is_none_is_named(cli: Cli, host: str) -> None:
    done = cli("watch", "--for", "1s", "--host", host)
    assert done.returncode == 2
    assert f"--host: {host!r} is no host: write its name" in done.stderr
    assert "rules.yaml" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "watch"])
def test_a_port_in_use_is_one_line(cli: Cli, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cli(command, "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"the port of 127.0.0.1:{port} is in use: stop what listens there, or" in done.stderr


def test_for_a_time(cli: Cli) -> None:
    done = cli("watch", "--for", "1s")
    assert done.returncode == 0
    assert "No call to a model provider was seen" in done.stdout
    assert not cli.state.exists(), "nothing is written unless it is asked for"


def test_at_any_time(cli: Cli) -> None:
    process = cli.start("watch")
    assert process.stdin is not None
    process.stdin.close()
    assert process.stderr is not None
    assert process.stdout is not None
    try:
        for line in process.stderr:
            if "SIGUSR1" in line:
                break
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline().startswith("# Proposed by")
        process.send_signal(signal.SIGINT)
        out = process.stdout.read()
        process.wait(timeout=30)
    finally:
        if process.poll() is None:
            process.kill()
        process.stdout.close()
        process.stderr.close()
        process.wait(timeout=30)
    assert process.returncode == 0
    assert "# Proposed by" in out


@pytest.mark.parametrize("arguments", [("--for", "soon"), ("--", "no-such-program")])
def test_wrong_usage(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli("watch", *arguments).returncode in {2, 127}


def test_no_file_is_written_over(cli: Cli) -> None:
    there = cli.folder / "there.yaml"
    there.write_text("mine")
    done = cli("watch", "--for", "1s", "--out", str(there))
    assert done.returncode == 1
    assert there.read_text() == "mine"


def test_a_file_that_cant_be_made_is_told_before_anything_runs(cli: Cli) -> None:
    ran = cli.folder / "ran"
    out = cli.folder / "no-such-folder" / "x.yaml"
    done = cli("watch", "--out", str(out), "--", "touch", str(ran))
    assert done.returncode == 1
    assert "there is no folder" in done.stderr
    assert not ran.exists()
    done = cli("watch", "--out", str(cli.folder), "--for", "1s")
    assert done.returncode == 1


def test_what_was_seen_is_printed_when_it_cant_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder may go while the program is watched."""
    with pytest.raises(OSError, match="gone"):
        hand_over(tmp_path / "gone" / "x.yaml", "version: 1\n")
    assert capsys.readouterr().out == "version: 1\n"


def prove(cli: Cli, came: bytes, went: bytes, at: int = 2_000_000_000_000) -> None:
    carried = Carried.begun("call", "call_1", "api.openai.com", 443, proving=True)
    carried.up.came.add(came)
    carried.up.went.add(went)
    line = json.dumps(carried.record(at)).encode() + b"\n"
    proof_file(cli.state).append([line])


def test_proof_verifies_what_was_written(cli: Cli) -> None:
    assert "Nothing was passed on" in cli("proof").stdout
    prove(cli, b"same", b"same")
    done = cli("proof")
    assert done.returncode == 0
    assert "untouched" in done.stdout
    prove(cli, b"same", b"else")
    done = cli("proof", "--since", "all")
    assert done.returncode == 1
    assert "CHANGED: call call_1 to api.openai.com" in done.stdout
    assert "a later time" not in done.stdout
    found = json.loads(cli("proof", "--json").stdout)
    assert (found["ok"], found["verdicts"]) == (False, {"changed": 1, "untouched": 1})


def test_a_line_with_an_old_time_hides_no_change(cli: Cli) -> None:
    prove(cli, b"same", b"else")
    prove(cli, b"same", b"same", at=1)
    done = cli("proof", "--since", "1h")
    assert done.returncode == 1
    assert "CHANGED" in done.stdout
    assert "1 of 1 have a later time than what was written after them" in done.stdout
    assert json.loads(cli("proof", "--json").stdout)["out_of_order"] == 1
