from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.decisions import a_book, a_call, a_provider, a_target
from wattline.rules.names import Names

LISTING = a_provider("anthropic", models=[("claude-3-5-sonnet-20241022",), ("claude-3-opus",)])
OPEN = a_provider("open-router")
OFF = a_provider("off", unavailable="No API key for off (OFF_KEY)")
OWN = a_target(LISTING, "claude-next", entry="next", rate=None)
MODELS = {
    "next": (OWN,),
    "claude-3-opus": (a_target(LISTING, "claude-3-opus", rate=None),),
    "star": (a_target(OPEN, "*"),),
}


@pytest.fixture
def names() -> Names:
    return a_book(models=MODELS, providers=(LISTING, OPEN, OFF)).names


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("next", "anthropic/claude-next"),
        ("anthropic/claude-3-5-sonnet-20241022", "anthropic/claude-3-5-sonnet-20241022"),
        ("anthropic/claude-next", "anthropic/claude-next"),
        ("anthropic/next", "anthropic/claude-next"),
        ("open-router/anthropic/claude-3-5-sonnet", "open-router/anthropic/claude-3-5-sonnet"),
        ("open-router/*", "open-router/*"),
        ("off/m", "off/m"),
    ],
)
def test_a_name_and_its_place(names: Names, name: str, place: str) -> None:
    """E-043: `provider/model` of a configured provider."""
    (target,) = names.chain(name)
    assert str(target) == place
    assert names.has(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "anthropic/",
        "/claude-3-opus",
        "anthropic",
        "anthropic/claude-9",
        "nobody/m",
        "Off/m",
        "open_router/any",  # a rule that denies `open-router/*` would not know it
    ],
)
def test_what_is_not_known(names: Names, name: str) -> None:
    """E-084: a model that a provider with a list does not list is refused."""
    assert names.chain(name) == ()
    assert not names.has(name)
    assert not names.knows(a_call(name))


def test_a_made_target_is_named_and_priced_as_its_provider_says() -> None:
    paid = a_provider("paid", rate=3)
    (target,) = a_book(providers=(paid,)).names.chain("paid/some-model")
    assert (target.model, target.entry, target.rate) == ("some-model", "paid/some-model", 3)


def test_a_provider_without_a_key_counts_only_where_it_was_named_on_purpose(names: Names) -> None:
    assert not names.knows(a_call("off/m"))
    assert names.knows(a_call("off/m", provider="off"))


def test_on_a_providers_own_host_a_slash_is_part_of_the_name(names: Names) -> None:
    assert names.knows(a_call("open-router/m"))
    assert not names.knows(a_call("open-router/m", forward=True))
    assert not names.ready(a_call("open-router/m", forward=True))
    assert names.knows(a_call("next", forward=True))
    assert names.ready(a_call("next", forward=True))


def test_what_a_provider_offers(names: Names) -> None:
    """E-110: the models that a client may ask a provider for."""
    assert names.offered(LISTING) == (
        "claude-3-5-sonnet-20241022",
        "claude-3-opus",
        "claude-next",
    )
    assert names.offered(OPEN) == ()
    assert names.provider("nobody") is None


@given(st.text(alphabet="abc/_-*", max_size=12))
def test_any_name_is_answered(name: str) -> None:
    found: Any = a_book(models=MODELS, providers=(LISTING, OPEN, OFF)).names
    assert bool(found.chain(name)) <= found.has(name)
