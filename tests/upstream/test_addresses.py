from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.upstream.addresses import (
    BadHost,
    is_on_this_machine,
    plain,
    read_address,
    read_host,
    system_resolve,
    why_not_public,
)

LOOPBACK = IPv4Address("127.0.0.1")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("127.0.0.1", LOOPBACK),
        ("127.1", LOOPBACK),
        ("127.0.1", LOOPBACK),
        ("2130706433", LOOPBACK),
        ("017700000001", LOOPBACK),
        ("0x7f000001", LOOPBACK),
        ("0X7F000001", LOOPBACK),
        ("0x7f.1", LOOPBACK),
        ("0177.0.0.1", LOOPBACK),
        ("127.0.0.1.", LOOPBACK),
        ("[::ffff:127.0.0.1]", LOOPBACK),
        ("::ffff:7f00:1", LOOPBACK),
        ("[::1]", IPv6Address("::1")),
        ("[0:0:0:0:0:0:0:1]", IPv6Address("::1")),
        ("0", IPv4Address("0.0.0.0")),
        ("0.0.0.0", IPv4Address("0.0.0.0")),
        ("[::]", IPv6Address("::")),
        ("0xa9fea9fe", IPv4Address("169.254.169.254")),
        ("LOCALHOST", "localhost"),
        ("localhost.", "localhost"),
        ("API.OpenAI.com.", "api.openai.com"),
        ("_dmarc.example", "_dmarc.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("1e100.net", "1e100.net"),
    ],
)
def test_spellings(text, meant) -> None:
    assert read_host(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "-a.test",
        "a-.test",
        "a b",
        "a\tb",
        "a\r\nb",
        "a\0b",
        "a/b",
        "a@b",
        "a%2eb",
        "a?b",
        "a#b",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "\uff41.test",
        "999.1.1.1",
        "1.2.3.4.5",
        "256.256.256.256",
        "0x",
        "0xg.1",
        "4294967296",
        "a.1",
        "[::1",
        "::1]",
        "[::1]x",
        "[127.0.0.1",
        "fe80::1%eth0",
        "[fe80::1%25eth0]",
        "::ffff:999.0.0.1",
        ":::",
        "a" * 254,
        "x" * 100_000,
        "a." * 50_000,
    ],
)
def test_no_hosts(text) -> None:
    with pytest.raises(BadHost) as caught:
        read_host(text)
    assert len(str(caught.value)) < 700


@given(st.text(max_size=40))
def test_any_text_is_a_host_or_refused(text) -> None:
    try:
        host = read_host(text)
    except BadHost:
        return
    assert not isinstance(host, str) or (host.isascii() and host == host.lower())


NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "::10.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:a00:1::1",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "100::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff05::1:3",
    "4000::1",
    "5f00::1",
]

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "104.18.6.192",
    "126.255.255.255",
    "128.0.0.1",
    "162.159.140.245",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.0.1",
    "198.20.0.1",
    "223.255.255.254",
    "2606:4700::6812:6c0",
    "2001:4860:4860::8888",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_not_public(text) -> None:
    """T3, T5, security 0.8: by what the address is, however it is wrapped."""
    assert why_not_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text) -> None:
    assert why_not_public(ip_address(text)) is None


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(address) -> None:
    actual = plain(address)
    if why_not_public(address) is None and not actual.is_global:
        raise AssertionError(address)


def test_this_machine() -> None:
    assert is_on_this_machine(LOOPBACK)
    assert is_on_this_machine(IPv4Address("127.9.9.9"))
    assert is_on_this_machine(IPv6Address("::"))
    assert not is_on_this_machine(IPv4Address("192.0.2.1"))
    assert not is_on_this_machine(IPv6Address("2001:db8::1"))


def test_read_address_drops_the_interface() -> None:
    assert read_address("fe80::1%eth0") == IPv6Address("fe80::1")
    with pytest.raises(ValueError, match="does not appear"):
        read_address("localhost")


async def test_system_resolver() -> None:
    assert set(await system_resolve("localhost", 80)) <= {"127.0.0.1", "::1"}
    with pytest.raises(OSError):  # noqa: PT011  (gaierror's words are the system's)
        await system_resolve("no.such.name.invalid", 80)
