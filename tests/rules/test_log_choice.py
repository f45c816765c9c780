from __future__ import annotations

from pathlib import Path

import pytest

from kit.accounts import book
from wattline.base.settings import SettingsError
from wattline.rules.load import RulesError
from wattline.rules.log_choice import log_choice

STATE = Path("/state")


def chosen(text="", level=None, **env):
    return log_choice(book(text).log, level, env, STATE)


def test_without_a_word_lines_are_text_and_files_are_in_the_state_folder():
    """A-170, A-173, B-133."""
    found = chosen()
    assert (found.level, found.format, found.folder) == ("info", "text", STATE / "logs")
    assert chosen(NODE_ENV="development").level == "debug"


@pytest.mark.parametrize(("text", "folder"), [
    ("true", STATE / "logs"), ("false", None), ("/var/log/wattline", Path("/var/log/wattline")),
    ("mine", STATE / "mine"),
])  # fmt: skip
def test_where_files_are(text, folder):
    assert chosen(f"log: {{file: {text}}}\n").folder == folder


def test_the_environment_goes_before_the_rules():
    """B-133, E-026."""
    text = "log: {level: error, format: text}\n"
    assert chosen(text, NODE_ENV="development").level == "error"
    assert chosen(text, "silent").level == "silent"
    assert chosen(text, LOG_FORMAT="JSON").format == "json"
    assert chosen("log: {format: json}\n").format == "json"
    assert chosen("log: {format: json}\n", LOG_FORMAT="").format == "json"
    assert chosen(WATTLINE_LOG_FORMAT="json", LOG_FORMAT="text").format == "json"


def test_another_format_is_refused_with_its_name():
    with pytest.raises(SettingsError, match="LOG_FORMAT"):
        chosen(LOG_FORMAT="xml")


@pytest.mark.parametrize("text", [
    "log: {format: xml}", "log: {file: 7}", "log: {file: ''}", "log: {file: [a]}",
    "log: {level: silent}", 'log: {file: "${HOME}"}', 'log: {file: "a\\nb"}', "log: {other: 1}",
])  # fmt: skip
def test_mistakes_are_told(text):
    with pytest.raises(RulesError, match="log"):
        book(f"{text}\n")
