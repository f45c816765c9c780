"""Commands as a user meets them: what they print, how they end, how long they take."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import socket
import sqlite3
import subprocess
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wattline import __version__
from wattline.cli.usage import _print as print_usage
from wattline.store.reading import UsageRow, UsageTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Cli

ROOT = Path(__file__).resolve().parents[2]
CHAT = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]})
ASK = f"curl -sS $OPENAI_BASE_URL/chat/completions -H 'content-type: application/json' -d '{CHAT}'"


@pytest.fixture
def used(cli: Cli) -> Cli:
    """A state folder with two calls in its ledger."""
    done = cli("run", "-q", "--", "sh", "-c", f"{ASK}; {ASK}")
    assert done.returncode == 0, done.stderr
    return cli


class TestAll:
    @pytest.mark.parametrize("arguments", [("--help",), ("health",), ("healthcheck",)])
    def test_light_commands_are_fast(self, cli: Cli, arguments: tuple[str, ...]) -> None:
        """CPU time, since other programs may use the machine too."""
        cli.alone(*arguments)  # writes byte code
        before = os.times()
        cli.alone(*arguments)
        after = os.times()

        used = after.children_user + after.children_system
        assert used - before.children_user - before.children_system < 0.4

    @pytest.mark.parametrize("arguments", [("--help",), ("health",), ("--version",)])
    def test_light_commands_load_nothing_heavy(self, cli: Cli, arguments: tuple[str, ...]) -> None:
        program = (
            "import contextlib, sys\n"
            "from wattline.__main__ import main\n"
            f"sys.argv = ['wattline', *{arguments!r}]\n"
            "with contextlib.suppress(SystemExit):\n"
            "    main()\n"
            "heavy = {'mitmproxy', 'aiohttp', 'yaml', 'rich', 'asyncio', 'sqlite3'}\n"
            "print(sorted(heavy & set(sys.modules)))\n"
        )
        command = [*cli.command()[:1], "-c", program]

        done = subprocess.run(command, env=cli.env, capture_output=True, text=True, check=True)

        assert done.stdout.endswith("[]\n")

    @pytest.mark.parametrize("argument", ["version", "--version"])
    def test_version(self, cli: Cli, argument: str) -> None:
        done = cli.alone(argument)
        assert (done.returncode, done.stdout) == (0, f"{__version__}\n")

    @pytest.mark.parametrize("arguments", [("nonsense",), ("usage", "--by"), ("--nope",)])
    def test_wrong_usage_is_2(self, cli: Cli, arguments: tuple[str, ...]) -> None:
        done = cli.alone(*arguments)

        assert done.returncode == 2
        assert "Traceback" not in done.stderr

    def test_a_bug_is_a_line_unless_asked_for(self, cli: Cli) -> None:
        """What no command expects: a state folder that is a file."""
        cli.state.write_text("not a folder")

        done = cli("ca")
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) <= 2
        assert "Traceback" not in done.stderr

        assert "Traceback" in cli("ca", env={"WATTLINE_TRACEBACK": "1"}).stderr

    def test_a_closed_pipe_is_no_error_message(self, cli: Cli) -> None:
        command = f"{shlex.join(map(str, cli.command('check', '--json')))} | head -c 1"

        done = subprocess.run(
            ["/bin/sh", "-c", command], env=cli.env, capture_output=True, text=True, check=False
        )

        assert done.stderr == ""


class TestServe:
    def test_bad_settings_end_in_a_line(self, cli: Cli) -> None:
        assert "PORT is 'x'" in cli("serve", env={"PORT": "x"}).stderr
        for option in ("--state", "--rules"):
            empty = cli("serve", option, "")
            assert (empty.returncode, "it is empty" in empty.stderr) == (2, True)
        missing = cli("serve", "--rules", "/none.yaml")
        assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
        assert cli("serve", "--log-level", "loud").returncode == 2
        assert cli("serve", "--port", "70000").returncode == 2

    def test_other_addresses_need_keys(self, cli: Cli) -> None:
        done = cli("serve", "--host", "0.0.0.0", "--port", "0")

        assert done.returncode == 1
        assert "mode: keys" in done.stderr

    def test_a_taken_port_is_told(self, cli: Cli) -> None:
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
            done = cli("serve", "--port", str(taken.getsockname()[1]))

        assert done.returncode == 1
        assert "Traceback" not in done.stderr

    def test_it_serves_answers_health_and_stops(self, cli: Cli) -> None:
        """D-040: /health in its shape, asked by `wattline health`."""
        process = cli.start("serve", "--port", "0")
        try:
            deadline = time.monotonic() + 30
            while cli("healthcheck").returncode:
                assert time.monotonic() < deadline
            found = json.loads(cli("health", "--json").stdout)
            assert found["status"] == "healthy"
            assert found["version"] == __version__
            mark = json.loads((cli.state / "sidecar.json").read_text())
            address = f"127.0.0.1:{mark['port']}"
            assert cli("health", "--address", address).stdout.startswith("healthy")
            assert cli("healthcheck", "--address", address).stdout == ""
            assert f"a sidecar runs on {address}" in cli("doctor").stdout
            env = cli("env", "--via", "base-url")
            assert f"OPENAI_BASE_URL='http://{address}/v1'" in env.stdout
            assert env.stderr == ""
        finally:
            process.terminate()
            process.communicate(timeout=30)
        assert process.returncode == 0
        gone = cli("health")
        assert (gone.returncode, gone.stdout) == (1, "")


class TestHealth:
    @pytest.mark.parametrize("address", ["", "x", "host:", ":80", "host:99999", "host:-1", "h:८"])
    def test_bad_addresses(self, cli: Cli, address: str) -> None:
        assert cli("health", "--address", address).returncode == 2

    def test_nothing_listens(self, cli: Cli) -> None:
        done = cli("healthcheck", "--address", "127.0.0.1:9")

        assert done.returncode == 1
        assert done.stderr == "wattline: 127.0.0.1:9: nothing listens there\n"


class TestHelp:
    def test_the_program_has_one_name(self, cli: Cli) -> None:
        assert "Usage: wattline serve" in cli.alone("serve", "--prot", "1").stderr

    def test_a_bad_host_is_the_options(self, cli: Cli) -> None:
        for arguments, env, name in (
            (("--host", "0.0.0.0"), {}, "--host"),
            ((), {"HOST": "0.0.0.0"}, "HOST"),
        ):
            done = cli("serve", *arguments, "--port", "0", env=env)
            assert done.returncode == 1
            assert done.stderr.startswith(f"{name}: 0.0.0.0 can be reached by others"), done.stderr


class TestBadKeys:
    BAD = "OPENAI_API_KEY is set but holds characters that no key has"

    def test_each_command_says_so(self, cli: Cli) -> None:
        env = {"OPENAI_API_KEY": "sk-bad key ü"}
        body = CHAT
        for done in (
            cli("check", env=env),
            cli("run", "--", "true", env=env),
            cli("explain", "-", env=env, stdin=body),
            cli("doctor", env=env),
        ):
            told = done.stdout + done.stderr
            assert self.BAD in told
            assert "sk-bad" not in told
            assert "no provider key is set" not in told

    def test_quotes_are_warned_of(self, cli: Cli) -> None:
        done = cli("check", env={"OPENAI_API_KEY": '"sk-abc-0123456789"'})
        assert "OPENAI_API_KEY has quotes around it" in done.stdout
        assert "sk-abc" not in done.stdout

    def test_made_up_answers_are_not_promised_without_a_demo_rule(self, cli: Cli) -> None:
        rules = cli.rules(
            "version: 1\nproviders: {a: {url: 'https://a.test/v1', key: '${A}'}}\n"
            "rules: [{name: by-model, try: model}]\n"
        )
        for done in (
            cli("check", str(rules)),
            cli("run", "--rules", str(rules), "--", "true"),
        ):
            told = done.stdout + done.stderr
            assert "calls that need a provider get an error" in told, told
            assert "made-up" not in told


class TestEnv:
    def test_bash_takes_it_over(self, cli: Cli) -> None:
        """Without a sidecar: for the configured address, and it says so."""
        shown = cli("env")
        assert "no sidecar runs yet" in shown.stderr

        script = (
            f'{shown.stdout}\nprintf "%s\\n" "$HTTPS_PROXY" "$OPENAI_BASE_URL" "$SSL_CERT_FILE"'
        )
        bash = shutil.which("bash")
        assert bash is not None, "bash is needed for this test"
        done = subprocess.run([bash, "-c", script], capture_output=True, text=True, check=True)

        proxy, url, bundle = done.stdout.splitlines()
        assert (proxy, url) == ("http://127.0.0.1:8088", "http://127.0.0.1:8088/v1")
        assert bundle == str(cli.state / "ca" / "bundle.pem")
        with open(bundle) as file:  # noqa: PTH123  (the test is that the path is one)
            assert "BEGIN CERTIFICATE" in file.read()

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell", "dotenv", "json"])
    def test_each_shell(self, cli: Cli, shell: str) -> None:
        done = cli("env", "--shell", shell, "--via", "base-url", env={"PORT": "9000"})

        assert "http://127.0.0.1:9000/v1" in done.stdout
        assert "HTTP_PROXY" not in done.stdout
        assert not (cli.state / "ca").exists()


class TestCheck:
    def test_good_rules(self, cli: Cli) -> None:
        done = cli("check", env={"GROQ_API_KEY": "gsk-0123456789"})

        assert done.returncode == 0
        assert "good, version" in done.stdout
        assert "ready, https://api.groq.com/openai/v1" in done.stdout
        assert "gsk-" not in done.stdout + done.stderr

    def test_the_placeholder_key_is_no_key(self, cli: Cli) -> None:
        """In a shell that took `wattline env` over, OPENAI_API_KEY is ours and no provider's."""
        env = json.loads(cli("env", "--shell", "json").stdout)

        assert json.loads(cli("check", "--json", env=env).stdout)["configured"] is False

    def test_problems_have_their_place(self, cli: Cli) -> None:
        done = cli("check", str(cli.rules("version: 1\nprovider: {}\nrules: 7\n")))

        assert done.returncode == 1
        lines = done.stdout.splitlines()
        assert lines[0].startswith("my rules.yaml:2:1 ")
        assert any(line.startswith("my rules.yaml:3:8 ") for line in lines)

    def test_problems_as_json(self, cli: Cli) -> None:
        done = cli("check", "--json", str(cli.rules("rules: [\n")))

        found = json.loads(done.stdout)
        assert done.returncode == 1
        assert found["ok"] is False
        assert found["problems"][0]["line"] >= 1

    @pytest.mark.parametrize("content", [b"", b"\0\0", b"\xff\xfe", b"[" * 10_000, b"- 1\n" * 9])
    def test_any_file_ends_in_words(self, cli: Cli, content: bytes) -> None:
        path = cli.rules("")
        path.write_bytes(content)

        done = cli("check", str(path))

        assert done.returncode == 1
        assert done.stdout
        assert "Traceback" not in done.stderr

    def test_no_file(self, cli: Cli) -> None:
        done = cli("check", "/none.yaml")

        assert done.returncode == 1
        assert done.stderr == "wattline: rules file '/none.yaml' does not exist\n"


class TestExplain:
    @pytest.mark.parametrize("more", [("--model", "m"), ("--stream",), ("body.json",)])
    def test_a_call_of_the_past_can_not_be_described(self, cli: Cli, more: tuple[str, ...]) -> None:
        done = cli("explain", "--call", "req_1", *more)
        assert done.returncode == 2
        assert "--call names a call that was made" in done.stderr

    def test_a_model_by_name(self, cli: Cli) -> None:
        """A-071: gpt-4o's chain, of which one provider is configured."""
        env = {"OPENROUTER_API_KEY": "sk-or-0123456789abcdef"}

        done = cli("explain", "--model", "gpt-4o", env=env)

        assert done.returncode == 0
        assert "openrouter/deepseek/deepseek-chat: ready" in done.stdout
        assert "windows are empty, there is no ledger yet" in done.stdout
        assert "sk-or" not in done.stdout

    def test_a_body_from_stdin_and_from_a_file(self, cli: Cli) -> None:
        path = cli.folder / "body.json"
        path.write_text(CHAT)

        assert cli("explain", "-", stdin=CHAT).stdout == cli("explain", str(path)).stdout

    def test_options_reach_the_rules(self, cli: Cli) -> None:
        rules = cli.rules(
            "version: 1\n"
            "providers: {p: {url: 'http://127.0.0.1:9/v1', key: '${K}'}}\n"
            "rules:\n"
            "  - {name: right, when: {tag: urgent, user: bob, stream: true, "
            "header: {x-team: red}, host: api.openai.com}, try: [p/m]}\n"
            "  - {name: wrong, try: [p/other]}\n"
        )
        asked = ("explain", "--rules", str(rules), "--model", "m", "--json")
        more = ("--tag", "urgent", "--user", "bob", "--stream", "--header", "X-Team=red")
        env = {"K": "0123456789abcdef"}

        found = json.loads(cli(*asked, *more, "--host", "api.openai.com", env=env).stdout)
        assert found["plan"]["rule"] == "right", found["rules"]
        assert json.loads(cli(*asked, env=env).stdout)["plan"]["rule"] == "wrong"

    def test_windows_are_filled_from_the_ledger(self, used: Cli) -> None:
        rules = used.rules(
            "version: 1\n"
            "providers: {demo: {url: 'http://127.0.0.1:9/v1', key: '${K}', rpm: 4}}\n"
            "rules: [{name: all, try: [demo/m]}]\n"
        )

        done = used(
            "explain",
            "--model",
            "m",
            "--json",
            "--rules",
            str(rules),
            env={"K": "0123456789abcdef"},
        )

        found = json.loads(done.stdout)
        assert found["windows_from"] == "windows are filled with the last 2 attempts of the ledger"
        assert [window["fill"] for window in found["windows"]] == [0.5]

    def test_a_callers_own_key(self, cli: Cli) -> None:
        """E-085: where a call goes whose caller has a key of its own for a provider."""
        asked = ("explain", "--model", "gpt-4o", "--own-key", "openrouter")

        done = cli(*asked)

        assert done.returncode == 0
        assert "openrouter: with the caller's own key" in done.stdout
        assert "try openrouter/" in done.stdout
        assert "own key" not in cli("explain", "--model", "gpt-4o").stdout

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            ((), 2, "say which --model"),
            (("--model", "m", "--own-key", "nobody"), 2, "--own-key: unknown provider 'nobody'"),
            (("--model", "m", "--path", "/v1/chat/completion"), 1, "did you mean"),
            (("--model", "m", "--path", "/v1/../x"), 1, "two ways"),
            (("--model", "m", "--method", "GET"), 1, "takes POST"),
            (("--method", "GET", "--path", "/v1/videos/v_1"), 1, "the provider that made it"),
            (("--model", "m", "--host", "api.openai.com", "--path", "/v1/files"), 1, "untouched"),
            (("--model", "m", "--header", "nothing"), 2, "name=value"),
            (("/none.json",), 1, "No such file"),
        ],
    )
    def test_wrong_questions(
        self, cli: Cli, arguments: tuple[str, ...], code: int, words: str
    ) -> None:
        done = cli("explain", *arguments)

        assert (done.returncode, done.stdout) == (code, "")
        assert words in done.stderr

    @pytest.mark.parametrize(
        "body", ["", "{", "[]", "null", '{"model":1}', '{"model":"a","model":"b"}', "[" * 5000]
    )
    def test_bodies_that_the_sidecar_would_refuse(self, cli: Cli, body: str) -> None:
        done = cli("explain", "-", stdin=body)

        assert done.returncode == 1
        assert "no valid request" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize(
        "path", ["/v1/embeddings", "/v1/responses", "/v1/moderations", "/v1/audio/speech",
                 "/v1/completions", "/v1/images/generations", "/v1/audio/transcriptions"],
    )  # fmt: skip
    def test_each_operation_has_an_example(self, cli: Cli, path: str) -> None:
        assert cli("explain", "--model", "gpt-4o", "--path", path).returncode == 0


class TestUsage:
    def test_no_ledger_and_no_calls_are_told_kindly(self, cli: Cli) -> None:
        assert "No ledger in" in cli("usage").stdout
        found = json.loads(cli("usage", "--json").stdout)
        assert (found["rows"], found["all"]["calls"]) == ([], 0)

        cli("run", "-q", "--", "true")
        assert "No calls of the last 7d" in cli("usage").stdout
        assert cli("usage", "--since", "all").stdout == "No calls of all time.\n"

    @pytest.mark.parametrize("by", ["model", "provider", "key", "rule", "day"])
    def test_each_sum(self, used: Cli, by: str) -> None:
        """B-065, E-086: usage by key, provider and model."""
        found = json.loads(used("usage", "--by", by, "--json").stdout)
        (row,) = found["rows"]

        assert row["calls"] == row["attempts"] == found["all"]["calls"] == 2
        assert found["by"] == by
        assert float(row["energy"]) * 1_000_000 == row["energy_micro"]
        text = used("usage", "--by", by).stdout
        assert row["label"] in text
        assert "################" in text
        assert "\x1b" not in text

    def test_a_rule_named_like_the_sum_is_told_from_it(self) -> None:
        row = UsageRow("all", 2, 2, 0, 10, 5, 0, 0.0)
        for labels, whole in ((["all", "b"], "(all)"), (["a", "b"], "all")):
            rows = tuple(replace(row, label=label) for label in labels)
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                print_usage(UsageTable(rows, row), "rule", "7d")
            firsts = [line.split()[0] for line in printed.getvalue().splitlines()]
            assert firsts[1:4] == [*labels, whole]

    def test_since_leaves_older_calls_out(self, used: Cli) -> None:
        ledger = sqlite3.connect(used.state / "ledger.sqlite")
        with contextlib.closing(ledger), ledger:
            ledger.execute("DROP TRIGGER attempts_fixed")
            ledger.execute("DROP TRIGGER attempts_once")
            ledger.execute("UPDATE attempts SET at = at - 3600000 WHERE seq = 1")

        for since, calls in (("30m", 1), ("all", 2)):
            found = json.loads(used("usage", "--since", since, "--json").stdout)
            assert [row["calls"] for row in found["rows"]] == [calls]
            assert found["all"]["calls"] == calls

    @pytest.mark.parametrize("since", ["", "7", "d", "-1d", "1y", "7 days", "9999999d"])
    def test_bad_spans(self, cli: Cli, since: str) -> None:
        assert cli("usage", "--since", since).returncode == 2

    def test_a_bad_label(self, cli: Cli) -> None:
        assert cli("usage", "--by", "colour").returncode == 2

    def test_names_from_clients_cannot_act_on_the_terminal(self, cli: Cli) -> None:
        evil = json.dumps({**json.loads(CHAT), "model": "\x1b[31mred\x1b]0;t\x07[bold]x"})
        script = ASK.replace(CHAT, evil)

        cli("run", "-q", "--", "sh", "-c", script)

        text = cli("usage").stdout
        assert "\x1b" not in text
        assert "\x07" not in text


class TestAudit:
    def test_a_ledger_that_adds_up(self, used: Cli) -> None:
        done = used("audit")

        assert done.returncode == 0
        assert done.stdout.startswith("The ledger adds up: 2 attempts")
        assert json.loads(used("audit", "--json").stdout)["ok"] is True

    def test_one_edited_row_is_found(self, used: Cli) -> None:
        ledger = sqlite3.connect(used.state / "ledger.sqlite")
        with contextlib.closing(ledger), ledger:
            ledger.execute("DROP TRIGGER entries_fixed")
            ledger.execute("UPDATE entries SET micro = micro + 1 WHERE seq = 1")

        done = used("audit")

        assert done.returncode == 1
        assert "does NOT add up" in done.stdout
        assert json.loads(used("audit", "--json").stdout)["differences"]

    def test_no_ledger(self, cli: Cli) -> None:
        done = cli("audit")

        assert done.returncode == 1
        assert "no such file" in done.stderr

    def test_a_damaged_ledger(self, used: Cli) -> None:
        (used.state / "ledger.sqlite").write_bytes(b"nothing like a database" * 100)

        for command in ("audit", "usage", "doctor"):
            done = used(command)
            assert done.returncode == 1
            assert "Traceback" not in done.stderr


class TestRecord:
    def test_the_commands_of_the_docs_hold_without_any_key(self, used: Cli) -> None:
        """As docs/backtest.md has them, in a folder with the shipped rules; keys that come later change nothing."""
        text = (ROOT / "docs" / "backtest.md").read_text()
        commands = re.findall(r"^wattline ((?:record|test)\b[^#\n]*)", text, re.MULTILINE)
        record = next(one for one in commands if one.startswith("record"))
        test = next(one for one in commands if one.startswith("test") and "--rules" in one)
        shutil.copy(ROOT / "rules.yaml", used.folder / "rules.yaml")

        done = used(*shlex.split(record))
        assert done.returncode == 0, done.stderr
        assert "do not come to" not in done.stdout

        for env in ({}, {"OPENAI_API_KEY": "sk-0123456789"}):
            done = used(*shlex.split(test), env=env)
            assert done.returncode == 0, done.stdout
            assert "1 of 1" in done.stdout


class TestDoctor:
    def test_a_fresh_machine_is_well(self, cli: Cli) -> None:
        done = cli("doctor", env={"PORT": "0", "PYTHONIOENCODING": "utf-8"})

        assert done.returncode == 0, done.stdout
        assert "✗" not in done.stdout
        assert "no provider key is set" in done.stdout
        assert not cli.state.exists()

    def test_each_trouble_has_a_line_with_advice(self, used: Cli) -> None:
        used.rules("rules: 7\n")
        (used.state / "ca" / "mitmproxy-ca.pem").chmod(0o644)
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
            port = str(taken.getsockname()[1])
            env = {"PORT": port, "PYTHONIOENCODING": "ascii", "HTTPS_PROXY": "http://127.0.0.1:9"}

            done = used("doctor", "--rules", str(used.folder / "my rules.yaml"), env=env)

        assert done.returncode == 1
        bad = [line for line in done.stdout.splitlines() if line.startswith("NO ")]
        assert len(bad) == 3
        assert "my rules.yaml has" in bad[0]
        assert f"can't listen on 127.0.0.1:{port}: another program listens there" in bad[1]
        assert "(the port is from PORT)" in bad[1]
        assert "CA can't be used" in bad[2]
        assert "chmod 600" in done.stdout
        assert "own calls don't use it" in done.stdout

    @pytest.mark.parametrize(
        ("env", "words", "advice"),
        [
            ({"WATTLINE_RULES": "/none.yaml"}, "rules file '/none.yaml' that WATTLINE_RULES names does not exist", "Set it"),
            ({"WATTLINE_RULES": "none.yaml"}, "does not exist in /", "Set it"),
            ({"WATTLINE_RULES": "/"}, "rules file '/' that WATTLINE_RULES names is no file", "Set it"),
            ({"PORT": "http"}, "PORT is 'http'; it must be a port from 0 to 65535", "Set it"),
            ({"WATTLINE_LOG_LEVEL": "x"}, "WATTLINE_LOG_LEVEL or LOG_LEVEL: 'x' is none of debug", "Set it"),
            ({"HOST": "no-such.invalid"}, "the name 'no-such.invalid' (from HOST) leads to no address", "Set WATTLINE_HOST"),
            ({"WATTLINE_HOST": "192.0.2.1"}, "has no address 192.0.2.1 (from WATTLINE_HOST)", "Set WATTLINE_HOST"),
            ({"WATTLINE_HOST": "2001:db8::1"}, "can't listen on [2001:db8::1]:", "Set WATTLINE_HOST"),
            ({"WATTLINE_STATE": "/dev/null/x"}, "/dev/null/x can't be used: /dev/null is no folder", "Choose another"),
            ({"OPENAI_API_KEY": "sk-0123456789abcdef", "OPENAI_BASE_URL": "x/v1"}, "(from OPENAI_BASE_URL)", "`wattline check`"),
        ],
    )  # fmt: skip
    def test_a_wrong_setting_is_named(
        self, cli: Cli, env: dict[str, str], words: str, advice: str
    ) -> None:
        done = cli("doctor", env={"PYTHONIOENCODING": "ascii", **env})

        assert (done.returncode, done.stderr) == (1, "")
        lines = done.stdout.splitlines()
        assert lines[0].startswith("ok Python")
        (at,) = (place for place, line in enumerate(lines) if line.startswith("NO "))
        assert words in lines[at]
        assert lines[at + 1].startswith(f"    {advice}")
        assert "ledger /dev/null" not in done.stdout

    def test_things_of_the_wrong_kind_in_the_state_folder(self, cli: Cli) -> None:
        (cli.state / "ledger.sqlite").mkdir(parents=True)
        (cli.state / "ca").write_text("x")

        done = cli("doctor", env={"PORT": "0", "PYTHONIOENCODING": "ascii"})

        assert f"NO the CA's folder {cli.state}/ca is no folder" in done.stdout
        assert f"NO ledger {cli.state}/ledger.sqlite is a folder, no file" in done.stdout

    def test_a_host_that_does_not_resolve(self, cli: Cli) -> None:
        rules = cli.rules(
            "version: 1\n"
            "providers:\n"
            "  p: {url: 'https://no-such-host.invalid/v1', key: '${K}'}\n"
            "  q: {url: 'http://127.0.0.1:9/v1', key: '${K}'}\n"
            "rules: [{name: all, try: [p/m, q/m]}]\n"
        )
        env = {"K": "0123456789abcdef", "PORT": "0", "PYTHONIOENCODING": "utf-8"}

        done = cli("doctor", "--rules", str(rules), env=env)

        assert done.returncode == 1
        assert "✗ provider p: configured, no-such-host.invalid d" in done.stdout
        assert "✓ provider q" in done.stdout
        assert env["K"] not in done.stdout


class TestCa:
    def test_paths_and_export(self, cli: Cli) -> None:
        shown = cli("ca").stdout
        assert str(cli.state / "ca" / "bundle.pem") in shown

        pem = cli("ca", "export", "-").stdout
        assert pem.startswith("-----BEGIN CERTIFICATE-----")
        assert "PRIVATE" not in pem
        assert cli("ca", "export", "out.pem").returncode == 0
        assert (cli.folder / "out.pem").read_text() == pem
        assert cli("ca", "export", ".").returncode == 0
        assert (cli.folder / "wattline-ca.pem").read_text() == pem

    def test_export_replaces_nothing_unasked(self, cli: Cli) -> None:
        (cli.folder / "mine").write_text("mine")

        assert cli("ca", "export", "mine").returncode == 1
        assert (cli.folder / "mine").read_text() == "mine"
        assert cli("ca", "export", "mine", "--force").returncode == 0

    def test_an_open_key_is_refused_with_advice(self, cli: Cli) -> None:
        cli("ca")
        (cli.state / "ca" / "mitmproxy-ca.pem").chmod(0o644)

        done = cli("ca")

        assert done.returncode == 1
        assert "chmod 600" in done.stderr
        assert cli("run", "--", "true").returncode == 125


class TestDemo:
    @pytest.fixture
    def url(self, cli: Cli) -> Iterator[str]:
        process = cli.start("demo", "--port", "0", "--delay", "0", "--token-speed", "10000")
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()
        process.communicate(timeout=30)
        assert process.returncode == 0

    def test_it_answers(self, url: str) -> None:
        """B-202: an OpenAI-compatible mock of its own."""
        request = urllib.request.Request(  # noqa: S310  (the demo's own URL)
            f"{url}/chat/completions", CHAT.encode(), {"content-type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as answer:
            assert json.load(answer)["object"] == "chat.completion"

    def test_a_port_that_is_taken_is_named(self, cli: Cli) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = cli("demo", "--port", str(port))
        assert done.returncode == 1
        assert f"port {port}: Address already in use" in done.stderr

    def test_bad_knobs(self, cli: Cli) -> None:
        """B-129: error rates are 0 to 1."""
        for done in (
            cli("demo", "--error-rate", "2"),
            cli("demo", env={"MOCK_ERROR_RATE": "often"}),
        ):
            assert done.returncode == 2
            assert "0 to 1" in done.stderr
