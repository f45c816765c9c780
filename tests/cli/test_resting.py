"""What commands say of keys that were refused and providers that asked to wait, out of the ledger."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from kit.sidecars import running
from wattline.base.settings import Settings
from wattline.cli.doctor import examine
from wattline.cli.explain import explain
from wattline.cli.faring import targets
from wattline.cli.finding import Mark
from wattline.cli.health import health
from wattline.cli.question import Question
from wattline.cli.resting import Held, noted
from wattline.cli.running import Running
from wattline.cli.usage import LEDGER
from wattline.store.rests import read_rests

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
ASKED = Question(None, "m", "/v1/chat/completions")
KEYS = {"KEY_0": "sk-refused-0123456789", "KEY_1": "sk-good-0123456789"}


async def after(tmp_path, *faults: str) -> Settings:
    """A ledger in which the first provider answered, then each met its fault."""
    async with running(tmp_path, count=len(faults)) as run:
        await run.call(CHAT)
        for upstream, fault in zip(run.upstreams, faults, strict=True):
            upstream.always(fault)
        await run.call(CHAT)
        await run.call(CHAT)
        return run.sidecar.settings


def test_a_refused_key_is_told_by_all_that_look(tmp_path, capsys, caplog):
    caplog.set_level("INFO", "wattline.requests")
    settings = asyncio.run(after(tmp_path, "401", "401"))
    assert " could not be tried: p0/up0 (resting for " in caplog.text

    found = [one for one in examine(settings) if "was refused" in one.text]
    assert [one.mark for one in found] == [Mark.BAD, Mark.BAD]
    assert found[0].text.startswith("p0's key was refused; it rests ")
    assert "restart" in found[0].advice
    (row, *_) = read_rests(settings.state / LEDGER, 0)
    assert [one.account for one in noted(settings.state / LEDGER, row.book)] == ["p0", "p1"]
    assert noted(settings.state / LEDGER, "other") == []
    targets(settings)
    shown = capsys.readouterr().out
    (line,) = [line for line in shown.splitlines() if line.startswith("p0/up0")]
    assert " s " in line.partition("closed")[2]
    assert "p1's key was refused; it rests " in shown
    targets(settings, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [one["account"] for one in told["rests"]] == ["p0", "p1"]
    assert told["targets"][0]["rests"].endswith(" s")
    explain(ASKED, settings)
    said = capsys.readouterr().out
    assert "its key was refused" in said
    assert "plan      nothing" in said
    assert "x-wattline-explain: 1" in said


def test_another_key_has_no_rest(tmp_path, capsys):
    settings = asyncio.run(after(tmp_path, "401", "429:60"))
    other = replace(settings, env={**settings.env, **KEYS})

    assert not [one for one in examine(other) if "rests" in one.text]
    waiting = [one for one in examine(settings) if "asked to wait" in one.text]
    assert [one.mark for one in waiting] == [Mark.NOTE]
    explain(ASKED, other, as_json=True)
    assert json.loads(capsys.readouterr().out)["rests"] == []


def test_health_names_them_too(tmp_path, capsys, monkeypatch):
    settings = asyncio.run(after(tmp_path, "401", "ok"))
    (row,) = read_rests(settings.state / LEDGER, 0)
    running = Running(1, "127.0.0.1", 8088, "1", rules_version=row.book)
    answer = {"status": "healthy", "version": "1", "uptime": 1}
    monkeypatch.setattr("wattline.cli.health.read_mark", lambda *_: running)
    monkeypatch.setattr("wattline.cli.health.ask_health", lambda *_: answer)
    assert health(settings.state, None) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "healthy, 127.0.0.1:8088, version 1"
    assert second.startswith("p0's key was refused; it rests ")
    running = replace(running, several_keys=frozenset({"p0"}))
    assert health(settings.state, None) == 0
    assert "\nkey 1 of p0 was refused; it rests " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "owner", "words"),
    [
        (2, None, "key 2 of openai was refused; it rests 265 s more"),
        (0, None, "openai's key was refused; it rests 265 s more"),
        (0, "ann", "the own key of ann for openai was refused; it rests 265 s more"),
    ],
)
def test_whose_key_it_is(key, owner, words):
    one = Held("openai", "openai", key, owner, 264.9, "its key was refused", limited=False)
    assert str(one) == words


def test_names_are_whole_at_80_columns(tmp_path, capsys, monkeypatch):
    settings = asyncio.run(after(tmp_path, "401", "ok"))
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    targets(settings)
    shown = " ".join(capsys.readouterr().out.split())
    assert "p0/up0 closed " in shown
    assert "The terminal is too narrow for: " in shown
