"""Public prices, offline."""

from __future__ import annotations

import socket
from decimal import Decimal

import pytest

from wattline.service.catalog.prices import Prices

OPENAI = "https://api.openai.com/v1"


async def test_prices_are_for_one_token_and_come_without_a_network(monkeypatch):
    """D-044: pricing as strings; nothing is downloaded."""

    def no_network(*_):
        raise AssertionError("a connection was opened")

    prices = Prices()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", no_network)
        await prices.learn([("gpt-4o", OPENAI), ("none-such", OPENAI), ("gpt-4o", "http://x.test")])
    found = prices.of("gpt-4o", OPENAI)
    assert found is not None
    assert found.prompt is not None
    assert found.completion is not None
    assert 0 < Decimal(found.prompt) < Decimal(found.completion) < Decimal("0.001")
    assert "e" not in found.prompt.lower()
    assert prices.of("none-such", OPENAI) is None
    assert prices.of("gpt-4o", "http://x.test") is None


@pytest.mark.parametrize("name", ["", "x" * 10_000, "\x00", "a/b/c", "[", "(*)"])
async def test_strange_names_have_no_price(name):
    prices = Prices()
    await prices.learn([(name, OPENAI), (name, name)])
    prices.of(name, OPENAI)
