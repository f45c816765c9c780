"""Where a sidecar listens."""

from __future__ import annotations

import pytest

from wattline.app.address import Address


def at(host: str, port: int) -> Address:
    address = Address()
    address.host, address.port = host, port
    return address


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "10.0.0.7"])
def test_every_name_of_ours_leads_to_us(host: str) -> None:
    address = at("10.0.0.7", 8088)
    assert address.is_own(host, 8088)
    assert not address.is_own(host, 8089)
    assert not address.is_own("10.0.0.8", 8088)


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("10.0.0.7", False), ("", False)]
)
def test_only_loopback_is_local(host: str, local: bool) -> None:  # noqa: FBT001  (the expectation)
    assert at(host, 8088).is_local() is local


def test_it_is_nowhere_until_it_listens() -> None:
    assert (Address().host, Address().port) == ("", 0)
    assert not Address().is_local()
