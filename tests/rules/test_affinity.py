from __future__ import annotations

import pytest

from wattline.rules.load import RulesError, load

BASE = """
providers: {a: {url: "https://a.example/v1", key: "${A_KEY}", dialect: openai}}
models: {m: {provider: a, name: m}}
rules: [{name: r, try: model%s}]
"""


def book(section="", rule=""):
    return load(f"version: 1\n{section}{BASE % rule}", env={"A_KEY": "sk-0123456789abcdef"})


def test_off_unless_asked_for():
    found = book()
    assert (found.affine, found.affinity.enabled, found.rules[0].affinity) == (False, False, None)


def test_by_rule_and_by_section():
    assert book(rule=", affinity: true").affine
    found = book("affinity: {enabled: true, headers: [X-Chat-Id], ttl: 5m, prefix: false}\n")
    assert found.affine
    assert (found.affinity.headers, found.affinity.ttl, found.affinity.prefix) == (
        ("x-chat-id",),
        300.0,
        False,
    )


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("affinity: {headers: [Authorization]}\n", "credential"),
        ("affinity: {ttl: -1}\n", "ttl"),
        ("affinity: {max_entries: 0}\n", "max_entries"),
    ],
)
def test_mistakes_are_told(section, said):
    with pytest.raises(RulesError, match=said):
        book(section)


def test_a_denial_has_no_target_to_stay_at():
    with pytest.raises(RulesError, match="no effect"):
        load(f"version: 1{BASE % ''}  ".replace("try: model", "deny: no, affinity: true"), env={})
