from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.demo.knobs import LIMITS, VARIABLES, KnobError, Knobs


def test_defaults():
    """B-127 B-128 B-129 B-130 B-131 B-132: what an empty environment means."""
    assert Knobs.from_env({}) == Knobs(
        base_delay_ms=200,
        delay_variance_ms=100,
        error_rate=0.15,
        timeout_rate=0.05,
        token_speed=25,
        logs=True,
    )


def test_every_variable_is_read():
    """B-127 B-128 B-129 B-130 B-131 B-132: each variable sets its knob."""
    env = {
        "MOCK_BASE_DELAY": "5",
        "MOCK_DELAY_VARIANCE": "2.5",
        "MOCK_ERROR_RATE": "0.25",
        "MOCK_TIMEOUT_RATE": "1",
        "MOCK_TOKEN_SPEED": "100",
        "MOCK_ENABLE_LOGS": "False",
    }
    assert Knobs.from_env(env) == Knobs(5, 2.5, 0.25, 1, 100, logs=False)


def test_demo_is_pleasant_unless_the_environment_says_otherwise():
    """B-129 B-130: the sidecar's demo fails only when it is told to."""
    assert Knobs.demo().error_rate == Knobs.demo().timeout_rate == 0
    assert Knobs.demo().token_speed == 200
    assert Knobs.demo({"MOCK_ERROR_RATE": "0.5"}).error_rate == 0.5
    assert Knobs.demo({"MOCK_ERROR_RATE": "0.5"}).token_speed == 200


def test_an_empty_variable_is_not_set():
    assert Knobs.from_env({"MOCK_BASE_DELAY": " "}) == Knobs()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MOCK_BASE_DELAY", "-1"),
        ("MOCK_BASE_DELAY", "600001"),
        ("MOCK_DELAY_VARIANCE", "1e3"),
        ("MOCK_ERROR_RATE", "1.01"),
        ("MOCK_ERROR_RATE", "nan"),
        ("MOCK_TIMEOUT_RATE", "half"),
        ("MOCK_TIMEOUT_RATE", "1_0"),
        ("MOCK_TOKEN_SPEED", "0"),
        ("MOCK_TOKEN_SPEED", "٣"),
        ("MOCK_ENABLE_LOGS", "maybe"),
    ],
)
def test_a_bad_variable_is_named_with_value_and_range(variable, value):
    """B-127 B-128 B-129 B-130 B-131 B-132: the error says what, where and what instead."""
    with pytest.raises(KnobError) as error:
        Knobs.from_env({variable: value})
    assert variable in str(error.value)
    assert value in str(error.value)
    assert "must be" in str(error.value)
    if VARIABLES[variable] in LIMITS:
        low, high = LIMITS[VARIABLES[variable]]
        assert f"from {low:g} to {high:g}" in str(error.value)


def test_an_unknown_knob_is_answered_with_the_nearest():
    """B-202."""
    with pytest.raises(KnobError, match="did you mean 'error_rate'"):
        Knobs().changed({"eror_rate": 0.5})
    with pytest.raises(KnobError, match="the knobs are base_delay_ms"):
        Knobs().changed({"zzz": 0.5})


@pytest.mark.parametrize(
    "value", [True, "0.5", None, [], {}, float("nan"), -0.1, pytest.param(10**400, id="huge")]
)
def test_json_of_the_wrong_kind_is_refused(value):
    """B-202."""
    with pytest.raises(KnobError, match="error_rate is"):
        Knobs().changed({"error_rate": value})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(_JSON | st.dictionaries(st.sampled_from([*LIMITS, "logs", "x"]), _JSON))
def test_any_json_gives_knobs_or_a_knob_error(values):
    """B-202: whatever is sent, the result is valid or refused in one short line."""
    message = ""
    knobs = Knobs()
    try:
        knobs = knobs.changed(values)
    except KnobError as error:
        message = str(error)
    assert len(message) < 300
    if not message:
        assert all(low <= getattr(knobs, name) <= high for name, (low, high) in LIMITS.items())


@given(st.dictionaries(st.sampled_from(list(VARIABLES)), st.text()))
def test_any_environment_gives_knobs_or_a_knob_error(env):
    """B-127 B-132."""
    refused = None
    try:
        Knobs.from_env(env)
    except KnobError as error:
        refused = error.name
    assert refused is None or refused in env
