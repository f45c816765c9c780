"""`wattline backtest`, `record`, `test` and `explain --call` over the ledger of a sidecar that ran."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from kit.sidecars import Running, running
from wattline.base.settings import Settings
from wattline.cli import backtest as backtest_module
from wattline.cli import cases as cases_module
from wattline.cli.backtest import Wish, backtest
from wattline.cli.book import read_rules
from wattline.cli.case_files import write_file
from wattline.cli.cases import Wish as Recording
from wattline.cli.cases import check_cases, record
from wattline.cli.explain_past import explain_past
from wattline.cli.failure import Failure
from wattline.rules.problems import RulesError
from wattline.service.history.recalled import recall_call
from wattline.store.books import read_books
from wattline.store.history import RefusedRow, one_call

BODY = {"model": "m", "messages": [{"role": "user", "content": "the words of a prompt"}]}
RULES = """
rules:
  - {name: red, when: {header: {x-team: red}}, try: [m1]}
  - {name: banned, when: {model: "bad-*"}, deny: "not here"}
  - {name: by-model, when: {}, try: model}
windows: {each: {calls: 4, per: 60s, scope: principal}}
"""


def rules_text(urls: list[object]) -> str:
    lines = ["version: 1", "health: {breaker: false}", "providers:"]
    for index, url in enumerate(urls):
        lines.append(f'  p{index}: {{url: "{url}/v1", key: "${{KEY_{index}}}", dialect: openai}}')
    lines += [
        "models:",
        "  m1: {provider: p1, name: up1, rate: '2.0'}",
        "  m: {provider: p0, name: up0, rate: '2.0', chain: [m, m1]}",
    ]
    return "\n".join(lines) + RULES


async def run_in_thread(command: Callable[..., int], *args: object, **more: object) -> int:
    """A command of the command line makes its own event loop."""
    return await asyncio.to_thread(command, *args, **more)


async def a_past(tmp_path: Path) -> tuple[Settings, list[str]]:
    """Five calls: a plain one, one of team red, one that fails over, one denied, one too many."""
    async with running(tmp_path) as run:
        urls = [provider.origin for provider in run.sidecar.books.current.providers.values()]
        run.rules.write_text(rules_text(urls))
        calls = [await _call(run, {}) for _ in range(1)]
        calls.append(await _call(run, {}, ("x-team", "red")))
        run.upstreams[0].script(["503"])
        calls.append(await _call(run, {}))
        calls.append(await _call(run, {"model": "bad-one"}))
        calls.append(await _call(run, {}))
        keys = {f"KEY_{n}": f"sk-secret-of-upstream-{n:04d}" for n in range(2)}
        return Settings(run.rules, run.state, env=keys), calls


async def _call(run: Running, more: dict[str, object], *headers: tuple[str, str]) -> str:
    reply = await run.call({**BODY, **more}, headers=list(headers))
    return reply.headers["x-wattline-call"]


async def test_what_was_recorded_explains_each_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, (plain, red, over, denied, late) = await a_past(tmp_path)
    told = {}
    for name in (plain, red, over, denied, late):
        assert await run_in_thread(explain_past, name, settings, as_json=True) == 0
        told[name] = json.loads(capsys.readouterr().out)
        assert told[name]["agrees"], told[name]
        assert told[name]["rules"]["explained_by_them"]
    assert told[red]["recorded"]["rule"] == "red"
    assert [a["state"] for a in told[over]["attempts"]] == ["failed", "complete"]
    assert told[over]["attempts"][0]["error"] == "http_503"
    assert told[denied]["refused"] == {"status": 403, "code": "denied_by_rule"}
    assert told[late]["refused"] == {"status": 429, "code": "rate_limit_exceeded"}
    assert "window each: 4 of 4 calls" in told[late]["explanation"]["refused"]
    assert await run_in_thread(explain_past, over, settings) == 0
    text = capsys.readouterr().out
    assert "attempt 1 p0/up0: failed, http_503" in text
    assert "the words of a prompt" not in text


async def test_calls_are_explained_by_the_rules_that_decided_them(tmp_path: Path) -> None:
    settings, (_, red, *_) = await a_past(tmp_path)
    assert settings.rules is not None
    settings.rules.write_text(settings.rules.read_text().replace("name: red", "name: blue"))
    assert await run_in_thread(explain_past, red, settings) == 0
    ledger = settings.state / "ledger.sqlite"
    found = recall_call(ledger, red, read_rules(settings).book, settings.env)
    assert found is not None
    assert found.same_rules
    assert found.explanation is not None
    assert found.explanation.plan.rule == "red"
    assert len(read_books(ledger)) == 1
    assert "sk-secret" not in "".join(row.text for row in read_books(ledger))


async def test_the_ledger_keeps_no_header_but_those_that_rules_ask(tmp_path: Path) -> None:
    settings, (_, red, _, _, late) = await a_past(tmp_path)
    rows = one_call(settings.state / "ledger.sqlite", red)
    assert isinstance(rows, tuple)
    assert json.loads(rows[0].features)["headers"] == {"x-team": "red"}
    refused = one_call(settings.state / "ledger.sqlite", late)
    assert isinstance(refused, RefusedRow)
    assert json.loads(refused.features)["headers"] == {"x-team": None}


async def test_a_backtest_of_the_same_file_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, _ = await a_past(tmp_path)
    assert await run_in_thread(backtest, Wish(settings, as_json=True)) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["calls"], told["changed"]) == (5, 0)
    assert told["rate_limited"] == {"then": 1, "now": 1, "avoided": 0, "caused": 0}
    assert told["energy"]["now"] == [told["energy"]["then"]] * 2
    assert told["not_replayed"] == 0
    assert told["drilled"] == 0
    assert told["refused_unsent"] > 0


async def test_what_usage_counts_otherwise_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, _ = await a_past(tmp_path)
    with closing(sqlite3.connect(settings.state / "ledger.sqlite")) as ledger, ledger:
        for trigger in ("attempts_fixed", "attempts_once"):
            ledger.execute(f"DROP TRIGGER {trigger}")
        ledger.execute("UPDATE attempts SET flags = '[\"drill\"]' WHERE seq = 1")
    assert await run_in_thread(backtest, Wish(settings)) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "* 1 call left out: a drill made a fault in them; `wattline usage` counts them." in text
    assert "refused before any attempt: counted here, and not by `wattline usage`." in text


async def test_a_backtest_of_another_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, _ = await a_past(tmp_path)
    assert settings.rules is not None
    new = tmp_path / "new.yaml"
    text = settings.rules.read_text().replace("chain: [m, m1]", "chain: [m1]")
    new.write_text(
        text.replace("calls: 4", "calls: 40").replace('model: "bad-*"', 'model: "never-*"')
    )
    picture = tmp_path / "out.svg"
    wish = Wish(Settings(new, settings.state, env={}), picture=picture, as_json=True)
    assert await run_in_thread(backtest, wish) == 0
    told = json.loads(capsys.readouterr().out)
    moves = {(m["from"], m["to"]): m["calls"] for m in told["moves"]}
    assert moves[("p0/up0", "p1/up1")] == 1
    assert moves[("refused 429", "p1/up1")] == 1
    assert told["rate_limited"]["avoided"] == 1
    assert "banned" in told["never_reached"]
    low, high = told["energy"]["now"]
    assert low < high
    assert picture.read_text().startswith("<svg")
    assert await run_in_thread(backtest, Wish(Settings(new, settings.state, env={}))) == 0
    assert "never reached: rule banned" in capsys.readouterr().out


async def test_a_credential_that_a_rule_asks_for_is_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path) as run:
        urls = [provider.origin for provider in run.sidecar.books.current.providers.values()]
        run.rules.write_text(rules_text(urls).replace("x-team: red", "x-session-token: tick-tock"))
        call = await _call(run, {}, ("x-session-token", "tick-tock"))
        keys = {f"KEY_{n}": f"sk-secret-of-upstream-{n:04d}" for n in range(2)}
        settings = Settings(run.rules, run.state, env=keys)
        rows = one_call(settings.state / "ledger.sqlite", call)
        assert isinstance(rows, tuple)
        assert rows[0].rule == "red"
        assert json.loads(rows[0].features)["headers"] == {"x-session-token": False}
    assert "x-session-token looks like a credential" in read_rules(settings).book.warnings[-1]
    assert await run_in_thread(explain_past, call, settings) == 0
    shown = capsys.readouterr().out
    assert "the value of x-session-token" in shown
    assert "tick-tock" not in shown.replace("wanted 'tick-tock'", "")
    assert await run_in_thread(backtest, Wish(settings)) == 0
    assert "Header x-session-token was not recorded for 1 calls" in " ".join(
        capsys.readouterr().out.split()
    )


def test_pictures_are_svg(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="svg"):
        backtest(Wish(Settings(None, tmp_path), picture=tmp_path / "out.png"))


async def test_a_picture_that_cant_be_drawn_costs_no_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = await a_past(tmp_path)
    nowhere = tmp_path / "nowhere" / "x.svg"
    with pytest.raises(Failure, match="no folder"):
        await run_in_thread(backtest, Wish(settings, picture=nowhere))
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(backtest_module, "check_output", lambda _: None)
    with pytest.raises(OSError, match="nowhere"):
        await run_in_thread(backtest, Wish(settings, as_json=True, picture=nowhere))
    assert json.loads(capsys.readouterr().out)["calls"] == 5


async def test_recorded_cases_hold_and_catch_a_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, _ = await a_past(tmp_path)
    assert settings.rules is not None
    out = tmp_path / "cases"
    assert await run_in_thread(record, Recording(settings, out)) == 0
    written = "".join(file.read_text() for file in out.iterdir())
    assert "the words of a prompt" not in written
    assert "local" not in written
    bare = Settings(settings.rules, settings.state, env={})  # as in CI: no keys
    assert await run_in_thread(check_cases, [out], bare) == 0
    settings.rules.write_text(settings.rules.read_text().replace("try: [m1]", "try: [m]"))
    capsys.readouterr()
    assert await run_in_thread(check_cases, [out], bare) == 1
    assert "targets: expected p1/up1, found p0/up0" in capsys.readouterr().out
    assert await run_in_thread(check_cases, [out], bare, update=True) == 0
    assert await run_in_thread(check_cases, [out], bare) == 0


def test_cases_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(rules_text(["http://127.0.0.1:1", "http://127.0.0.1:2"]))
    cases = [
        {
            "name": "plain",
            "request": {"model": "m"},
            "expect": {"rule": "by-model", "first": "p0/up0"},
        },
        {
            "name": "one rests",
            "request": {"model": "m"},
            "state": {"left_out": {"p0/up0": "resting"}},
            "expect": {"targets": ["p1/up1"], "skipped": {"p0/up0": "resting"}},
        },
        {
            "name": "no key",
            "request": {"model": "m", "headers": {"X-Team": "red"}},
            "state": {"without_keys": ["p1"]},
            "expect": {"rule": "red", "targets": [], "skipped": {"p1/up1": "unavailable"}},
        },
        {"request": {"model": "bad-1"}, "expect": {"denied": 403}},
    ]
    file = tmp_path / "cases.yaml"
    file.write_text(yaml.safe_dump({"cases": cases}))
    settings = Settings(rules, tmp_path / "state", env={})
    assert check_cases([file], settings, as_json=True) == 0, capsys.readouterr().out
    file.write_text(yaml.safe_dump([{"request": {"model": "m", "sterm": 1}}]))
    assert check_cases([file], settings) == 2
    assert "sterm" in capsys.readouterr().out


@pytest.mark.parametrize(
    "value",
    [
        [], 3, "x", {"request": 3}, {"request": {}}, {"request": {"model": 3}},
        {"request": {"model": "m", "stream": 1}}, {"request": {"model": "m", "tokens": True}},
        {"request": {"model": "m", "path": "/nowhere"}}, {"request": {"model": "m", "at": "soon"}},
        {"request": {"model": "m"}, "state": {"health": {"p0": 4}}},
        {"request": {"model": "m"}, "expect": {"odd": 1}}, {1: 2},
    ],
)  # fmt: skip
def test_what_is_no_case_is_told(tmp_path: Path, value: object) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(rules_text(["http://127.0.0.1:1", "http://127.0.0.1:2"]))
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([value]))
    assert check_cases([file], Settings(rules, tmp_path / "state", env={})) == 2


def test_a_case_that_cant_be_asked_stops_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(rules_text(["http://127.0.0.1:1", "http://127.0.0.1:2"]))
    good = {"request": {"model": "m"}, "expect": {"first": "p0/up0"}}
    odd = [
        {"request": {"model": "m", "tier": ["a"]}, "expect": {"rule": "red"}},
        {"request": {"model": "m"}, "state": {"balance": float("inf")}, "expect": {"rule": "red"}},
        {"request": {"model": "m"}},
        {"request": {"model": "m"}, "expect": {}},
    ]
    file = tmp_path / "cases.yaml"
    file.write_text(yaml.safe_dump([*odd, good]))
    settings = Settings(rules, tmp_path / "state", env={})
    assert check_cases([file], settings, as_json=True) == 2
    told = json.loads(capsys.readouterr().out)["cases"]
    assert [one["ok"] for one in told] == [False] * 4 + [True]
    assert "case 1.request.tier" in told[0]["problem"]
    file.write_text(yaml.safe_dump([{"request": {"model": "m"}}]))
    assert check_cases([file], settings, update=True) == 0
    assert yaml.safe_load(file.read_text())[0]["expect"]["rule"] == "by-model"


def test_a_case_is_told_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, cases = tmp_path / "rules.yaml", tmp_path / "cases.yaml"
    file.write_text(rules_text(["https://a.example", "https://b.example"]))
    write_file(cases, [{"request": {"model": 7}}, {"name": "nobody calls that", "request": {}}])
    assert check_cases([cases], Settings(file, tmp_path / "state", env={})) == 2
    told = capsys.readouterr().out
    assert f"{cases}: case 1\n" in told
    assert f"{cases}: case 2, nobody calls that\n" in told


def test_a_mistyped_caller_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = rules_text(["http://127.0.0.1:1", "http://127.0.0.1:2"])
    rules = tmp_path / "rules.yaml"
    rules.write_text(text.replace("when: {header: {x-team: red}}", "when: {principal: alice}"))
    case = {"request": {"model": "m", "principal": "alise"}, "expect": {"rule": "by-model"}}
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([case]))
    settings = Settings(rules, tmp_path / "state", env={})
    assert check_cases([file], settings) == 0
    assert "Did you mean 'alice'?" in capsys.readouterr().out


async def test_a_record_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = await a_past(tmp_path)
    out = tmp_path / "cases"
    broken = tmp_path / "broken.yaml"
    broken.write_text("version: 1\nrules: 3\n")
    with pytest.raises(RulesError):
        await run_in_thread(record, Recording(replace(settings, rules=broken), out))
    assert not out.exists()
    out.mkdir()
    (out / "red.yaml").write_text("mine")
    with pytest.raises(Failure, match="there already"):
        await run_in_thread(record, Recording(settings, out))
    assert [file.name for file in out.iterdir()] == ["red.yaml"]
    (out / "red.yaml").unlink()

    def full(path: Path, cases: object) -> None:
        if path.name == "red.yaml":
            raise OSError(28, "No space left on device")
        write_file(path, cases)  # type: ignore[arg-type]

    monkeypatch.setattr(cases_module, "write_file", full)
    with pytest.raises(OSError, match="No space"):
        await run_in_thread(record, Recording(settings, out))
    assert list(out.iterdir()) == []


async def test_a_key_in_place_of_a_model_is_not_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "sk-live-0123456789abcdefghij"
    async with running(tmp_path) as run:
        await _call(run, {})
        await _call(run, {"model": key})
        settings = Settings(
            run.rules,
            run.state,
            env={f"KEY_{n}": f"sk-secret-of-upstream-{n:04d}" for n in range(2)},
        )
        out = tmp_path / "cases"
        assert await run_in_thread(record, Recording(settings, out)) == 0
    written = [file.read_text() for file in out.iterdir()]
    assert len(written) == 1
    assert key not in "".join(written)
    assert "1 call left out" in capsys.readouterr().out


async def test_what_only_conditions_of_then_asked_for_is_not_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A window and a provider that are gone since would make cases that nobody can read."""
    asks = "rules:\n  - {name: full, when: {window: {name: nightly, over: 0.9}, health: {p1: out}}, deny: no}"
    async with running(tmp_path) as run:
        now = run.rules.read_text()
        then = now.replace("rules:", f"windows: {{nightly: {{calls: 9, per: 1h}}}}\n{asks}")
        then = then.replace("chain: [m0, m1]", "chain: [m0]")
        run.rules.write_text(then.replace("    dialect: openai\n", "    window: nightly\n", 1))
        await _call(run, {})
        settings = Settings(run.rules, run.state, env={})
    out = tmp_path / "cases"
    assert await run_in_thread(record, Recording(settings, out)) == 0
    assert "nightly" in (out / "by-model.yaml").read_text()
    run.rules.write_text(now.replace("chain: [m0, m1]", "chain: [m0]").replace("p1", "other"))
    capsys.readouterr()
    again = tmp_path / "again"
    assert await run_in_thread(record, Recording(settings, again)) == 0
    assert "do not come to" not in capsys.readouterr().out
    assert "nightly" not in (again / "by-model.yaml").read_text()
    assert await run_in_thread(check_cases, [again], settings) == 0


async def test_an_older_ledger_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """Rows without what a decision looked at are left out, and told."""
    settings, (plain, *_) = await a_past(tmp_path)
    ledger = settings.state / "ledger.sqlite"
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER attempts_fixed")
        connection.execute("DROP TRIGGER attempts_once")
        connection.execute("UPDATE attempts SET features = '{}'")
        connection.execute("DROP TABLE decisions")
        connection.execute("DROP TABLE books")
    assert await run_in_thread(backtest, Wish(settings, as_json=True)) == 0
    assert await run_in_thread(explain_past, plain, settings) == 0
    with pytest.raises(Failure, match="no call"):
        await run_in_thread(explain_past, "req_nobody", settings)


def test_the_cases_in_the_docs_can_be_asked(tmp_path: Path) -> None:
    """With the rules that stand before them."""
    text = (Path(__file__).parents[2] / "docs" / "backtest.md").read_text()
    rules, block = (part.split("```", 1)[0] for part in text.split("```yaml\n")[1:3])
    file, cases = tmp_path / "rules.yaml", tmp_path / "cases.yaml"
    file.write_text(rules)
    cases.write_text(block)
    assert check_cases([cases], Settings(file, tmp_path / "state", env={})) == 0
