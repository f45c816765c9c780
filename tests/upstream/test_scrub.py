from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wattline.upstream.scrub import REDACTED, Scrubber, scrub

KEY = b"sk-ant-0123456789"


def test_secrets_are_redacted() -> None:
    """T8."""
    data = b'{"error":"bad key sk-ant-0123456789, sk-ant-0123456789!"}'
    assert scrub(data, (KEY,)) == b'{"error":"bad key [redacted], [redacted]!"}'


def test_clean_data_is_the_same_object() -> None:
    data = b"nothing here"
    assert scrub(data, (KEY,)) is data
    assert scrub(data, ()) is data


def test_empty_secrets_are_ignored() -> None:
    assert scrub(b"abc", (b"",)) == b"abc"
    assert Scrubber((b"",)).feed(b"abc") == b"abc"
    assert Scrubber(()).feed(b"abc") == b"abc"
    assert scrub(b"a key", (b"", b"key")) == b"a [redacted]"


def test_of_two_secrets_at_one_place_the_longer_goes() -> None:
    assert scrub(b"sk-1-2", (b"sk-1", b"sk-1-2")) == REDACTED


def test_a_secret_split_anywhere_is_redacted() -> None:
    """T8: every split into two and three pieces."""
    data = b"data: x " + KEY + b" y\n\n"
    for first in range(len(data) + 1):
        for second in range(first, len(data) + 1):
            scrubber = Scrubber((KEY,))
            pieces = [data[:first], data[first:second], data[second:]]
            out = b"".join(map(scrubber.feed, pieces)) + scrubber.end()
            assert out == b"data: x [redacted] y\n\n"


def test_an_event_that_ends_otherwise_is_not_held() -> None:
    scrubber = Scrubber((KEY,))
    for event in (b"data: s\n\n", b"data: sk-ant-\n\n", b"data: {}\n\n"):
        assert scrubber.feed(event) == event
    assert scrubber.feed(b"data: sk-a") == b"data: "
    assert scrubber.feed(b"") == b""
    assert scrubber.feed(b"x") == b"sk-ax"
    assert scrubber.end() == b""


def test_what_is_held_is_bounded() -> None:
    scrubber = Scrubber((KEY,))
    sent = got = 0
    for _ in range(1000):
        sent += 16
        got += len(scrubber.feed(KEY[:16]))
        assert sent - got < len(KEY)


def test_end_gives_back_what_was_no_secret() -> None:
    scrubber = Scrubber((KEY,))
    assert scrubber.feed(b"abc sk-an") == b"abc "
    assert scrubber.end() == b"sk-an"


letters = st.binary(max_size=6).map(lambda raw: bytes(97 + byte % 3 for byte in raw))


@given(st.lists(letters, max_size=4), st.lists(letters, max_size=12))
def test_any_splitting_equals_the_whole(secrets, pieces) -> None:
    """T8: secrets that overlap, contain and repeat one another, in any pieces."""
    scrubber = Scrubber(tuple(secrets))
    out = b"".join(map(scrubber.feed, pieces)) + scrubber.end()
    assert out == scrub(b"".join(pieces), tuple(secrets))
    assert scrub(out.replace(REDACTED, b"|"), ()) == out.replace(REDACTED, b"|")
