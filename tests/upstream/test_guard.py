from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from wattline.rules.compiled.entrance import Tunnel
from wattline.upstream.addresses import read_address
from wattline.upstream.guard import Forbidden, Guard, Listeners, Unresolved

NAMES = {
    "public.test": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
    "two.test": ["1.1.1.1", "1.0.0.1", "1.1.1.1"],
    "private.test": ["10.0.0.5"],
    "loop.test": ["127.0.0.1"],
    "localhost": ["127.0.0.1", "::1"],
    "mixed.test": ["93.184.215.14", "127.0.0.1"],
    "mixed6.test": ["93.184.215.14", "::1"],
    "metadata.google.internal": ["169.254.169.254"],
    "scoped.test": ["fe80::1%eth0"],
    "broken.test": ["not an address"],
    "empty.test": [],
    "a.corp.test": ["93.184.215.14"],
}


class Names:
    """A resolver from a table; counts questions."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:  # noqa: ARG002  (a resolver is asked so)
        self.asked.append(host)
        if host not in NAMES:
            raise socket.gaierror(-2, "Name or service not known")
        return NAMES[host]


def guard(
    policy: str = "public",
    hosts: tuple[str, ...] = (),
    ports: tuple[int, ...] = (80, 443),
    own: Sequence[tuple[str, int]] = (("127.0.0.1", 8088),),
    resolve: Names | None = None,
) -> Guard:
    tunnel = Tunnel(policy, hosts, ports)
    return Guard(lambda: tunnel, Listeners(own), resolve=resolve or Names())


async def why(made: Guard, host: str, port: int = 443) -> str:
    with pytest.raises(Forbidden) as caught:
        await made.check_tunnel(host, port)
    return str(caught.value)


LOOPBACKS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "0.0.0.0",
    "0",
    "127.9.9.9",
    "[::1]",
    "::1",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "localhost",
    "LOCALHOST.",
    "loop.test",
    "127.0.0.1.",
]
ELSEWHERE = [
    "private.test",
    "10.0.0.1",
    "0xa000001",
    "172.16.0.1",
    "192.168.1.1",
    "3232235777",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "metadata.google.internal",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "100.64.0.1",
    "192.0.0.192",
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "240.0.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[fc00::1]",
    "[2001:db8::1]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[::ffff:10.0.0.1]",
    "scoped.test",
    "mixed.test",
    "mixed6.test",
]


@pytest.mark.parametrize("policy", ["public", "listed", "none"])
@pytest.mark.parametrize("host", LOOPBACKS + ELSEWHERE)
async def test_forbidden_destinations(policy, host) -> None:
    """T1, T2, T5, security 0.8: 57 spellings and addresses, by every policy."""
    assert "rules.yaml" in await why(guard(policy), host)


@pytest.mark.parametrize(
    "host", ["", "a b", "a\r\nb", "[::1", "fe80::1%eth0", "999.1.1.1", "①②⑦.⓪.⓪.①", "x" * 300]
)
async def test_no_hosts(host) -> None:
    names = Names()
    assert len(await why(guard(resolve=names), host)) < 200
    assert names.asked == []


async def test_public_destinations_come_back_pinned() -> None:
    """T3: the answer is addresses to connect to, resolved once, in order, without doubles."""
    names = Names()
    made = guard(resolve=names)
    assert await made.check_tunnel("Public.Test.", 443) == NAMES["public.test"]
    assert await made.check_tunnel("two.test", 80) == ["1.1.1.1", "1.0.0.1"]
    assert names.asked == ["public.test", "two.test"]
    assert await made.check_tunnel("8.8.8.8", 443) == ["8.8.8.8"]
    assert await made.check_tunnel("[::ffff:8.8.8.8]", 443) == ["8.8.8.8"]
    assert await made.check_tunnel("134744072", 443) == ["8.8.8.8"]
    assert len(names.asked) == 2


async def test_rebinding_name_is_checked_each_time() -> None:
    """T3, T4: a name that answers public, then loopback. What was checked is what is connected to."""
    turns = iter([["93.184.215.14"], ["127.0.0.1"]])

    async def rebind(host: str, port: int) -> Sequence[str]:
        return next(turns)

    made = Guard(Tunnel, Listeners(), resolve=rebind)
    assert await made.check_tunnel("rebind.test", 443) == ["93.184.215.14"]
    assert "loopback" in await why(made, "rebind.test")


@pytest.mark.parametrize("port", [0, -1, 22, 25, 8088, 65_536, 10**9])
async def test_ports(port) -> None:
    """T2: the sentence says which list refuses it."""
    assert "tunnel.ports" in await why(guard(), "public.test", port)


async def test_ports_of_the_rules() -> None:
    made = guard(ports=(8443,))
    assert await made.check_tunnel("two.test", 8443)
    assert "(8443)" in await why(made, "two.test", 443)
    assert "(none)" in await why(guard(ports=()), "two.test", 443)


@pytest.mark.parametrize("host", ["broken.test", "empty.test", "unknown.test"])
async def test_names_without_address(host) -> None:
    with pytest.raises(Unresolved, match="can't be resolved"):
        await guard().check_tunnel(host, 443)


async def test_none_allows_nothing() -> None:
    made = guard("none", hosts=("public.test", "10.0.0.5"))
    names = Names()
    assert "tunnel.policy" in await why(made, "public.test")
    assert "tunnel.policy" in await why(guard("none", resolve=names), "10.0.0.5")
    assert names.asked == []


async def test_listed_hosts() -> None:
    made = guard("listed", hosts=("Public.Test", "*.corp.test", "10.0.0.5", "[fd00::5]"))
    assert await made.check_tunnel("public.test", 443)
    assert await made.check_tunnel("a.corp.test", 443)
    assert await made.check_tunnel("10.0.0.5", 443) == ["10.0.0.5"]
    assert await made.check_tunnel("0xa000005", 443) == ["10.0.0.5"]
    assert await made.check_tunnel("[fd00::5]", 443) == ["fd00::5"]
    for host in ("two.test", "corp.test", "acorp.test", "public.test.evil.test", "10.0.0.6"):
        said = await why(made, host)
        assert "tunnel.hosts" in said
        assert "'listed'" in said


@pytest.mark.parametrize("policy", ["public", "listed"])
async def test_a_listed_name_brings_no_private_address_with_it(policy) -> None:
    """A name is in other hands than this file: the address itself has to be listed."""
    assert "add 10.0.0.5" in await why(guard(policy, ("private.test",)), "private.test")
    made = guard(policy, ("private.test", "10.0.0.5"))
    assert await made.check_tunnel("private.test", 443) == ["10.0.0.5"]
    assert "add 127.0.0.1" in await why(guard(policy, ("*.test",)), "mixed.test")
    assert "add ::1" in await why(guard(policy, ("localhost", "127.0.0.1")), "localhost")


async def test_listed_loopback_but_never_ourselves() -> None:
    """Own listeners stay refused whatever is listed."""
    made = guard("listed", ("127.0.0.1", "::1", "localhost", "0.0.0.0"), ports=(80, 8088, 9000))
    assert await made.check_tunnel("127.0.0.1", 9000) == ["127.0.0.1"]
    assert await made.check_tunnel("localhost", 9000) == ["127.0.0.1", "::1"]
    for host in ("127.0.0.1", "127.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"):
        assert "this sidecar itself" in await why(made, host, 8088)


async def test_a_reload_counts_at_once() -> None:
    tunnel = Tunnel("none")
    made = Guard(lambda: tunnel, Listeners(), resolve=Names())
    await why(made, "public.test")
    tunnel = Tunnel("public")
    assert await made.check_tunnel("public.test", 443)


async def test_a_cancelled_check_is_cancelled() -> None:
    async def stuck(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    made = Guard(Tunnel, Listeners(), resolve=stuck)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await made.check_tunnel("slow.test", 443)


# Listeners


@pytest.mark.parametrize(
    ("own", "destination", "ours"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "::", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("127.0.0.1", "::1", False),
        ("127.0.0.1", "10.1.1.1", False),
        ("::1", "::1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("0.0.0.0", "127.9.9.9", True),
        ("0.0.0.0", "10.1.1.1", True),
        ("0.0.0.0", "10.1.1.2", False),
        ("::", "127.0.0.1", True),
        ("::", "8.8.8.8", False),
        ("10.1.1.1", "10.1.1.1", True),
        ("10.1.1.1", "127.0.0.1", False),
    ],
)
def test_own_listeners(own, destination, ours) -> None:
    here = {ip_address("10.1.1.1")}
    listeners = Listeners([(own, 8088)], here=lambda a: a.is_loopback or a in here)
    assert listeners.owns(read_address(destination), 8088) is ours
    assert listeners.owns(read_address(destination), 8089) is False


def test_listeners_can_be_added() -> None:
    listeners = Listeners()
    assert not listeners.owns(ip_address("127.0.0.1"), 9)
    listeners.add("127.0.0.1", 9)
    assert listeners.owns(ip_address("127.0.0.1"), 9)
    with pytest.raises(ValueError, match="does not appear"):
        listeners.add("localhost", 9)


def test_own_interface_addresses() -> None:
    """The addresses of this machine's interfaces, found by its routing table."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("no route out of this machine")
        mine = ip_address(probe.getsockname()[0])
    listeners = Listeners([("0.0.0.0", 8088)])
    assert listeners.owns(mine, 8088)
