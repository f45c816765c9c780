from __future__ import annotations

from wattline.rules.report import Report
from wattline.rules.sections import read_sections
from wattline.rules.tree import parse


def test_what_has_no_mistake_is_read_and_the_rest_of_what_has_one():
    text = """
providers:
  good: {url: 'https://g.test'}
  half: {url: 'https://h.test', rpm: yes, kye: x}
  bad: {rpm: 1}
  "no name": {url: 'https://n.test'}
log: {level: loud}
rules:
  - {name: a, when: {modle: x, model: y}, try: model}
  - {name: b}
"""
    report = Report(parse(text, "r.yaml"))
    sections = read_sections(report)
    assert set(sections.providers) == {"good", "half"}
    assert sections.providers["half"].rpm is None
    assert sections.names["providers"] == {"good", "half", "bad", "no name"}
    assert sections.rules.keys() == {0}
    assert sections.rules[0].when.model == ["y"]
    assert sections.single["log"].format == "text"
    assert sorted(problem.line for problem in report.problems) == [4, 4, 5, 6, 7, 9, 10]


def test_names_are_known_even_without_a_section():
    report = Report(parse("rules: [{name: a, try: model}]", "r.yaml"))
    assert read_sections(report).names == dict.fromkeys(
        ("providers", "models", "windows"), frozenset()
    )
    assert report.problems == []
