from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.ledgers import opened, settled
from wattline.store.base import BadRow
from wattline.store.rows import (
    MAX_FEATURES,
    MAX_TEXT,
    OPENED,
    SETTLED,
    opened_values,
    settled_values,
)

TEXT = st.text(st.characters(exclude_categories=()), max_size=400)
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
FEATURES = st.dictionaries(
    TEXT, st.recursive(LEAF, lambda inner: st.lists(inner) | inner, max_leaves=8)
)


def column(values, name, names=OPENED):
    return values[names.index(name)]


@settings(max_examples=200, deadline=None)
@given(TEXT, TEXT, FEATURES)
def test_any_text_becomes_valid_and_short(requested, rule, features):
    values = opened_values(opened(requested=requested, rule=rule, features=features))
    assert len(values) == len(OPENED)
    for value in values:
        if isinstance(value, str):
            assert value.encode().decode() == value
    assert len(column(values, "requested")) <= MAX_TEXT
    json.loads(column(values, "features"))


@settings(max_examples=200, deadline=None)
@given(TEXT, st.integers() | st.floats() | st.booleans() | st.none(), st.integers())
def test_an_id_or_an_amount_is_kept_as_it_is_or_refused(name, hold, energy):
    try:
        values = opened_values(opened(name, principal=name, hold=hold))
    except BadRow:
        pass
    else:
        assert (column(values, "attempt"), column(values, "hold")) == (name, hold)
    try:
        ends = settled_values(settled("a", energy=energy))
    except BadRow:
        assert not 0 <= energy <= 10**18
    else:
        assert column(ends, "energy", SETTLED) == energy


def test_features_are_compact_and_bounded():
    values = opened_values(opened(features={"a": [1, True, None], "b": "é"}))
    assert column(values, "features") == '{"a":[1,true,null],"b":"é"}'
    values = opened_values(opened(features={"a": "x" * MAX_FEATURES}))
    assert column(values, "features") == f'{{"too_large":{MAX_FEATURES + 8}}}'


def test_flags_are_a_json_list():
    values = settled_values(settled("a", flags=("no_usage", "client_gone")))
    assert column(values, "flags", SETTLED) == '["no_usage","client_gone"]'


def test_an_error_never_repeats_a_long_value():
    with pytest.raises(BadRow) as caught:
        opened_values(opened(hold="secret " * 1_000))
    assert len(str(caught.value)) < 120
