"""Our header lookup says what mitmproxy's own says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http

from wattline.proxy.header_lookup import EdgeHeaders, quicken

NAMES = st.sampled_from([b"Host", b"host", b"HOST", b"x-a", b"X-\xc3\xa9", b"\xff", b""])
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=6)), max_size=8)


@given(FIELDS, NAMES)
def test_every_lookup_as_in_the_stock_class(fields: list[tuple[bytes, bytes]], name: bytes) -> None:
    stock, ours = http.Headers(fields), EdgeHeaders(fields)
    text = name.decode("utf-8", "surrogateescape")
    for asked in (name, text):
        assert ours.get_all(asked) == stock.get_all(asked)
        assert ours.get(asked) == stock.get(asked)
        assert ours.get(asked, "none") == stock.get(asked, "none")
        assert (asked in ours) == (asked in stock)
    assert 7 not in ours


def test_stock_headers_change_in_place() -> None:
    headers = http.Headers([(b"A", b"1"), (b"a", b"2")])
    quicken(headers)
    assert type(headers) is EdgeHeaders
    assert headers["a"] == "1, 2"
    headers["a"] = "3"
    del headers["A"]
    assert headers.fields == ()
    assert headers == headers.copy()


@given(FIELDS, FIELDS, NAMES)
def test_after_a_change_it_says_what_is_there_now(before, after, name):
    ours = EdgeHeaders(before)
    assert (name in ours) == (name in http.Headers(before))
    ours.fields = tuple(after)
    assert ours.get_all(name) == http.Headers(after).get_all(name)
    ours.add("x-a", "more")
    assert ours.get_all("X-A")[-1] == "more"
    ours.set_all("x-a", ["one", "two"])
    assert ours.get("x-a") == "one, two"
    assert ours.copy().get("x-a") == "one, two"
