from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.rules.problems import Problem, RulesError
from wattline.rules.tree import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse, render


def value(text: str | bytes):
    return parse(text, "r.yaml").value


def problems(text: str | bytes) -> tuple[Problem, ...]:
    try:
        parse(text, "r.yaml")
    except RulesError as error:
        return error.problems
    return ()


def refusal(text: str | bytes) -> str:
    with pytest.raises(RulesError) as caught:
        parse(text, "r.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("TRUE", "TRUE"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'true'", "true"),
        ('"12"', "12"),
        ("12", 12),
        ("-3", -3),
        ("+7", 7),
        ("0", 0),
        ("010", "010"),
        ("0x10", "0x10"),
        ("0o10", "0o10"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-11-21", "2026-11-21"),
        ("22-6", "22-6"),
        ("1.20", 1.2),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        (".5", ".5"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("9" * 5_000, "9" * 5_000),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
    ],
)
def test_plain_words_mean_what_they_look_like(text, expected):
    """Norway, octal, sexagesimal, dates: YAML 1.1's surprises are text."""
    read = value(f"on: {text if text != '-' else chr(39) + '-' + chr(39)}")
    assert read == {"on": expected}
    assert type(read["on"]) is type(expected)


def test_keys_are_text():
    assert value("{1: a, true: b, null: c, on: d, 010: e}") == {
        "1": "a",
        "true": "b",
        "null": "c",
        "on": "d",
        "010": "e",
    }


@pytest.mark.parametrize(
    ("text", "place", "part"),
    [
        ("a: &x 1\nb: 2", "r.yaml:1:4 ", "anchors (&name) are not allowed"),
        ("a: 1\nb: *x", "r.yaml:2:4 ", "aliases (*name) are not allowed"),
        ("a: !!python/object/apply:os.system [id]", "r.yaml:1:4 ", "tags (!name) are not allowed"),
        ("a: ! x", "r.yaml:1:4 ", "tags (!name) are not allowed"),
        ("a: !!str 1", "r.yaml:1:4 ", "tags"),
        ("b:\n  <<: {a: 1}", "r.yaml:2:3 b: ", "merge keys (<<) are not allowed"),
        ("a: 1\nb: 2\na: 3", "r.yaml:3:1 ", "duplicate key 'a': it is on line 1 already"),
        ("x:\n  - {k: 1,\n     k: 2}", "r.yaml:3:6 x[0]: ", "duplicate key 'k': it is on line 2"),
        ("? [a]\n: 1", "r.yaml:1:3 ", "a key must be text"),
        ("a: [1", "r.yaml:1:6 ", "',' or ']' is missing in what began on line 1"),
        ("a: 1\nb: {c: 1\nd: 2", "r.yaml:3:2 ", "',' or '}' is missing in what began on line 2"),
        ("a: b: c", "r.yaml:1:5 ", "a ':' that has no place here: quote the text"),
        ("\tx: 1", "r.yaml:1:1 ", "a tab: indent with spaces"),
        ("a: @x", "r.yaml:1:4 ", "text that begins with @ must be in quotes"),
        ("a: `\u202e", "r.yaml:1:4 ", "text that begins with ` must be in quotes"),
        (
            "a: 1\nb: 'x\n",
            "r.yaml:3:1 ",
            "the file ends within the quoted text that began on line 2",
        ),
        ("a:\n  - b\n c: d", "r.yaml:3:2 ", "the line is not indented like what began on line 1"),
        ('a: "\\q"', "r.yaml:1:6 ", "a backslash in double quotes"),
        ("a: [", "r.yaml:1:5 ", "a value is missing here"),
        ("a: |x\n  c", "r.yaml:1:5 ", "text after | or > begins on the next line"),
        ("a: 1\nb\nc: 1", "r.yaml:3:1 ", "':' is missing behind the key on line 2"),
        ("a: 1\n---\nb: 2", "r.yaml:2:1 ", "a second document begins here"),
        ("a: \x00", "r.yaml:1:4 ", "is this a text file?"),
        ("a: 1\nbb: \x07", "r.yaml:2:5 ", "is this a text file?"),
        ("a: \ud800", "r.yaml:1:1 ", "not UTF-8"),
        (b"a: 1\nb: \xff", "r.yaml:2:1 ", "not UTF-8"),
        ("", "r.yaml:1:1 ", "the file is empty"),
        ("# only a comment\n", "r.yaml:1:1 ", "the file is empty"),
        ("%YAML 3.0\n---\na: 1", "r.yaml:1:1 ", "YAML"),
    ],
)
def test_what_is_not_allowed_is_told_with_its_place(text, place, part):
    told = refusal(text)
    assert told.startswith(place)
    assert part in told


def test_all_refusals_are_told_at_once():
    told = refusal("a: &x 1\nb: *x\nc: !t 1\nc: 2\nd: {<<: 1}").splitlines()
    assert [line.split()[0] for line in told] == [
        f"r.yaml:{place}" for place in ("1:4", "2:4", "3:4", "4:1", "5:5")
    ]


def test_a_billion_laughs_are_refused_at_once():
    """Security notes 0.14."""
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    began = time.thread_time()
    told = refusal("\n".join(lines))
    assert "anchors" in told
    assert len(told) < 20_000
    assert time.thread_time() - began < 5


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "a: " + "{a: " * 100_000,
        "- " * 50_000 + "a",
        "".join(f"{' ' * i}a:\n" for i in range(500)),
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
    ],
)
def test_deep_nesting_is_refused_and_never_crashes(text):
    """Security notes 0.14: libyaml's loader dies of this."""
    assert f"nested deeper than {MAX_DEPTH} levels" in refusal(text)


def test_size_is_bounded():
    assert f"larger than {MAX_BYTES} bytes" in refusal("a: " + "x" * MAX_BYTES)
    assert f"larger than {MAX_BYTES} bytes" in refusal("a: " + "é" * (MAX_BYTES // 2))
    assert f"more than {MAX_NODES} values" in refusal("[" + "a," * (MAX_NODES + 5) + "]")


def test_depth_up_to_the_bound_is_read():
    assert value("[" * MAX_DEPTH + "]" * MAX_DEPTH)


def test_a_byte_order_mark_and_crlf_are_read():
    assert value("\ufeffa: 1\r\nb: [x,\r\n y]\r\n".encode()) == {"a": 1, "b": ["x", "y"]}


@settings(max_examples=400, deadline=None)
@given(st.text("ab:-[]{}#&*!|>'\"%@`,? \n\t0${}<", max_size=40) | st.text(max_size=30))
def test_no_text_crashes_the_reader(text):
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems(text))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_crash_the_reader(raw):
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems(raw))


def test_places_are_those_of_values_and_of_keys():
    tree = parse("a:\n  b: [x, {c: 7}]\n  d:\n", "r.yaml")

    def place(*path, key=False):
        problem = tree.problem(path, "m", key=key)
        return problem.line, problem.column, problem.path

    assert place("a", "b", 1, "c") == (2, 14, "a.b[1].c")
    assert place("a", "b", 1, "c", key=True) == (2, 11, "a.b[1].c")
    assert place("a", "b", 0) == (2, 7, "a.b[0]")
    assert place("a") == (1, 1, "a")
    assert place("a", "d") == (3, 3, "a.d")
    assert place("a", "b", 9) == (2, 3, "a.b")
    assert place("nothing") == (1, 1, "")
    assert tree.line(("a", "b", 0)) == 2
    assert render(("rules", 1, "try", 0)) == "rules[1].try[0]"
