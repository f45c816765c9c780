"""B-150 to B-158: the settings of image fetches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.settings import SettingsError
from wattline.upstream.image_policy import ImagePolicy, referer_of

NAMES = (
    "TIMEOUT_MS",
    "MAX_BYTES",
    "MAX_REDIRECTS",
    "ALLOW_PRIVATE",
    "FORWARD_AUTH",
    "ALLOWED_PROTOCOLS",
    "ALLOWED_HOSTS",
    "USER_AGENT",
    "REFERER",
)


def policy(**values: str) -> ImagePolicy:
    return ImagePolicy.from_env({f"IMAGE_FETCH_{name}": text for name, text in values.items()})


def test_defaults() -> None:
    """B-150 to B-156"""
    made = ImagePolicy.from_env({})
    assert made == ImagePolicy() == policy(**dict.fromkeys(NAMES, " "))
    assert made.timeout == 15
    assert made.max_bytes == 8 * 1024 * 1024
    assert made.max_redirects == 3
    assert not made.allow_private
    assert not made.forward_auth
    assert made.allowed_protocols == {"http", "https"}
    assert made.allows_host("anything.test")
    assert made.user_agent
    assert made.referer is None


def test_each_variable_is_read() -> None:
    made = policy(
        TIMEOUT_MS="2500",
        MAX_BYTES="1MB",
        MAX_REDIRECTS="0",
        ALLOW_PRIVATE="TRUE",
        FORWARD_AUTH="1",
        ALLOWED_PROTOCOLS="HTTPS:",
        ALLOWED_HOSTS="Example.com., .b.test,*.c.test ,[::ffff:1.2.3.4]",
        USER_AGENT="me/1 (x)",
        REFERER="https://r.test/",
    )
    assert made == ImagePolicy(
        timeout=2.5,
        max_bytes=1024 * 1024,
        max_redirects=0,
        allow_private=True,
        forward_auth=True,
        allowed_protocols=frozenset({"https"}),
        allowed_hosts=("example.com", ".b.test", "*.c.test", "1.2.3.4"),
        user_agent="me/1 (x)",
        referer="https://r.test/",
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("8388608", 8388608),
        ("8MB", 8 << 20),
        ("8 MiB", 8 << 20),
        ("64kb", 65536),
        ("9b", 9),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert policy(MAX_BYTES=text).max_bytes == size


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TIMEOUT_MS", "0"),
        ("TIMEOUT_MS", "-1"),
        ("TIMEOUT_MS", "15s"),
        ("TIMEOUT_MS", "1e3"),
        ("TIMEOUT_MS", "1_000"),
        ("TIMEOUT_MS", "\uff19"),
        ("TIMEOUT_MS", "9" * 5000),
        ("MAX_BYTES", "0"),
        ("MAX_BYTES", "8 M B"),
        ("MAX_BYTES", "1GB"),
        ("MAX_BYTES", "8.5MB"),
        ("MAX_BYTES", "9" * 12 + "gb"),
        ("MAX_REDIRECTS", "21"),
        ("MAX_REDIRECTS", "three"),
        ("ALLOW_PRIVATE", "maybe"),
        ("FORWARD_AUTH", "2"),
        ("ALLOWED_PROTOCOLS", "http,ftp"),
        ("ALLOWED_PROTOCOLS", "https://"),
        ("ALLOWED_HOSTS", "a.test,*"),
        ("ALLOWED_HOSTS", "*a.test"),
        ("ALLOWED_HOSTS", "https://a.test"),
        ("ALLOWED_HOSTS", "a.test:443"),
        ("ALLOWED_HOSTS", "."),
        ("ALLOWED_HOSTS", ","),
        ("USER_AGENT", "a\r\nb: c"),
        ("USER_AGENT", "ü"),
        ("REFERER", "x" * 2049),
    ],
)
def test_bad_value_names_its_variable(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^IMAGE_FETCH_{name} is .* it must be "):
        policy(**{name: text})


@given(st.sampled_from(NAMES), st.text())
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    try:
        made = policy(**{name: text})
    except SettingsError:
        return
    assert made.timeout > 0
    assert made.max_bytes > 0


def test_referer_of_a_call() -> None:
    """B-172"""
    assert referer_of({}) is None
    assert referer_of({"referer": "https://page.test/"}) is None
    assert referer_of({"x-image-referer": "b"}) == "b"
    assert referer_of({"x-image-referer": "b", "x-image-fetch-referer": "a"}) == "a"
    assert referer_of({"x-image-referer": "b", "x-image-fetch-referer": ""}) == "b"
