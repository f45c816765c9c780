from __future__ import annotations

import pytest

from kit.trials import ahead
from wattline.rules.book import Book
from wattline.rules.load import load
from wattline.rules.problems import RulesError

HEAD = """version: 1
providers:
  p: {url: 'https://p.example/v1', key: '${KEY}', dialect: openai}
  q: {url: 'https://q.example/v1', key: '${KEY}', dialect: openai}
models: {m: {provider: p, name: up}}
rules:
"""


def loaded(fields: str, action: str = "try: model") -> Book:
    return load(f"{HEAD}  - {{name: r, {fields}, {action}}}\n", env={"KEY": "k" * 40})


def problem(fields: str, action: str = "try: model") -> str:
    with pytest.raises(RulesError) as caught:
        loaded(fields, action)
    return str(caught.value)


def test_a_drill_and_a_shadow_are_warned_about() -> None:
    until = ahead(hours=1)
    book = loaded(
        f"fault: {{kind: 429, share: 0.1, until: '{until}'}}, shadow: {{target: q/x, share: 0.2}}"
    )
    drill, shadow = book.warnings
    assert "rules[0].fault: a drill is on: 429 for 10 % of the calls that fit, until 2" in drill
    assert "the prompts of 20 % of this rule's calls are sent to q/x too" in shadow
    assert book.rules[0].fault is not None
    assert book.rules[0].shadow is not None


def test_what_is_over_or_has_no_share_is_not_there() -> None:
    over = loaded("fault: {kind: cut, share: 1, until: 2020-01-01T00:00:00Z}")
    assert over.rules[0].fault is None
    assert "this drill is over" in over.warnings[0]
    until = ahead(hours=1)
    none = loaded(
        f"fault: {{kind: cut, share: 0, until: '{until}'}}, shadow: {{target: q/x, share: 0}}"
    )
    assert none.rules[0].fault is None
    assert none.rules[0].shadow is None
    assert none.warnings == ()


def test_a_drill_must_end_within_a_week() -> None:
    assert "within 7 days" in problem(f"fault: {{kind: 500, share: 1, until: '{ahead(days=7.1)}'}}")
    assert loaded(f"fault: {{kind: 500, share: 1, until: '{ahead(days=6.9)}'}}").rules[0].fault


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("kind: 429, share: 1", "until"),
        ("kind: 418, share: 1, until: 2020-01-01", "kind"),
        ("kind: 429, share: 1.5, until: 2020-01-01", "share"),
        ("kind: 429, share: 1, until: soon", "must be a time such as"),
        ("kind: 429, share: 1, until: 12", "must be a time such as"),
        ("kind: 429, share: 1, until: 9999-12-31T23:59:59-23:59", "within 7 days"),
        ("kind: 429, share: 1, until: 2020-01-01, after: 1", "`after` has no effect"),
        ("kind: cut, share: 1, until: 2020-01-01, retry_after: 1", "`retry_after` has no effect"),
        ("kind: cut, share: 1, until: 2020-01-01, pause: 1", "`pause` has no effect"),
        (
            "kind: cut, share: 1, until: 2020-01-01, header: {authorization: '*'}",
            "is a credential",
        ),
    ],
)
def test_mistakes_in_a_drill(fields: str, said: str) -> None:
    assert said in problem(f"fault: {{{fields}}}")


def test_a_time_without_an_offset_is_utc() -> None:
    book = loaded(f"fault: {{kind: cut, share: 1, until: '{ahead(hours=1)[:19]}'}}")
    assert book.rules[0].fault is not None


def test_mistakes_in_a_shadow() -> None:
    assert "q2" in problem("shadow: {target: q2, share: 1}")
    assert "share" in problem("shadow: {target: q/x, share: 2}")


@pytest.mark.parametrize(
    "fields",
    [
        "fault: {kind: cut, share: 1, until: 2020-01-01}",
        "shadow: {target: q/x, share: 1}",
        "midstream: continue",
    ],
)
def test_they_have_no_effect_without_try(fields: str) -> None:
    assert "has no effect without `try`" in problem(fields, "deny: no")


def test_midstream_is_opt_in() -> None:
    assert loaded("midstream: continue").rules[0].midstream
    assert not loaded("cache: false").rules[0].midstream
    assert "midstream" in problem("midstream: always")


@pytest.mark.parametrize(
    ("fields", "action", "told"),
    [
        (
            "midstream: continue",
            "try: [m]",
            "rules[0].midstream: a stream is continued by the next",
        ),
        ("midstream: continue", "try: model", "here is no second one"),
        ("midstream: continue", "try: {weighted: {m: 1}}", "here is no second one"),
        ("midstream: continue", "try: [m, q/x]", None),
        ("midstream: continue", "try: {weighted: {m: 1, q/x: 1}}", None),
        ("shadow: {target: m, share: 0.5}", "try: [m]", "calls go to p/up alone"),
        ("shadow: {target: m, share: 0.5}", "try: {weighted: {p/up: 2}}", "calls go to p/up alone"),
        ("shadow: {target: q/x, share: 0.5}", "try: [m]", None),
        ("shadow: {target: m, share: 0.5}", "try: [m, q/x]", None),
    ],
)
def test_what_can_have_no_effect_is_warned_of(fields: str, action: str, told: str | None) -> None:
    found = [text for text in loaded(fields, action).warnings if "are sent to" not in text]
    if told is None:
        assert found == []
    else:
        (text,) = found
        assert told in text


AIMED = """version: 1
providers:
  p: {url: 'https://p.example/v1', key: '${KEY}', dialect: openai, models: [{id: listed}, {id: known}]}
  openai: {url: 'https://q.example/v1', key: '${KEY}', dialect: openai}
models:
  m: {provider: p, name: up, aliases: [other]}
  all: {chain: [m, openai/x]}
rules:
  - {name: r, try: model, fault: {kind: 503, share: 1, until: '%s', targets: %s}}
"""


def aimed(targets: str) -> Book:
    return load(AIMED % (ahead(hours=1), targets), env={"KEY": "k" * 40})


@pytest.mark.parametrize(
    "targets",
    ["p", "m", "p/up", "p/listed", "openai/any", "['p*', m]", "'op*/gpt-?'", "'*/x'", "'*'", "'?'"],
)
def test_a_drill_knows_entries_targets_and_providers(targets: str) -> None:
    (warning,) = aimed(targets).warnings
    assert "a drill is on" in warning


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ("typo", "unknown model 'typo'"),
        ("opena", "Did you mean 'openai'?"),
        ("[p, opnai/x]", "provider 'opnai' is not in `providers`"),
        ("other", "'other' stands for 'm': name that"),
        ("all", "'all' has no provider of its own: name targets of its chain"),
        ("known", "'known' stands for 'p/known': name that"),
    ],
)
def test_a_target_that_no_drill_can_hit_is_a_mistake(targets: str, said: str) -> None:
    with pytest.raises(RulesError) as caught:
        aimed(targets)
    assert "rules[0].fault.targets" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("targets", ["'x*'", "'opnai/*'", "'typo?'"])
def test_a_pattern_that_fits_nothing_is_doubtful(targets: str) -> None:
    second, first = aimed(targets).warnings
    assert f"{targets} fits no target: the drill hits none by it" in first
    assert "a drill is on" in second
