from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.origin import Origin
from wattline.rules.addresses import BadUrl, is_loopback, is_own, read_host, read_url


@pytest.mark.parametrize(
    ("text", "origin", "path"),
    [
        ("https://API.openai.com/v1/", Origin("https", "api.openai.com", 443), "/v1"),
        ("http://127.0.0.1:9/v1", Origin("http", "127.0.0.1", 9), "/v1"),
        ("https://host.", Origin("https", "host", 443), ""),
        ("HTTPS://h:8443", Origin("https", "h", 8443), ""),
        ("http://[::1]:80/a/b", Origin("http", "::1", 80), "/a/b"),
        (" https://h/x ", Origin("https", "h", 443), "/x"),
    ],
)
def test_urls_are_read(text, origin, path):
    assert read_url(text) == (origin, path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.openai.com/v1",
        "localhost:8088/v1",
        "ftp://h/v1",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://user:hunter2@h/v1",
        "https://hunter2@h",
        "https://h/v1?key=hunter2",
        "https://h/v1?",
        "https://h/v1#hunter2",
        "https://h:0/",
        "https://h:99999/",
        "https://h:x/",
        "https://h/../admin",
        "https://h/%2e%2E/admin",
        "https://h//v1",
        "https://h/a b",
        "https://h/a\\b",
        "https://h\\@evil/",
        "https://h h/",
        "https://h/é",
        "https://ex\u00e4mple/",
        "https://[::1/",
        "https://[hunter2]/",
        "https://a..b/",
        "https://-a/",
        "https://h/\x00",
        "${X}",
    ],
)
def test_what_is_no_base_url_is_refused_without_repeating_it(text):
    with pytest.raises(BadUrl) as caught:
        read_url(text)
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=30), st.sampled_from(["", "http://", "https://h/", "https://h:"]))
def test_no_text_crashes_the_reader(text, start):
    try:
        origin, path = read_url(start + text)
    except BadUrl:
        return
    assert origin.scheme in {"http", "https"}
    assert origin.host == origin.host.lower() != ""
    assert 0 < origin.port <= 65_535
    assert not path.endswith("/")
    assert "?" not in path


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "x.localhost",
        "127.0.0.1",
        "127.9.9.9",
        "127.1",
        "0x7f000001",
        "2130706433",
        "::1",
        "[::1]",
        "::ffff:127.0.0.1",
    ],
)
def test_every_spelling_of_loopback(host):
    assert is_loopback(host)
    assert is_own(host, 8088, "127.0.0.1", 8088)
    assert not is_own(host, 8089, "127.0.0.1", 8088)


@pytest.mark.parametrize(
    "host", ["localhost.evil.test", "128.0.0.1", "10.0.0.1", "::2", "1270.0.0.1", ""]
)
def test_what_is_not_loopback(host):
    assert not is_loopback(host)
    assert not is_own(host, 8088, "127.0.0.1", 8088)


def test_the_address_that_we_listen_on_is_own():
    assert is_own("10.0.0.5", 80, "10.0.0.5", 80)
    assert is_own("Gateway.test", 80, "gateway.test", 80)
    assert is_own("0.0.0.0", 80, "10.0.0.5", 80)
    assert not is_own("10.0.0.6", 80, "10.0.0.5", 80)
    assert not is_own("127.0.0.1", 0, "127.0.0.1", 0)


def test_hosts():
    assert read_host("Example.COM.") == "example.com"
    assert read_host("0:0::1") == "::1"
    for bad in ("", "*", "a b", "a/b", "::zz", "a:b"):
        with pytest.raises(BadUrl):
            read_host(bad)
