"""E-122: the section `cache` and a rule's own."""

from __future__ import annotations

from fractions import Fraction

import pytest

from wattline.rules.compiled.upkeep import CacheRules
from wattline.rules.load import RulesError, load

REST = "providers:\n  p: {url: 'https://p.test'}\nrules: [{name: all, try: model}]\n"


def problem(text: str) -> str:
    with pytest.raises(RulesError) as caught:
        load(text, env={})
    assert len(caught.value.problems) == 1
    return str(caught.value)


def test_nothing_is_kept_unless_it_is_said():
    assert load(REST, env={}).cache == CacheRules()
    assert not CacheRules().enabled
    assert load(REST, env={}).rules[0].cache is None
    assert not load("cache: {ttl: 5}\n" + REST, env={}).cache.enabled


def test_all_of_it_can_be_set():
    section = (
        "cache: {enabled: true, ttl: 10m, max_entries: 5, max_bytes: 65536, hit_energy: 0.1}\n"
    )
    book = load(section + REST.replace("try: model", "try: model, cache: false"), env={})
    assert book.cache == CacheRules(
        enabled=True, ttl=600.0, max_entries=5, max_bytes=65_536, hit_energy=Fraction(1, 10)
    )
    assert book.rules[0].cache is False


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("hit_energy: 1.01", "from 0 to 1"),
        ("hit_energy: -1", "hit_energy"),
        ("hit_energy: true", "hit_energy"),
        ("ttl: 0", "ttl"),
        ("ttl: forever", "ttl"),
        ("max_entries: 0", "max_entries"),
        ("max_bytes: 100", "max_bytes"),
        ("enabled: 1", "enabled"),
        ("enable: true", "enabled"),
    ],
)
def test_mistakes_are_told(setting, wrong):
    assert wrong in problem(f"cache: {{{setting}}}\n{REST}")


def test_a_rule_without_targets_has_nothing_to_keep():
    text = REST.replace("try: model", "deny: no, cache: true")
    assert "`cache` has no effect without `try`" in problem(text)


def test_no_provider_is_called_like_the_cache():
    found = problem(REST.replace("  p:", "  cache:"))
    assert "'cache' stands for kept answers in the ledger" in found
