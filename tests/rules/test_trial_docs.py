"""The examples of docs/drills.md, docs/shadow.md and docs/continuation.md are good rules."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wattline.rules import trials
from wattline.rules.load import load
from wattline.rules.problems import RulesError

DOCS = Path(__file__).parents[2] / "docs"
HEAD = """version: 1
providers:
  openai: {url: 'https://a.example/v1', key: '${KEY}', dialect: openai}
  groq: {url: 'https://b.example/v1', key: '${KEY}', dialect: openai}
  anthropic: {url: 'https://c.example/v1', key: '${KEY}', dialect: anthropic}
models: {gpt-4o: {provider: openai}}
"""


@pytest.mark.parametrize(
    ("page", "field"), [("drills", "fault"), ("shadow", "shadow"), ("continuation", "midstream")]
)
def test_the_example_can_be_loaded(page: str, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 5, 4, 12, tzinfo=UTC).timestamp()
    monkeypatch.setattr(trials.time, "time", lambda: now)
    (text,) = re.findall(r"```yaml\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL)
    book = load(HEAD + text, env={"KEY": "k" * 40})
    assert getattr(book.rules[0], field)


@pytest.mark.parametrize("page", ["drills", "shadow", "continuation", "affinity"])
def test_the_example_is_clean_with_the_shipped_rules(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of their rules. What is said of it is what each drill and each shadow is told of."""
    now = datetime(2026, 5, 4, 12, tzinfo=UTC).timestamp()
    monkeypatch.setattr(trials.time, "time", lambda: now)
    shipped = (DOCS.parent / "rules.yaml").read_text().partition("\nrules:\n")[0]
    (text,) = re.findall(r"```yaml\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL)
    told = {"drills": "a drill is on", "shadow": "are sent to groq/"}.get(page)
    warnings = load(f"{shipped}\n{text}", env={}).warnings
    assert [warning for warning in warnings if told is None or told not in warning] == []


@pytest.mark.parametrize("page", ["continuation", "affinity", "shadow", "drills"])
def test_an_example_alone_says_which_provider_is_missing(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 5, 4, 12, tzinfo=UTC).timestamp()
    monkeypatch.setattr(trials.time, "time", lambda: now)
    (text,) = re.findall(r"```yaml\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL)
    with pytest.raises(RulesError) as error:
        load(f"version: 1\n{text}", env={})
    name = "groq" if page == "shadow" else "openai"
    assert page == "drills" or f"provider {name!r} is not in `providers`" in str(error.value)
    assert "unknown model 'openai/" not in str(error.value)


def test_a_drill_that_is_over_tells_its_time() -> None:
    text = HEAD + (
        "rules: [{name: a, try: model, fault: {kind: 503, share: 1, until: 2020-01-02T03:04:05Z}}]\n"
    )
    (warning,) = load(text, env={"KEY": "k" * 40}).warnings
    assert "ended at 2020-01-02T03:04:05Z" in warning


@pytest.mark.parametrize("kind", ["504", "stal"])
def test_all_kinds_are_told(kind: str) -> None:
    rule = (
        f"{{name: a, try: model, fault: {{kind: {kind}, share: 1, until: 2026-05-04T18:00:00Z}}}}"
    )
    with pytest.raises(RulesError, match=r"429, 500, 503, 529, refuse, stall, cut") as error:
        load(f"{HEAD}rules: [{rule}]\n", env={"KEY": "k" * 40})
    assert ("Did you mean 'stall'" in str(error.value)) is (kind == "stal")
