from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.service.entrance.addresses import MAX_HOPS, client_address, counted_as

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48"))
PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        (PROXY, [], PROXY),
        (PROXY, ["198.51.100.1"], "198.51.100.1"),
        (PROXY, ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        (PROXY, ["1.1.1.1", "198.51.100.1,10.9.9.9"], "198.51.100.1"),
        (PROXY, ["10.2.2.2, 10.3.3.3"], "10.2.2.2"),
        (PROXY, ["198.51.100.1:4711"], "198.51.100.1"),
        (PROXY, ['"[2001:db8::7]:4711"'], "2001:db8::7"),
        (PROXY, ["2001:DB8:0::7"], "2001:db8::7"),
        (PROXY, ["::ffff:198.51.100.1"], "198.51.100.1"),
        (PROXY, ["198.51.100.1, unknown"], PROXY),
        (PROXY, ["198.51.100.1, unknown, 10.4.4.4"], "10.4.4.4"),
        (PROXY, ["198.51.100.1,"], PROXY),
        (PROXY, ["127.1"], PROXY),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:1::1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:2::1", ["198.51.100.1"], "2001:db8:2::1"),
        ("fe80::1%eth0", [], "fe80::1"),
        ("/run/socket", ["198.51.100.1"], "/run/socket"),
    ],
)
def test_the_last_address_that_is_no_proxy_of_ours(peer, forwarded, found):
    assert client_address(peer, forwarded, TRUSTED) == found


def test_nobody_is_believed_by_default():
    assert client_address("127.0.0.1", ["198.51.100.1"], ()) == "127.0.0.1"
    assert client_address("::ffff:192.0.2.1", ["198.51.100.1"], ()) == "192.0.2.1"


@given(st.lists(st.text('0123456789abcdef.:,%[]" x', max_size=60), max_size=5))
def test_what_a_client_writes_before_the_proxys_own_entry_changes_nothing(lies):
    """T9: the proxy appends whom it saw."""
    assert client_address(PROXY, [*lies, "198.51.100.1"], TRUSTED) == "198.51.100.1"
    joined = ",".join([*lies, "198.51.100.1"])
    assert client_address(PROXY, [joined], TRUSTED) == "198.51.100.1"


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=3))
def test_any_text(peer, forwarded):
    assert isinstance(client_address(peer, forwarded, TRUSTED), str)
    assert isinstance(counted_as(peer), str)


def test_a_chain_has_an_end():
    chain = ["198.51.100.1", *["10.5.5.5"] * MAX_HOPS]
    assert client_address(PROXY, chain, TRUSTED) == "10.5.5.5"
    assert client_address(PROXY, chain[:-1], TRUSTED) == "198.51.100.1"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1%eth0", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("x:y", "x:y"),
    ],
)
def test_what_counts_as_one(address, key):
    assert counted_as(address) == key
