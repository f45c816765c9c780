"""Budgets: what a key may spend in any hour, day and 30 days."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wattline.engine.spending import DAY, HOUR, MOMENT, MONTH, Exceeded, Reserved, Spending, Spent
from wattline.wire.call import Budgets

START = 10_000.0


def spend(spending, micro, now, key="k"):
    held = spending.reserve(key, None, micro, now)
    held.settle(micro, now)


def test_what_is_held_counts_in_full_until_it_is_settled():
    spending = Spending()
    budgets = Budgets(hour=100)
    held = spending.reserve("k", budgets, 60, START)
    assert isinstance(held, Reserved)
    refused = spending.reserve("k", budgets, 41, START)
    assert refused == Exceeded("hour", 60, 100, MOMENT)
    held.settle(10, START)
    held.settle(10, START)
    assert spending.spent("k", START) == Spent(10, 10, 10)
    assert isinstance(spending.reserve("k", budgets, 90, START), Reserved)


def test_the_budget_that_lasts_longest_answers():
    spending = Spending()
    spend(spending, 100, START)
    refused = spending.reserve("k", Budgets(100, 100, 1_000), 1, START + 10)
    assert (refused.span, refused.spent, refused.limit) == ("day", 100, 100)
    assert DAY - 10 < refused.retry_after <= DAY - 10 + 900
    never = spending.reserve("k", Budgets(50, 200, 40), 45, START + 10)
    assert (never.span, never.retry_after) == ("30 days", None)


def test_after_retry_after_there_is_room():
    spending = Spending()
    for minute in range(10):
        spend(spending, 10, START + 60 * minute)
    now = START + 600
    refused = spending.reserve("k", Budgets(hour=100), 35, now)
    assert isinstance(refused, Exceeded)
    assert isinstance(
        spending.reserve("k", Budgets(hour=100), 35, now + refused.retry_after - 1), Exceeded
    )
    assert isinstance(
        spending.reserve("k", Budgets(hour=100), 35, now + refused.retry_after), Reserved
    )


def test_full_is_full_also_for_a_call_of_unknown_price():
    spending = Spending()
    spend(spending, 5, START)
    assert isinstance(spending.reserve("k", Budgets(day=5), 0, START), Exceeded)
    assert isinstance(spending.reserve("k", Budgets(day=5), 0, START, owed=True), Reserved)


def test_keys_have_nothing_in_common():
    spending = Spending()
    spend(spending, 5, START, "a")
    assert spending.spent("b", START) == Spent(0, 0, 0)
    spending.forget("a")
    assert spending.spent("a", START) == Spent(0, 0, 0)


def test_a_key_takes_no_more_memory_than_its_steps():
    spending = Spending()
    for number in range(20_000):
        spend(spending, 1, START + number * 300)
        spending.spent("k", START + number * 300)
    sums = spending._account("k").sums
    assert [len(one._steps) <= most for one, most in zip(sums, (61, 97, 121), strict=True)] == [
        True
    ] * 3


@given(
    st.lists(st.tuples(st.floats(0, 3 * DAY), st.integers(0, 50)), max_size=60),
    st.floats(0, 2 * DAY),
)
def test_never_less_than_what_was_really_spent(amounts, later):
    """A sum may count an amount for one step too long, never too short."""
    spending = Spending()
    amounts = sorted(amounts)
    for at, micro in amounts:
        spending.seed("k", at, micro)
    now = (amounts[-1][0] if amounts else 0.0) + later
    found = spending.spent("k", now)
    for value, per, step in zip(found, (HOUR, DAY, MONTH), (60, 900, 21_600), strict=True):
        assert value >= sum(micro for at, micro in amounts if at + per > now)
        assert value <= sum(micro for at, micro in amounts if at + per + step >= now)
