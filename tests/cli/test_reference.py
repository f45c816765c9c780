"""The pages that users read name what there is."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest
import typer.main

from wattline.cli.environment import BASE_URLS
from wattline.cli.main import app
from wattline.cli.reference import reference
from wattline.rules.compiled.entrance import Limits
from wattline.rules.compiled.provider import Timeouts

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/operations.md", "docs/cli.md")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"```sh\n(.*?)```", re.DOTALL)
MENTIONED = re.compile(r"`wattline ([a-z][a-z ]*?)(?=[ `]*(?:`|-|FILE|COMMAND|…))")


def commands() -> set[str]:
    top = typer.main.get_command(app)
    return set(top.commands)  # type: ignore[attr-defined]  (a group has them)


def shell_lines(page: str) -> list[str]:
    text = "".join(FENCED.findall((ROOT / page).read_text()))
    return [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def test_the_command_reference_is_up_to_date() -> None:
    """A failing test wants `python -m wattline.cli.reference > docs/cli.md`."""
    assert (ROOT / "docs" / "cli.md").read_text() == reference()


def test_every_command_and_option_is_described() -> None:
    top = typer.main.get_command(app)
    for name, command in top.commands.items():  # type: ignore[attr-defined]  (a group has them)
        assert command.help, name
        for parameter in command.params:
            assert parameter.name == "help" or parameter.help, f"{name} {parameter.name}"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    for link in LINK.findall((ROOT / page).read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = folder / path
        assert target.is_file(), f"{page}: {link}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in {title.lower().replace(" ", "-") for title in titles}, link


def test_the_readme_begins_with_two_commands() -> None:
    first, second, third, *_ = shell_lines("README.md")

    assert first.split()[0] == "scripts/run"
    assert second.split()[0] == "scripts/test"
    assert third.startswith("curl http://127.0.0.1:8088/v1/chat/completions")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_shown_commands_exist(page: str) -> None:
    for line in shell_lines(page):
        words = [word for word in shlex.split(line, comments=True) if "=" not in word]
        if words[0].startswith("scripts/"):
            assert os.access(ROOT / words[0], os.X_OK), line
        for place, word in enumerate(words):
            if word.endswith("bin/wattline"):
                assert words[place + 1] in commands(), line


@pytest.mark.parametrize("page", PAGES)
def test_mentioned_commands_exist(page: str) -> None:
    found = [words.split()[0] for words in MENTIONED.findall((ROOT / page).read_text())]

    assert set(found) <= commands() | {"uses"}, page


def test_options_in_the_readme_exist() -> None:
    text = reference()
    for option in re.findall(r"(?<=\s)--[a-z-]+", "\n".join(shell_lines("README.md"))):
        assert f"`{option}`" in text, option


def test_operations_has_the_messages_of_other_gateways() -> None:
    """A-156, A-197: users of those gateways look for these words."""
    page = (ROOT / "docs" / "operations.md").read_text()

    rows = [line for line in page.splitlines() if line.startswith("| ")]
    for words in (
        ("Невалидный мастер токен", "ADMIN_FIRST", "masterToken"),
        ("Не хватает баланса", "GET /token", "PUT /token"),  # noqa: RUF001  (it is Russian)
        ("all_providers_failed", "http_401", "network"),
        ("log files", "state/logs", "disk"),
        ("transcription", "300 MB", "mp3, wav, m4a", "DEEPINFRA_API_KEY"),
    ):
        assert [row for row in rows if all(word in row for word in words)], words


def test_the_licence_is_mit() -> None:
    text = (ROOT / "LICENSE").read_text()

    assert text.startswith("MIT License\n")
    assert "wattline contributors" in text


def test_the_limits_table_has_the_defaults_in_force() -> None:
    """The figures in operations.md are those of the code."""
    page = (ROOT / "docs" / "operations.md").read_text()
    limits, times = Limits(), Timeouts()
    times_text = f"{times.connect:g}, {times.first_byte:g}, {times.idle:g}, {times.total:g} s"

    assert f"{limits.head_bytes // 1024} KiB, {limits.head_seconds:g} s" in page
    assert f"{limits.json_bytes // 2**20} MiB, {limits.json_depth} levels" in page
    assert f"{limits.upload_bytes // 2**20} MiB" in page
    assert times_text in page
    assert f"{limits.deadline:g} s" in page
    assert f"counts up to {limits.retry_after_cap:g} s" in page
    assert f"{limits.grace:g} s" in page


def test_base_url_variables_are_those_of_the_docs() -> None:
    assert BASE_URLS[0].variable in (ROOT / "README.md").read_text()
