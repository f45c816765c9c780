"""Settings of offered keys."""

from __future__ import annotations

import pytest

from wattline.base.settings import SettingsError
from wattline.service.offers.policy import OfferPolicy, error_lines


def test_as_it_comes():
    """B-137 to B-144, but for the door: closed."""
    policy = OfferPolicy.from_env({})
    assert policy == OfferPolicy()
    assert (policy.per_second, policy.per_minute, policy.per_day) == (5, 60, 1_000)
    assert (policy.body_bytes, policy.log_entries, policy.log_bytes) == (4_096, 1_000, 5_242_880)
    assert (policy.open, policy.providers) == (False, None)
    assert error_lines({}) == 200_000


def test_as_it_is_set():
    policy = OfferPolicy.from_env(
        {
            "ADMIN_KEYS_OPEN": "true",
            "ADMIN_KEYS_RATE_LIMIT_RPS": "1",
            "ADMIN_KEYS_RATE_LIMIT_RPM": "2",
            "ADMIN_KEYS_RATE_LIMIT_RPD": "3",
            "ADMIN_KEYS_MAX_BODY_BYTES": "512",
            "ADMIN_KEYS_ALLOWED_PROVIDERS": " OpenAI, groq,, ",
            "ADMIN_KEYS_LOG_MAX_ENTRIES": "7",
            "ADMIN_KEYS_LOG_MAX_BYTES": "2048",
        }
    )
    assert policy == OfferPolicy(
        open=True, per_second=1, per_minute=2, per_day=3, body_bytes=512,
        providers=frozenset({"openai", "groq"}), log_entries=7, log_bytes=2048,
    )  # fmt: skip


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "1e3", "\u0665", "9" * 40, " ; "])
@pytest.mark.parametrize("name", ["ADMIN_KEYS_RATE_LIMIT_RPS", "ADMIN_KEYS_MAX_BODY_BYTES", "ADMIN_KEYS_LOG_MAX_BYTES"])  # fmt: skip
def test_what_can_not_be_stops_the_start(name, value):
    with pytest.raises(SettingsError, match=name):
        OfferPolicy.from_env({name: value})


def test_a_word_that_is_neither():
    with pytest.raises(SettingsError, match="ADMIN_KEYS_OPEN"):
        OfferPolicy.from_env({"ADMIN_KEYS_OPEN": "maybe"})
    with pytest.raises(SettingsError, match="ADMIN_METRICS_MAX_ERROR_LINES"):
        error_lines({"ADMIN_METRICS_MAX_ERROR_LINES": "all"})
