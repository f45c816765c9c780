"""`wattline run -- COMMAND`, with real commands and real clients."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli

CHAT = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]})
STREAM = json.dumps({**json.loads(CHAT), "stream": True})
POST = "-H 'content-type: application/json' -d"
PYTHON = sys.executable


KEYED = """
auth: {mode: keys, keys: {alice: "${ALICE_KEY}"}}
intercept: [api.openai.com]
providers: {demo: {url: "${WATTLINE_DEMO_URL}", demo: true}}
rules: [{name: demo, try: [demo]}]
"""


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def usage(cli: Cli) -> list[dict[str, object]]:
    rows = json.loads(cli("usage", "--json").stdout)["rows"]
    assert isinstance(rows, list)
    return rows


@contextlib.contextmanager
def ending(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """The process, ended whatever the test does, with its pipes closed."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


class TestExitCodes:
    def test_the_commands_own(self, cli: Cli) -> None:
        assert cli("run", "--", "sh", "-c", "exit 7").returncode == 7

    def test_killed_by_a_signal(self, cli: Cli) -> None:
        assert cli("run", "--", "sh", "-c", "kill -9 $$").returncode == 128 + 9

    @pytest.mark.parametrize("name", ["no-such-program", "/no/such/program"])
    def test_not_found(self, cli: Cli, name: str) -> None:
        done = cli("run", "--", name)

        assert done.returncode == 127
        assert done.stderr == f"wattline: {name}: command not found\n"
        assert not cli.state.exists()

    def test_not_executable(self, cli: Cli) -> None:
        plain = cli.folder / "plain"
        plain.write_text("hello")

        assert cli("run", "--", str(plain)).returncode == 126
        assert cli("run", "--", str(cli.folder)).returncode == 126

    def test_executable_but_no_program(self, cli: Cli) -> None:
        broken = cli.folder / "broken"
        broken.write_bytes(b"\x7fELF nothing")
        broken.chmod(0o755)
        orphan = cli.folder / "orphan"
        orphan.write_text("#!/no/such/interpreter\n")
        orphan.chmod(0o755)

        assert cli("run", "--", str(broken)).returncode == 126
        assert cli("run", "--", str(orphan)).returncode == 127

    def test_wattlines_own_failure(self, cli: Cli) -> None:
        done = cli("run", "--rules", str(cli.rules("rules: 7\n")), "--", "true")

        assert done.returncode == 125
        assert "my rules.yaml:1:8" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("arguments", [(), ("--via", "magic", "--", "true"), ("--nope", "x")])
    def test_wrong_usage(self, cli: Cli, arguments: tuple[str, ...]) -> None:
        assert cli("run", *arguments).returncode == 2


class TestThroughput:
    def test_stdin_and_stdout_are_the_commands(self, cli: Cli) -> None:
        text = "".join(f"line {n}\n" for n in range(20_000))

        done = cli("run", "--quiet", "--", "cat", stdin=text)

        assert done.stdout == text
        assert done.stderr == ""

    def test_the_commands_options_are_its_own(self, cli: Cli) -> None:
        done = cli("run", "printf", "%s|", "--help", "--", "-q", "a b", "--via")

        assert done.stdout == "--help|--|-q|a b|--via|"

    def test_a_terminal_stays_a_terminal(self, cli: Cli) -> None:
        master, slave = os.openpty()
        process = subprocess.Popen(
            cli.command("run", "--quiet", "--", "sh", "-c", "test -t 0 -a -t 1 -a -t 2 && tty"),
            env=cli.env,
            cwd=cli.folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        name = os.ttyname(slave)
        os.close(slave)

        assert name in read_terminal(master)
        assert process.wait(timeout=30) == 0
        os.close(master)

    def test_settings_of_the_command_are_not_taken_for_wattlines(self, cli: Cli) -> None:
        env = {"PORT": "eighty", "HOST": "0.0.0.0", "LOG_LEVEL": "chatty"}

        done = cli("run", "--", "sh", "-c", "echo $PORT $HOST $LOG_LEVEL", env=env)

        assert done.stdout == "eighty 0.0.0.0 chatty\n"
        assert done.returncode == 0

    def test_it_says_where_it_is_and_that_answers_are_made_up(self, cli: Cli) -> None:
        lines = cli("run", "--", "true").stderr.splitlines()

        assert len(lines) == 2
        assert lines[0].startswith("wattline: sidecar on http://127.0.0.1:")
        assert "made-up" in lines[1]

    def test_an_outer_proxy_is_replaced_and_told(self, cli: Cli) -> None:
        env = {"HTTPS_PROXY": "http://user:hush@127.0.0.1:9"}

        done = cli("run", "--", "sh", "-c", "echo $HTTPS_PROXY", env=env)

        assert done.stdout.startswith("http://127.0.0.1:")
        assert "does not chain proxies" in done.stderr
        assert "hush" not in done.stderr


def read_terminal(master: int, seconds: float = 30) -> str:
    """What comes out of a terminal until its last user has gone."""
    found = b""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(master, 4096)
        except OSError:  # Linux: nobody has the other side open
            break
        if not piece:
            break
        found += piece
    return found.decode()


class TestClients:
    def test_curl_by_base_url(self, cli: Cli) -> None:
        """A-020, A-050: an OpenAI answer with energy in its usage."""
        script = f"curl -sS $OPENAI_BASE_URL/chat/completions {POST} '{CHAT}'"

        done = cli("run", "--via", "base-url", "--", "sh", "-c", script)

        answer = json.loads(done.stdout)
        assert answer["object"] == "chat.completion"
        assert answer["usage"]["energy"] > 0
        assert [row["calls"] for row in usage(cli)] == [1]

    def test_its_log_shows_no_secret_of_the_operator(self, cli: Cli) -> None:
        """A client that takes one for a model's name does not bring it into the log either."""
        master, sealing = (
            "b7e15163a9d2f04c8e6b3d5a7c9f1e20",
            "pU3KGCUwux1tEyze1iN7LtkeP3IfyxlxF0SU1kk8nVw=",
        )
        env = {"ADMIN_FIRST": master, "WATTLINE_SECRET_KEY": sealing, "WATTLINE_LOG_LEVEL": "debug"}
        calls = [CHAT.replace("gpt-4o", name) for name in ("a-plain-name", master, sealing)]
        script = "; ".join(
            f"curl -sS $OPENAI_BASE_URL/chat/completions {POST} '{x}'" for x in calls
        )
        done = cli("run", "--via", "base-url", "--", "sh", "-c", script, env=env)

        assert done.returncode == 0, done.stderr
        assert "a-plain-name" in done.stderr
        assert master not in done.stderr
        assert sealing not in done.stderr
        assert "[redacted]" in done.stderr

    def test_curl_through_the_proxy(self, cli: Cli) -> None:
        """The provider's own host, with TLS: curl trusts the bundle."""
        script = f"curl -sS https://api.openai.com/v1/chat/completions {POST} '{CHAT}'"

        done = cli("run", "--via", "proxy", "--", "sh", "-c", script)

        assert json.loads(done.stdout)["usage"]["energy"] > 0

    def test_curl_streams(self, cli: Cli) -> None:
        """A-051: chunks, usage with energy, [DONE]."""
        script = f"curl -sSN https://api.openai.com/v1/chat/completions {POST} '{STREAM}'"

        done = cli("run", "--", "sh", "-c", script)

        events = [line for line in done.stdout.splitlines() if line.startswith("data: ")]
        assert events[-1] == "data: [DONE]"
        assert json.loads(events[-2].removeprefix("data: "))["usage"]["energy"] > 0

    def test_requests_through_the_proxy(self, cli: Cli) -> None:
        program = (
            "import requests\n"
            "url = 'https://api.openai.com/v1/chat/completions'\n"
            f"answer = requests.post(url, json={CHAT}, timeout=20)\n"
            "print(answer.status_code, answer.json()['usage']['energy'] > 0)\n"
        )

        done = cli("run", "--", PYTHON, "-c", program)

        assert done.stdout == "200 True\n", done.stderr

    @pytest.mark.parametrize("via", ["proxy", "base-url", "both"])
    def test_the_openai_sdk(self, cli: Cli, via: str) -> None:
        """Streamed and not. Only a program with a base URL gets the placeholder key."""
        key = "api_key='sk-test', " if via == "proxy" else ""
        program = (
            "import openai\n"
            f"ask = openai.OpenAI({key}max_retries=0, timeout=20).chat.completions.create\n"
            f"whole = ask(**{CHAT})\n"
            "print(whole.choices[0].message.content != '', whole.usage.energy > 0)\n"
            f"with ask(**{CHAT}, stream=True, stream_options={{'include_usage': True}}) as parts:\n"
            "    last = list(parts)[-1]\n"
            "print(last.usage.energy > 0)\n"
        )
        done = cli("run", "--via", via, "--", PYTHON, "-c", program)

        assert done.stdout == "True True\nTrue\n", done.stderr

    def test_node(self, cli: Cli) -> None:
        """Node's fetch by base URL: versions before 22.21 know no proxy variables."""
        node = shutil.which("node")
        assert node is not None, "Node is needed for this test (Debian: apt install nodejs)"
        program = (
            "const answer = await fetch(process.env.OPENAI_BASE_URL + '/chat/completions', {\n"
            "  method: 'POST', headers: {'content-type': 'application/json'},\n"
            f"  body: JSON.stringify({CHAT})}});\n"
            "console.log(answer.status, (await answer.json()).usage.energy > 0);\n"
        )

        done = cli("run", "--", node, "--input-type=module", "-e", program)

        assert done.stdout == "200 true\n", done.stderr

    def test_a_key_comes_in_where_keys_are_needed(self, cli: Cli) -> None:
        """Both ways in carry WATTLINE_KEY. Without one, or with a wrong one, the command is not started."""
        keyed = cli.rules(KEYED)
        ask = (
            "curl -sS -o /dev/null -w '%{http_code} ' -H \"authorization: Bearer $OPENAI_API_KEY\" "
            f"$OPENAI_BASE_URL/chat/completions {POST} '{CHAT}'; "
            "curl -sS -o /dev/null -w '%{http_code}' https://api.openai.com/v1/chat/completions "
            f"{POST} '{CHAT}'"
        )
        run = ("run", "--rules", str(keyed), "--", "sh", "-c", ask)
        env = {"ALICE_KEY": "alice-0123456789abcdef"}

        allowed = cli(*run, env={**env, "WATTLINE_KEY": env["ALICE_KEY"]})
        bare = cli(*run, env=env)
        wrong = cli(*run, env={**env, "WATTLINE_KEY": "not-her-key-0123456789"})
        own = cli(*run, env={**env, "OPENAI_API_KEY": env["ALICE_KEY"]})

        assert allowed.stdout == "200 200", allowed.stderr
        assert (bare.returncode, bare.stdout) == (125, "")
        assert "this sidecar needs a key: --key or WATTLINE_KEY" in bare.stderr
        assert (wrong.returncode, wrong.stdout) == (125, "")
        assert "does not take this key: --key or WATTLINE_KEY" in wrong.stderr
        assert "not-her-key" not in wrong.stderr
        assert own.stdout.startswith("200 "), own.stderr

    def test_env_where_keys_are_needed_one_must_be_given(self, cli: Cli) -> None:
        """Whether a sidecar runs or not; at base URLs a program may have a key of its own."""
        keyed = cli.rules(KEYED)
        alice = "alice-0123456789abcdef"
        env = {"ALICE_KEY": alice, "WATTLINE_RULES": str(keyed)}
        bare = cli("env", env=env)
        assert (bare.returncode, bare.stdout) == (1, "")
        assert "will ask for a key: --key or WATTLINE_KEY" in bare.stderr

        process = cli.start("serve", "--port", "0", env=env)
        with ending(process):
            until(lambda: cli("healthcheck").returncode == 0, 30)
            bare, wrong = cli("env", env=env), cli("env", "--key", "not-her-key-01234", env=env)
            proxy = cli("env", "--via", "proxy", env={**env, "OPENAI_API_KEY": alice})
            good = [
                cli("env", env={**env, "OPENAI_API_KEY": alice}),
                cli("env", "--key", alice, env=env),
            ]

        assert (bare.returncode, bare.stdout) == (1, "")
        assert "this sidecar needs a key: --key or WATTLINE_KEY" in bare.stderr
        assert (wrong.returncode, wrong.stdout) == (1, "")
        assert "does not take this key" in wrong.stderr
        assert "not-her-key" not in wrong.stderr
        assert proxy.returncode == 1
        assert [done.returncode for done in good] == [0, 0], [done.stderr for done in good]

    def test_calls_still_open_when_the_command_ends_are_finished(self, cli: Cli) -> None:
        """A program in the background gets its whole stream."""
        out = cli.folder / "out"
        script = (
            f"curl -sSN $OPENAI_BASE_URL/chat/completions {POST} '{STREAM}' >{out} 2>&1 & "
            f"until [ -s {out} ]; do sleep 0.02; done"
        )

        done = cli("run", "--", "sh", "-c", script, env={"MOCK_TOKEN_SPEED": "30"})

        assert done.returncode == 0
        until(lambda: "[DONE]" in out.read_text(), 5)
        assert [row["failed"] for row in usage(cli)] == [0]


def shell_is_gone(parent: int) -> bool:
    """Whether a process has no child left (Linux)."""
    return not Path(f"/proc/{parent}/task/{parent}/children").read_text().strip()


class TestSignals:
    @pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
    def test_a_signal_reaches_the_command(self, cli: Cli, name: str) -> None:
        script = f"trap 'echo got; exit 5' {name}; echo ready; while :; do sleep 0.05; done"
        process = cli.start("run", "--quiet", "--", "sh", "-c", script, start_new_session=True)
        with ending(process):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(getattr(signal, f"SIG{name}"))
            out, err = process.communicate(timeout=30)

        assert (process.returncode, out, err) == (5, "got\n", "")

    def test_a_command_that_dies_of_it(self, cli: Cli) -> None:
        process = cli.start(
            "run", "--", "sh", "-c", "echo ready; exec sleep 60", start_new_session=True
        )
        with ending(process):
            assert process.stdout is not None
            process.stdout.readline()
            process.terminate()
            process.communicate(timeout=30)

        assert process.returncode == 128 + signal.SIGTERM
        assert not (cli.state / "sidecar.json").exists()

    def test_a_second_signal_ends_the_wait_for_open_calls(self, cli: Cli) -> None:
        """And the ledger is right all the same: the next start closes what was open."""
        out = cli.folder / "out"
        script = (
            f"curl -sSN $OPENAI_BASE_URL/chat/completions {POST} '{STREAM}' >{out} 2>&1 & "
            f"until [ -s {out} ]; do sleep 0.02; done; echo ready"
        )
        process = cli.start(
            "run", "--", "sh", "-c", script, env={"MOCK_TOKEN_SPEED": "0.5"}, start_new_session=True
        )
        with ending(process):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            began = time.monotonic()
            until(lambda: shell_is_gone(process.pid))
            process.terminate()
            process.wait(timeout=30)

        assert process.returncode == 128 + signal.SIGTERM
        assert time.monotonic() - began < 8
        cli("run", "-q", "--", "true")
        assert cli("audit").returncode == 0

    def test_ctrl_c_reaches_the_command_once(self, cli: Cli) -> None:
        """A terminal sends it to the whole group: it is not forwarded on top of that."""
        program = (
            "import signal\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
            "print('ready', flush=True)\n"
            "signal.sigwait([signal.SIGINT])\n"
            "again = signal.sigtimedwait([signal.SIGINT], 1)\n"
            "print('once' if again is None else 'twice', flush=True)\n"
        )
        master, slave = os.openpty()
        process = subprocess.Popen(
            cli.command("run", "--quiet", "--", PYTHON, "-c", program),
            env=cli.env,
            cwd=cli.folder,
            preexec_fn=lambda: os.login_tty(slave),  # noqa: PLW1509  (no threads here)
        )
        attributes = termios.tcgetattr(master)
        assert attributes[3] & termios.ISIG
        os.close(slave)
        seen = b""
        while b"ready" not in seen:
            seen += os.read(master, 100)
        os.write(master, b"\x03")

        assert "once" in read_terminal(master)
        assert process.wait(timeout=30) == 0
        os.close(master)


class TestSharing:
    PRINT = ("sh", "-c", "echo $OPENAI_BASE_URL")

    def test_a_running_sidecar_is_used(self, cli: Cli) -> None:
        serving = cli.start("serve", "--port", "0")
        with ending(serving):
            until(lambda: cli("health").returncode == 0)
            mark = json.loads((cli.state / "sidecar.json").read_text())

            done = cli("run", "--rules", cli.env["WATTLINE_RULES"], "--", *self.PRINT)
            serving.terminate()
            serving.communicate(timeout=30)

        assert done.stdout == f"http://127.0.0.1:{mark['port']}/v1\n"
        assert "has rules of its own" in done.stderr
        assert serving.returncode == 0

    def test_a_dead_sidecars_mark_does_no_harm(self, cli: Cli) -> None:
        cli.state.mkdir()
        mark = {"pid": 999_999, "host": "127.0.0.1", "port": 9, "version": "0"}
        (cli.state / "sidecar.json").write_text(json.dumps(mark))

        done = cli("run", "--", *self.PRINT)

        assert done.returncode == 0
        assert ":9/v1" not in done.stdout

    def test_two_commands_share_one_and_the_second_goes_on_alone(self, cli: Cli) -> None:
        """The port that a command was given keeps answering after who served it has ended."""
        first = cli.start("run", "--quiet", "--", "sh", "-c", "echo $OPENAI_BASE_URL; read _")
        ask = f"curl -sS $OPENAI_BASE_URL/chat/completions {POST} '{CHAT}'"
        script = f"echo $OPENAI_BASE_URL; {ask} >/dev/null; echo asked; read _; {ask}"
        with ending(first):
            assert first.stdout is not None
            url = first.stdout.readline()
            second = cli.start("run", "--quiet", "--", "sh", "-c", script)
            with ending(second):
                assert second.stdout is not None
                assert second.stdout.readline() == url
                assert second.stdout.readline() == "asked\n"
                first.communicate("go\n", timeout=30)
                assert first.returncode == 0
                until(lambda: cli("health").returncode == 0)
                assert json.loads((cli.state / "sidecar.json").read_text())["pid"] == second.pid
                out, err = second.communicate("go\n", timeout=30)

        assert json.loads(out)["object"] == "chat.completion"
        assert (second.returncode, err) == (0, "")
        assert [row["calls"] for row in usage(cli)] == [2]
        assert cli("audit").returncode == 0

    def test_the_next_run_has_the_same_port(self, cli: Cli) -> None:
        assert cli("run", "--", *self.PRINT).stdout == cli("run", "--", *self.PRINT).stdout


class TestEnd:
    def test_all_ends_with_the_command_and_what_it_used_is_kept(self, cli: Cli) -> None:
        """B-203: a made-up provider, a sidecar and who asks it, in one command."""
        ask = f"curl -sS $OPENAI_BASE_URL/chat/completions {POST} '{CHAT}'"
        done = cli("run", "-q", "--", "sh", "-c", f"echo $OPENAI_BASE_URL; {ask}")
        base, _, answer = done.stdout.partition("\n")
        assert json.loads(answer)["choices"]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(base.rpartition(":")[2].partition("/")[0])))
        assert [row["calls"] for row in usage(cli)] == [1]
