"""How the rules file is named to people."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattline.base.settings import Settings
from wattline.cli.book import rules_name


@pytest.mark.parametrize(
    ("here", "name"),
    [("/", "{0}/a/rules.yaml"), ("{0}", "a/rules.yaml"), ("{0}/a", "rules.yaml"), ("{0}/b", "{0}/a/rules.yaml")],
)  # fmt: skip
def test_a_name_leads_to_the_file_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, name: str
) -> None:
    """Below the root of all folders a name without its first slash would look like a relative one."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(here.format(tmp_path))
    settings = Settings(rules=tmp_path / "a" / "rules.yaml", state=tmp_path)

    assert rules_name(settings) == name.format(tmp_path)
