from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.engine.retry_after import retry_after

WALL = 784_111_777.0
"""Sun, 06 Nov 1994 08:49:37 GMT: the example of RFC 9110, section 5.6.7."""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("3600", 60.0),
        ("1000000000", 60.0),
        ("99999999999999999999", 60.0),
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        ("Sunday, 06-Nov-94 08:49:47 GMT", 10.0),
        ("Sun Nov  6 08:49:47 1994", 10.0),
        ("Sun, 06 Nov 1994 08:49:47 -0000", 10.0),
        ("Sun, 06 Nov 1994 09:49:47 +0100", 10.0),
        ("Sun, 06 Nov 1994 08:49:27 GMT", 0.0),
        ("Sun, 06 Nov 2094 08:49:47 GMT", 60.0),
    ],
)
def test_seconds_and_dates(text, seconds):
    """RFC 9110, section 10.2.3; capped."""
    assert retry_after([("retry-after", text)], WALL, 60.0) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "-5",
        "-1e9",
        "nan",
        "inf",
        "1e9",
        "0x10",
        "٣",
        "1" * 500,
        "7, 8",
        "7s",
        "\x00",
        "Sun, 99 Nov 1994 08:49:47 GMT",
        "Sun, 06 Nov 99999999 08:49:47 GMT",
        "Mon, " * 1000,
        ",",
        "0 0",
    ],
)
def test_garbage_says_nothing(text):
    assert retry_after([("retry-after", text)], WALL, 60.0) is None


def test_the_finer_header_wins():
    """OpenAI and Azure send `retry-after-ms` beside the whole seconds."""
    both = [("retry-after", "2"), ("retry-after-ms", "1234")]
    assert retry_after(both, WALL, 60.0) == 1.234
    assert retry_after([("retry-after", "2"), ("retry-after-ms", "?")], WALL, 60.0) == 2.0
    assert retry_after([("retry-after-ms", "-5")], WALL, 60.0) is None
    assert retry_after([], WALL, 60.0) is None


def test_the_first_of_two_counts():
    assert retry_after([("retry-after", "2"), ("retry-after", "9")], WALL, 60.0) == 2.0


@given(st.text(max_size=80), st.floats(allow_nan=False, allow_infinity=False))
def test_never_raises(text, wall):
    for name in ("retry-after", "retry-after-ms"):
        seconds = retry_after([(name, text)], wall, 60.0)
        assert seconds is None or 0.0 <= seconds <= 60.0
