from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.errors import Kind, Whose
from wattline.engine.plan import Plan, Skip
from wattline.engine.summary import Failure, summary

RULE = Plan("r", 0, ())
FULL = Skip("groq/m", "window_full", "window groq: 30 of 30 calls in 60 s", 12.4, limited=True)
WAITS = Skip("openai/m", "resting", "resting for 9.0 s: it asked to wait", 9.0, limited=True)
REFUSED = Skip("xai/m", "resting", "resting for 200.0 s: its key was refused", 200.0)


def no_key(name: str) -> Skip:
    return Skip(f"{name}/m", "unavailable", f"No API key for {name}: {name.upper()}_KEY is not set")


def plan(*skipped: Skip) -> Plan:
    return Plan("r", 0, (), skipped)


def test_all_failed():
    """A-073, A-154, decision 13."""
    failures = [
        Failure("openai/gpt-4o", "http_503", None),
        Failure("groq/llama", "first_byte_timeout", None),
    ]
    fault = summary(failures, RULE, "gpt-4o")
    assert fault.message == "All providers unavailable: openai http_503; groq first_byte_timeout"
    assert (fault.status, fault.should_retry, fault.retry_after) == (500, False, None)
    assert (fault.code, fault.kind, fault.whose) == (
        "all_providers_failed",
        Kind.UPSTREAM,
        Whose.UPSTREAM,
    )


def test_all_of_a_tier_failed():
    """C-103, C-104, C-106, decision 13: each by its name and what was wrong with it, in our words."""
    failures = [Failure("cerebras/a", "http_503", None), Failure("groq/b", "connect_timeout", None)]
    fault = summary(failures, replace(RULE, tiered=True), "tier/fast")
    assert (
        fault.message == "All external providers failed: cerebras: http_503; groq: connect_timeout"
    )
    assert (fault.status, fault.code, fault.should_retry) == (500, "all_providers_failed", False)


def test_the_same_reason_is_told_once_and_not_all_of_very_many():
    failures = [Failure("p/a", "reset", None), Failure("p/b", "reset", None)]
    assert summary(failures, RULE, "m").message == "All providers unavailable: p reset (2 times)"
    many = [Failure(f"p{number}/a", "reset", None) for number in range(50)]
    message = summary(many, RULE, "m").message
    assert message.endswith("p9 reset; and 40 more")


def test_all_limited():
    """Decision 13: 429 with the earliest Retry-After."""
    failures = [Failure("a/m", "http_429", 30.0), Failure("b/m", "http_429", 7.0)]
    fault = summary(failures, RULE, "m")
    assert (fault.status, fault.retry_after, fault.kind) == (429, 7.0, Kind.RATE_LIMIT)
    assert (fault.code, fault.should_retry) == ("rate_limit_exceeded", None)
    assert "a http_429; b http_429" in fault.message


@pytest.mark.parametrize(
    ("failures", "skipped", "status", "wait"),
    [
        ([], [FULL], 429, 12.4),
        ([], [FULL, WAITS], 429, 9.0),
        ([], [WAITS], 429, 9.0),
        ([], [FULL, no_key("a")], 429, 12.4),
        ([], [FULL, REFUSED], 503, 12.4),
        ([], [REFUSED], 503, 200.0),
        ([Failure("a/m", "http_429", None)], [FULL], 429, 12.4),
        ([Failure("a/m", "http_429", None)], [], 429, None),
        ([Failure("a/m", "http_429", 3.0)], [REFUSED], 429, 3.0),
        ([Failure("a/m", "window_full", 5.0)], [no_key("b")], 429, 5.0),
        ([Failure("a/m", "inband_rate_limit", None)], [], 429, None),
        ([Failure("a/m", "http_429", 3.0), Failure("b/m", "reset", None)], [], 500, None),
        ([Failure("a/m", "http_500", None)], [FULL], 500, None),
        ([Failure("a/m", "deadline", None)], [], 500, None),
    ],
)
def test_which_of_the_three(failures, skipped, status, wait):
    """Decision 13: rate limits only, a failure, or nobody to ask."""
    fault = summary(failures, plan(*skipped), "m")
    assert (fault.status, fault.retry_after) == (status, wait)


def test_a_call_that_never_fits_is_not_to_be_tried_again():
    fault = summary([Failure("a/m", "window_full", None)], RULE, "m")
    assert (fault.status, fault.retry_after, fault.should_retry) == (429, None, False)
    never = Skip("a/m", "window_full", "never free for this call", None, limited=True)
    fault = summary([], plan(never), "m")
    assert (fault.status, fault.retry_after, fault.should_retry) == (429, None, False)


def test_no_key_at_all():
    """C-101, C-107."""
    fault = summary([], plan(no_key("groq"), no_key("xai")), "m")
    assert fault.status == 503
    assert fault.message == (
        "No external providers configured (missing API keys): "
        "No API key for groq: GROQ_KEY is not set; No API key for xai: XAI_KEY is not set"
    )
    assert (fault.whose, fault.kind, fault.should_retry) == (Whose.OURS, Kind.UNAVAILABLE, False)
    assert summary([], RULE, "m").message == "No external providers configured (missing API keys)"


def test_nobody_to_ask_for_other_reasons():
    off = Skip("a/m", "unavailable", "a is switched off (enabled: false)")
    fault = summary([], plan(no_key("groq"), off, REFUSED), "m")
    assert fault.status == 503
    assert fault.message.startswith("No provider can take this call now: No API key for groq")
    assert fault.message.endswith("; xai is not available now (try again in 200 s)")
    assert "key was refused" not in fault.message
    assert fault.should_retry is None


def test_what_passes_is_told_in_a_callers_words():
    """Neither keys nor why they rest: which provider, and when to come again."""
    keys = Skip("openai/m", "resting", "all 2 keys of openai wait, key 2 the shortest: …", 299.3)
    out = Skip("groq/a", "breaker", "it failed too often; tried again in 4.0 s", 4.0)
    also = Skip("groq/b", "breaker", "it failed too often; another call is trying it now")
    found = replace(plan(keys, out, also), unknown=True)
    fault = summary([], found, "gpt-4o")
    assert fault.message == (
        "No provider can take this call now: openai is not available now (try again in 300 s); "
        "groq is not available now (try again in 4 s)"
    )
    assert fault.status == 503


@pytest.mark.parametrize(("code", "status"), [("http_500", 500), ("http_429", 429)])
def test_who_is_out_by_its_breaker_is_named_too(code, status):
    out = Skip("groq/a", "breaker", "it failed too often; tried again in 4.0 s", 4.0)
    fault = summary([Failure("openai/m", code, 3.0)], plan(out), "m")
    assert fault.status == status
    assert fault.message.endswith(f": openai {code}; groq failed too often lately")


def test_an_unknown_model():
    """D-073: 404 that names what was likely meant."""
    unknown = Plan(None, None, (), unknown=True, near=("gpt-4o", "gpt-4o-mini"))
    fault = summary([], unknown, "gpt-4oo")
    assert (fault.status, fault.code, fault.param) == (404, "model_not_found", "model")
    assert fault.message == (
        "The model 'gpt-4oo' is not known here. Did you mean 'gpt-4o' or 'gpt-4o-mini'?"
    )
    long = summary([], Plan(None, None, (), unknown=True), "x\n" * 50_000)
    assert len(long.message) < 300
    assert "\n" not in long.message


def test_a_known_model_that_no_rule_takes():
    fault = summary([], Plan(None, None, ()), "gpt-4o")
    assert (fault.status, fault.code) == (404, "no_rule")


def test_a_call_that_was_passed_on_and_failed():
    failures = [Failure("api.openai.com/gpt-4o", "refused", None)]
    fault = summary(failures, Plan(None, None, (), passed=True), "gpt-4o")
    assert (fault.status, fault.code) == (500, "all_providers_failed")
    assert "api.openai.com refused" in fault.message


SKIPS = st.sampled_from([FULL, WAITS, REFUSED, no_key("a"), Skip("x", "dialect", "no", None)])
FAILURES = st.builds(
    Failure,
    st.sampled_from(["a/m", "b/m/n", "odd"]),
    st.sampled_from(["http_429", "window_full", "http_500", "reset"]),
    st.none() | st.floats(0, 60),
)


@given(st.lists(FAILURES, max_size=4), st.lists(SKIPS, max_size=4), st.booleans(), st.booleans())
def test_always_one_of_four_answers(failures, skipped, ruled, passed):
    found = Plan("r" if ruled else None, 0, (), tuple(skipped), passed=passed)
    fault = summary(failures, found, "m")
    assert fault.status in {400, 404, 429, 500, 503}
    assert (fault.status == 500) <= bool(failures)
    assert (fault.status == 500) == (fault.should_retry is False and bool(failures)) or (
        fault.status == 429
    )
    if fault.retry_after is not None:
        waits = [f.retry_after for f in failures] + [skip.retry_after for skip in skipped]
        assert fault.retry_after in waits


def test_a_provider_that_has_no_such_model():
    """The client named it: that it is not there comes before what a catch-all lacks."""
    skips = (Skip("groq/nope", "unknown_model", "groq has no model 'nope'"), no_key("openrouter"))
    fault = summary([], Plan("by-openrouter", 1, (), skips, unknown=True), "groq/nope")
    assert (fault.status, fault.code, fault.param) == (404, "model_not_found", "model")
    assert fault.message == (
        "The model 'groq/nope' is not known here: groq has no model 'nope'; "
        "No API key for openrouter: OPENROUTER_KEY is not set."
    )


def test_what_was_looked_for_is_named():
    fault = summary([], Plan("by-openrouter", 1, (), (no_key("openrouter"),), unknown=True), "a/b")
    assert (fault.status, fault.code) == (503, "no_provider")
    assert fault.message.startswith(
        "No external providers configured (missing API keys) for 'a/b', which is not known here: "
    )
