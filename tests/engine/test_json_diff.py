from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattline.engine.json_diff import MOST, differences

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


def shown(before: object, after: object) -> dict[str, tuple[str | None, str | None]]:
    return {one.path: (one.was, one.becomes) for one in differences(before, after)}


def test_places_by_path() -> None:
    before = {"model": "m", "messages": [{"role": "user"}], "n": 1, "gone": True}
    after = {"model": "x", "messages": [{"role": "system"}], "n": 1.0, "o": {"usage": True}}
    assert shown(before, after) == {
        "$.model": ("'m'", "'x'"),
        "$.messages[0].role": ("'user'", "'system'"),
        "$.n": ("1", "1.0"),
        "$.gone": ("true", None),
        "$.o.usage": (None, "true"),
    }


def test_prompts_are_not_repeated() -> None:
    assert shown({"a": "x" * 100}, {"a": ["x" * 100]}) == {
        "$.a": ("a text of 100 characters", "a list of 1")
    }


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES, VALUES)
def test_total_and_empty_for_equals(one: object, other: object) -> None:
    assert differences(one, json.loads(json.dumps(one))) == ()
    assert len(differences(one, other)) <= MOST


def test_deep_values_end() -> None:
    deep: object = 1
    other: object = 2
    for _ in range(5_000):
        deep, other = [deep], [other]
    assert len(differences(deep, other)) <= 1
