"""Warnings about the section `health`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import wattline
from wattline.rules.health import KNOWN
from wattline.rules.load import load


def warned(health: str) -> list[str]:
    rules = f"version: 1\nhealth: {health}\nproviders: {{}}\nmodels: {{}}\nrules: [{{name: r, deny: no}}]\n"
    return list(load(rules, env={}).warnings)


@pytest.mark.parametrize(
    ("health", "told"),
    [
        ("{cooldown: 10m, longest: 5s}", "health.longest: `longest` is shorter than `cooldown`"),
        (
            "{ignore: [htpp_503]}",
            "health.ignore[0]: no outcome is called so. Did you mean 'http_503'?",
        ),
        ("{ignore: timeout}", "health.ignore: no outcome is called so."),
        ("{ignore: ['http_503', 'htpp_*']}", "health.ignore[1]: no outcome is called so."),
        ("{cooldown: 10m}", None),
        ("{cooldown: 10s, longest: 5m}", None),
        ("{ignore: [http_418, http_503, 'inband_*', '*_timeout', inband_odd_word, cut]}", None),
    ],
)
def test_what_can_have_no_effect(health: str, told: str | None) -> None:
    found = warned(health)
    if told is None:
        assert found == []
    else:
        (text,) = found
        assert told in text


def test_every_way_in_which_an_upstream_breaks_is_known() -> None:
    """But for our own mistakes, which count for nobody."""
    folder = Path(wattline.__file__).parent
    text = "".join(file.read_text() for file in folder.rglob("*.py"))
    codes = set(re.findall(r"""Broken\(\s*"([a-z_]+)\"""", text))
    assert len(codes) > 10
    assert codes - KNOWN <= {"internal_error", "not_sent", "answer_too_large"}
