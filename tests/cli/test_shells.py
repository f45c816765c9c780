"""Each shell gets back exactly what was meant."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.cli.shells import Shell, render

NASTY = {
    "PLAIN": "http://127.0.0.1:8088/v1",
    "SPACE": "/state dir/bundle.pem",
    "QUOTES": """it's "here" `id` $(id) $HOME \\ \\' !!""",
    "TYPOGRAPHIC": "\u2018a\u2019b\u201ac\u201bd",
    "NEWLINE": "a\nb",
    "EMPTY": "",
}
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


def evaluated(shell: str, script: str, name: str) -> str:
    program = f'{script}\nprintf "%s" "${name}"'
    found = subprocess.run(
        [shell, "-c", program], capture_output=True, check=True, env={"PATH": os.defpath}
    )
    return found.stdout.decode()


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh"])
def test_real_shells_get_every_value(shell: str) -> None:
    path = shutil.which(shell)
    if path is None:
        assert shell != "bash", "bash is needed for this test"
        return

    for name, value in NASTY.items():
        assert evaluated(path, render(NASTY, Shell.BASH), name) == value


@settings(max_examples=40, deadline=None)
@given(value=texts)
def test_bash_gets_any_value(value: str) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    assert evaluated(bash, render({"V": value}, Shell.BASH), "V") == value


@given(value=texts)
def test_fish_quoting_is_undone_by_fishs_rules(value: str) -> None:
    """In fish, within single quotes only \\' and \\\\ are escapes."""
    line = render({"V": value}, Shell.FISH)

    body = re.fullmatch(r"set -gx V '(.*)'\n", line, re.DOTALL)
    assert body is not None
    assert re.fullmatch(r"(?:[^'\\]|\\[\\'])*", body[1], re.DOTALL)
    assert re.sub(r"\\([\\'])", r"\1", body[1]) == value


@given(value=texts)
def test_powershell_quoting_is_undone_by_powershells_rules(value: str) -> None:
    """In PowerShell, within single quotes a doubled quote of any of five kinds is one."""
    line = render({"V": value}, Shell.POWERSHELL)

    body = re.fullmatch(r"\$Env:V = '(.*)'\n", line, re.DOTALL)
    assert body is not None
    kinds = "'\u2018\u2019\u201a\u201b"
    assert re.fullmatch(rf"(?:[^{kinds}]|([{kinds}])\1)*", body[1], re.DOTALL)
    assert re.sub(rf"([{kinds}])\1", r"\1", body[1]) == value


def test_powershell_line() -> None:
    assert render({"A": "it's"}, Shell.POWERSHELL) == "$Env:A = 'it''s'\n"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("http://127.0.0.1:8088/v1", "V=http://127.0.0.1:8088/v1"),
        ("a,b,::1", "V=a,b,::1"),
        ("/state dir/x", "V='/state dir/x'"),
        ("$x # y", "V='$x # y'"),
        ("it's", 'V="it\'s"'),
        ("it's \"\\", 'V="it\'s \\"\\\\"'),
        ("a\nb", 'V="a\\nb"'),
        ("", "V="),
    ],
)
def test_dotenv_lines(value: str, line: str) -> None:
    assert render({"V": value}, Shell.DOTENV) == line + "\n"


@given(values=st.dictionaries(st.sampled_from(["A", "B", "C"]), texts))
def test_json_is_the_mapping(values: dict[str, str]) -> None:
    assert json.loads(render(values, Shell.JSON)) == values
