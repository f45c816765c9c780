"""The examples of docs/affinity.md, docs/proof.md and docs/watch.md are good rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from wattline.cli.main import app
from wattline.rules.book import Book
from wattline.rules.load import load

DOCS = Path(__file__).parents[2] / "docs"
HEAD = """version: 1
providers:
  openai: {url: 'https://a.example/v1', key: '${KEY}', dialect: openai}
  groq: {url: 'https://b.example/v1', key: '${KEY}', dialect: openai}
"""


def example(page: str, head: str = "") -> Book:
    (text,) = re.findall(r"```yaml\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL)
    return load(head + text, env={"KEY": "k" * 40})


def test_affinity() -> None:
    book = example("affinity", HEAD)
    assert book.affine
    assert book.rules[0].affinity
    assert (book.affinity.ttl, book.affinity.diagnose) == (600.0, True)


def test_proof() -> None:
    book = example("proof", "version: 1\n")
    assert (book.proof.tunnels, book.proof.passed) == (True, True)
    assert book.intercept == book.open_hosts == ("api.openai.com",)
    assert book.fails_open("API.openai.com.")
    assert not book.fails_open("api.anthropic.com")


def test_watch() -> None:
    book = example("watch")
    assert [rule.name for rule in book.rules] == ["as-before", "by-model"]


@pytest.mark.parametrize("page", ["affinity", "watch", "proof"])
def test_commands_of_the_pages_exist(page: str) -> None:
    names = typer.main.get_group(app).commands
    for name in re.findall(r"wattline (\w+)", (DOCS / f"{page}.md").read_text()):
        assert name in names
