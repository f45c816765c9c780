from __future__ import annotations

from kit.decisions import a_book, a_call, a_provider, a_target
from wattline.engine.offer import offer

LISTING = a_provider("anthropic", models=[("opus",), ("haiku",)])
BOOK = a_book(
    models={"b": (a_target("x"),), "a": (a_target(LISTING, "next"),)},
    providers=(LISTING, a_provider("demo", demo=True)),
)


def test_the_models_of_the_provider_that_was_named():
    """E-110."""
    call = a_call("anthropic/none", provider="anthropic")
    assert offer(call, BOOK) == {"available_models": ["haiku", "next", "opus"]}


def test_the_providers_when_that_one_is_not_known():
    """E-110: names only, and not the demo's."""
    found = offer(a_call("z/m", provider="z"), BOOK)
    assert found == {"available_models": [], "available_providers": ["anthropic", "x"]}


def test_all_names_when_no_provider_was_named():
    assert offer(a_call("none"), BOOK) == {"available_models": ["a", "b"]}


def test_a_long_list_is_cut():
    book = a_book(models={f"m{n:04}": (a_target("x"),) for n in range(500)})
    assert len(offer(a_call("none"), book)["available_models"]) == 100
