"""What `wattline explain --call` says of attempts that were no usual ones."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

from kit.sidecars import running
from kit.trials import ask, rows, with_drill, with_rule
from wattline.base.settings import Settings
from wattline.cli.explain_past import explain_past
from wattline.cli.shadow import shadow
from wattline.cli.usage import LEDGER


def called(tmp_path, change, fields: str) -> tuple[Settings, list[str]]:
    """The ids of the calls in the ledger."""

    async def call() -> tuple[Settings, list[str]]:
        async with running(tmp_path) as run:
            change(run, fields)
            assert (await run.call(ask())).status == 200
            await asyncio.gather(*run.sidecar.parts.calls.shadows._open)
            settings = run.sidecar.settings
        return settings, [row["call"] for row in rows(run)]

    return asyncio.run(call())


def test_a_drill_is_told_at_the_attempt(tmp_path, capsys):
    settings, (first, _) = called(tmp_path, with_drill, "kind: 429, targets: [p0]")
    explain_past(first, settings)
    said = capsys.readouterr().out
    assert "attempt 1 p0/up0: failed, a drill made this fault, http_429" in said
    assert "attempt 2 p1/up1: complete, HTTP 200" in said


def test_a_shadow_copy_is_told_and_fits_a_terminal(tmp_path, capsys, monkeypatch):
    fields = "shadow: {target: p1/a-model-with-a-name, share: 1}"
    settings, (_, copy) = called(tmp_path, with_rule, fields)
    explain_past(copy, settings)
    assert "attempt 1 p1/a-model-with-a-name: complete, a shadow copy, HTTP 200" in (
        capsys.readouterr().out
    )
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    shadow(settings.state, since="7d")
    shown = capsys.readouterr().out
    assert "p1/a-model-with-a-name" in shown
    assert "p0/up0" in shown
    assert "The terminal is too narrow for: " in shown
    assert len(shown.splitlines()) < 8


def test_an_estimate_after_a_crash_is_no_prompt(tmp_path, capsys):
    settings, (call, *_) = called(tmp_path, with_drill, "kind: 429, targets: [p0]")
    with closing(sqlite3.connect(settings.state / LEDGER)) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(
            "UPDATE attempts SET state = 'unsettled', prompt = 4009, completion = 0, source = 'estimated',"
            " flags = '[\"crashed\"]' WHERE number = 2"
        )
        connection.commit()
    explain_past(call, settings)
    said = capsys.readouterr().out
    assert "unsettled, the sidecar ended before it did" in said
    assert "about 4009 tokens (estimated: the prompt and all that it may have written)" in said


def test_a_call_that_nobody_answered_has_no_unknown_energy(tmp_path, capsys):
    async def call() -> Settings:
        async with running(tmp_path, 1) as run:
            run.upstreams[0].always("500")
            assert (await run.call(ask())).status == 500
            return run.sidecar.settings

    settings = asyncio.run(call())
    with closing(sqlite3.connect(settings.state / LEDGER)) as connection:
        ((found,),) = connection.execute("SELECT call FROM attempts")
    explain_past(found, settings)
    said = capsys.readouterr().out
    assert "energy    none: no attempt was answered" in said
    assert "not known" not in said
