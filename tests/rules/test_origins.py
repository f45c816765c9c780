from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.rules.origins import read_network, read_origin


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("*", "*"),
        ("https://App.Example", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("http://app.example:80", "http://app.example"),
        ("https://app.example:80", "https://app.example:80"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("app://obsidian.md", "app://obsidian.md"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_origins_are_written_as_browsers_send_them(text, found):
    assert read_origin(text) == found


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "app.example", "https://", "https://a.test/", "https://a.test/x", "//a.test"),
        *("https://*.a.test", "https://a.test?x", "https://user@a.test", "https://a.test:0", "**"),
        *("https://a.test:x", "https://a b", "ftp://", "app://a/b", "file://"),
    ],
)
def test_what_is_no_origin(text):
    with pytest.raises(ValueError, match=r"origin|URL"):
        read_origin(text)


@given(st.text(max_size=40))
def test_any_text_is_an_origin_or_refused(text):
    try:
        found = read_origin(text)
    except ValueError:
        return
    assert read_origin(found) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1", "127.0.0.1/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
    ],
)
def test_networks(text, found):
    assert read_network(text) == found


@pytest.mark.parametrize(
    "text", ["", "x", "10.0.0.1/8", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0.0-10.0.0.9", "1"]
)
def test_what_is_no_network_or_every_address(text):
    with pytest.raises(ValueError, match="address"):
        read_network(text)
