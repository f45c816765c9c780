"""What calls may cost at their targets, from public prices."""

from __future__ import annotations

from kit.decisions import a_book, a_call, a_provider, a_target
from wattline.base.origin import Origin
from wattline.rules.compiled.rule import Asked, Rule
from wattline.rules.compiled.upkeep import AffinityRules
from wattline.service.catalog.costs import ANSWER, Costs
from wattline.service.catalog.prices import Prices

OPENAI = a_target(
    a_provider("openai", origin=Origin("https", "api.openai.com", 443)), "gpt-4o-mini"
)
LARGE = a_target(a_provider("openai", origin=Origin("https", "api.openai.com", 443)), "gpt-4o")
OWN = a_target(a_provider("own"), "my-model")


def book_of(order: str):
    rule = Rule("r", (), Asked(), order=order)
    return a_book(rule, models={"m": (OPENAI, LARGE, OWN)})


async def test_public_prices_where_a_rule_asks_for_them():
    costs = Costs(Prices())
    call = a_call(tokens=1_000_000, max_output=0)
    await costs.learn(book_of("cheapest"))
    small, large = costs.of(OPENAI, call), costs.of(LARGE, call)
    assert small is not None
    assert large is not None
    assert 0 < small < large
    assert costs.of(OWN, call) is None


async def test_nothing_is_looked_up_for_other_orders():
    costs = Costs(Prices())
    await costs.learn(book_of("fastest"))
    assert costs.of(OPENAI, a_call()) is None


async def test_the_answer_counts_too():
    costs = Costs(Prices())
    await costs.learn(book_of("cheapest"))
    unbounded = costs.of(OPENAI, a_call(tokens=0))
    bounded = costs.of(OPENAI, a_call(tokens=0, max_output=2 * ANSWER))
    assert unbounded is not None
    assert bounded == 2 * unbounded


async def test_what_a_token_costs_more_than_out_of_the_cache():
    costs = Costs(Prices())
    rule = Rule("r", (), Asked())
    book = a_book(rule, models={"m": (OPENAI, LARGE, OWN)}, affinity=AffinityRules(diagnose=True))
    await costs.learn(book)
    million, lost = a_call(tokens=1_000_000, max_output=0), costs.lost(LARGE, 1_000_000)
    price = costs.of(LARGE, million)
    assert lost is not None
    assert price is not None
    assert 0 < lost < price
    assert costs.lost(OWN, 1_000) is None
