"""Values that options do not take: each message names the option, the value and what it takes."""

from __future__ import annotations

import pytest

from wattline.cli.wrong_value import none_of

AMOUNT = "is no amount of energy: write for example 5000 or 0.5"
SPAN = "is no span of time: write for example 30m, 24h, 7d"
MODES = "regular, transparent, socks5, local, wireguard, reverse:URL or upstream:URL"
CASES = (
    ("usage --by colour", "--by: 'colour' is none of model, provider, key, rule, day"),
    ("usage --by mdoel", "--by: 'mdoel' is none of model, provider, key, rule, day. Did you mean 'model'?"),
    ("usage --since soon", f"--since: 'soon' {SPAN}, 2w or all"),
    ("shadow --since -1d", f"--since: '-1d' {SPAN}, 2w or all"),
    ("proof --since 5", f"--since: '5' {SPAN}, 2w or all"),
    ("watch --for soon", f"--for: 'soon' {SPAN} or 2w"),
    ("demo --delay x", "Invalid value for '--delay': 'x' is no number"),
    ("demo --error-rate 5", "--error-rate: 5.0; it must be a number from 0 to 1"),
    ("demo --port 99999", "Invalid value for '--port': '99999' is no whole number from 0 to 65535"),
    ("serve --port x", "Invalid value for '--port': 'x' is no whole number from 0 to 65535"),
    ("serve --mode x", f"--mode: 'x' is no proxy mode (unknown mode): write {MODES}"),
    ("serve --log-level lod", "--log-level: 'lod' is none of debug, info, warn, warning, error, silent"),
    ("explain --tokens -1", "Invalid value for '--tokens': '-1' is no whole number of 0 or more"),
    ("explain --model m --path x", "--path: 'x' must begin with /, as in /v1/chat/completions"),
    ("explain --model m --own-key opnai", "--own-key: unknown provider 'opnai'. Did you mean "),
    ("env --shell csh", "Invalid value for '--shell': 'csh' is none of bash, zsh, fish, powershell, dotenv, json"),
    ("run --via prxy -- true", "'prxy' is none of proxy, base-url, both. Did you mean 'proxy'?"),
    ("keys create --per-day x", f"--per-day: 'x' {AMOUNT}"),
    ("users create ann --role boss", "--role: 'boss' is none of admin, user"),
    ("import x --credit much", f"--credit: 'much' {AMOUNT}"),
    ("health --address x:99999", "--address: 'x:99999' is no address: write host:port, with a port from 1 to 65535"),
)  # fmt: skip


@pytest.mark.parametrize(("command", "text"), CASES, ids=[command for command, _ in CASES])
def test_it_is_told_what_is_taken(cli, command, text):
    done = cli(*command.split())
    assert (done.returncode, done.stdout) == (2 if "run" not in command else done.returncode, "")
    assert text in done.stderr
    for foreign in ("Input should", "Value error", "pydantic", "Traceback", "is a bug"):
        assert foreign not in done.stderr


def test_a_long_value_is_cut():
    assert len(str(none_of("--by", "x" * 10_000, ("a", "b")))) < 150
