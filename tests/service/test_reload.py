"""The rules in force follow the file, and survive a broken one."""

from __future__ import annotations

import asyncio
import os

import pytest

from kit.sidecars import running
from wattline.service.reload import Books, read_book

GOOD = """version: 1
providers:
  a: {url: "https://a.test/v1", auth: none, dialect: openai}
models:
  m: {provider: a, name: one}
rules:
  - {name: by-model, when: {}, try: model}
"""


def replace_text(path, text):
    """As editors save: a new file put in the place of the old one."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text(GOOD)
    return file


@pytest.fixture
def books(path):
    return Books(path, {}, None, read_book(path, {}, None))


async def test_a_saved_edit_is_in_force_for_the_next_call(books, path):
    """Nothing to wait for: the next look at the rules sees the new file."""
    before = await books.fresh()
    replace_text(path, GOOD.replace("name: one", "name: two"))
    after = await books.fresh()
    assert before.models["m"][0].model == "one"
    assert after.models["m"][0].model == "two"
    assert books.error is None


async def test_a_broken_edit_changes_nothing_and_says_why(books, path, caplog):
    """File, line, column and the nearest right word."""
    replace_text(path, GOOD.replace("provider: a", "provider: aa"))
    kept = await books.fresh()
    assert kept.models["m"][0].model == "one"
    assert "rules.yaml:5:" in (books.error or "")
    assert "Did you mean 'a'" in (books.error or "")
    replace_text(path, GOOD)
    await books.fresh()
    assert books.error is None


@pytest.mark.parametrize("cut", range(0, len(GOOD), 7))
async def test_a_half_written_file_never_breaks_a_call(books, path, cut):
    """T21: whatever part of the file is there, the old rules or whole new ones are in force."""
    path.write_text(GOOD[:cut])
    book = await books.fresh()
    assert book.version


async def test_a_file_that_goes_away_changes_nothing(books, path, caplog):
    path.unlink()
    assert (await books.fresh()).models["m"]
    assert books.error == f"{path} is not there any more"
    assert "Errno" not in caplog.text
    path.write_text(GOOD.replace("name: one", "name: three"))
    assert (await books.fresh()).models["m"][0].model == "three"


async def test_many_calls_at_once_read_the_file_once(books, path, monkeypatch):
    """A reload is done once, whoever notices first; the others wait for it."""
    reads = 0

    def counting(*args):
        nonlocal reads
        reads += 1
        return read_book(*args)

    monkeypatch.setattr("wattline.service.reload.read_book", counting)
    replace_text(path, GOOD.replace("name: one", "name: two"))
    found = await asyncio.gather(*(books.fresh() for _ in range(20)))
    assert {book.models["m"][0].model for book in found} == {"two"}
    assert reads == 1


async def test_a_touched_file_with_the_same_content_keeps_its_version(books, path):
    before = await books.fresh()
    os.utime(path, ns=(1, 1))
    assert (await books.fresh()).version == before.version


async def test_the_watcher_reports_without_traffic(books, path):
    watching = asyncio.ensure_future(books.watch(0.01))
    replace_text(path, "version: [")
    async with asyncio.timeout(10):
        while books.error is None:
            await asyncio.sleep(0.01)
    watching.cancel()


async def test_what_is_doubtful_is_logged(books, path, caplog):
    """Drills, shadows, rules that are never reached: once for each edit."""
    caplog.set_level("WARNING", "wattline")
    books.warn()
    assert caplog.messages == []
    late = "  - {name: all, try: [m]}\n  - {name: late, deny: no}\n"
    replace_text(path, GOOD + late)
    await books.fresh()
    await books.fresh()
    (text,) = caplog.messages
    assert "rules.yaml:9:" in text
    assert "rule 'late' is never reached: 'all' takes every call" in text


async def test_what_is_doubtful_is_logged_at_the_start(tmp_path, caplog):
    caplog.set_level("WARNING", "wattline.service.reload")
    extra = "health: {breaker: false, cooldown: 10m, longest: 5s}"
    async with running(tmp_path, extra=extra):
        assert any("health.longest" in text for text in caplog.messages)
