from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.rules.references import BadReference, fill, is_name, read_secret, read_template

ENV = {"A": "one", "B": "two/", "EMPTY": "", "BLANK": " \n"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("${A}", "one"),
        ("x${A}y${B}z", "xoneytwo/z"),
        ("${NONE|EMPTY|BLANK|B}", "two/"),
        ("${NONE:-else}", "else"),
        ("${NONE|A:-else}", "one"),
        ("${NONE:-}", ""),
        ("${EMPTY:-https://h:1/p-q}", "https://h:1/p-q"),
        ("$A $$ {A}", "$A $$ {A}"),
    ],
)
def test_references_are_replaced(text, expected):
    assert fill(read_template(text), ENV).text == expected


@pytest.mark.parametrize("name", ["NONE", "EMPTY", "BLANK", "NONE|EMPTY"])
def test_what_is_not_set_is_named(name):
    filled = fill(read_template(f"https://${{{name}}}/v1"), ENV)
    assert filled.text is None
    assert filled.missing == (name.replace("|", " or "),)


def test_slashes_at_the_end_of_a_value_are_dropped_for_urls():
    assert fill(read_template("${B}/v1"), ENV, slashes=True).text == "two/v1"


def test_values_are_not_read_again():
    assert fill(read_template("${X}"), {"X": "${A}"}).text == "${A}"


@pytest.mark.parametrize(
    "text", ["${}", "${A", "${A-b}", "${1A}", "${A||B}", "${A:-${B}}", "${A:b}", "${ A }"]
)
def test_what_can_not_be_read_is_refused_without_repeating_it(text):
    for read in (read_template, read_secret):
        with pytest.raises(BadReference) as caught:
            read(text)
        assert text not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["sk-live-1", "Bearer ${A}", "${A}${B}", "", "${A:-sk-live-1}", "x ${A}"]
)
def test_a_secret_is_one_reference_and_nothing_else(text):
    with pytest.raises(BadReference) as caught:
        read_secret(text)
    assert "sk-live" not in str(caught.value)


@given(st.text(max_size=40))
def test_no_text_crashes_the_reader(text):
    try:
        filled = fill(read_template(text), ENV)
    except BadReference:
        assert "${" in text
    else:
        assert filled.text is None or "${" not in text or filled.names


def test_names_of_variables():
    assert is_name("_A1")
    assert not is_name("1A")
    assert not is_name("A-B")
    assert not is_name("A\n")
