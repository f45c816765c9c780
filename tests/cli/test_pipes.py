"""Whoever reads a command's output may stop: `wattline … | head -1` ends without a word."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli

COMMANDS = [
    ("explain", "--model", "gpt-4o"),
    ("explain", "--model", "gpt-4o", "--json"),
    ("check",),
    ("keys", "list", "--json"),
    ("usage", "--json"),
    ("version",),
    ("--help",),
]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_reader_that_leaves(cli: Cli, command: tuple[str, ...], unbuffered: str) -> None:
    with cli.start(*command, env={"PYTHONUNBUFFERED": unbuffered}) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
        process.wait(timeout=30)
    assert told == ""
    assert process.returncode in (0, 1)


def test_the_first_line_is_enough(cli: Cli) -> None:
    line = f"{subprocess.list2cmdline(cli.command('explain', '--model', 'gpt-4o'))} | head -1"
    for _ in range(3):
        done = subprocess.run(
            ["/bin/sh", "-c", line], env=cli.env, cwd=cli.folder, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert done.stdout.count("\n") == 1
        assert done.stderr == ""


@pytest.mark.parametrize("command", [("usage",), ("--help",), ("explain", "--model", "gpt-4o")])
def test_a_full_disk_is_one_line(cli: Cli, command: tuple[str, ...]) -> None:
    line = f"{subprocess.list2cmdline(cli.command(*command))} > /dev/full"
    done = subprocess.run(
        ["/bin/sh", "-c", line], env=cli.env, cwd=cli.folder, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.endswith("No space left on device\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "command", [("keys", "list"), ("check",), ("explain", "--model", "gpt-…é"), ("--help",)]
)
def test_an_output_without_all_characters(cli: Cli, command: tuple[str, ...]) -> None:
    done = cli(*command, env={"PYTHONIOENCODING": "ascii", "OPENAI_API_KEY": "sk-proj-0123456789"})
    assert "bug" not in done.stderr
    assert done.returncode in (0, 1)
    assert done.stdout.isascii()
