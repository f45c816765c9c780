"""The examples of docs/drills.md, docs/shadow.md and docs/continuation.md are good rules."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wattline.rules import trials
from wattline.rules.load import load

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
