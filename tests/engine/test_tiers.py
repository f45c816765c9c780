from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.decisions import a_provider
from wattline.engine.tiers import match
from wattline.rules.compiled.provider import TIERS, ProviderModel

GROQ = a_provider(
    "groq",
    models=[
        ("versatile", "large", 131_072),
        ("instant", "fast", 131_072),
        ("gemma", "medium", 8_192),
    ],
)
CEREBRAS = a_provider("cerebras", models=[("llama", "large", 8_192), ("qwen", "reasoning", 8_192)])


@pytest.mark.parametrize(
    ("provider", "tier", "model"),
    [
        (GROQ, "fast", "instant"),
        (GROQ, "medium", "gemma"),
        (GROQ, "large", "versatile"),
        (CEREBRAS, "fast", "llama"),
        (CEREBRAS, "medium", "llama"),
        (CEREBRAS, "reasoning", "qwen"),
        (GROQ, "reasoning", "versatile"),
        (GROQ, "no-such-tier", "versatile"),
    ],
)
def test_exact_then_higher_then_the_first(provider, tier, model):
    """C-090, C-091, C-092: exact tier, else the next higher ones, else the first model at all."""
    found = match(tier, provider, 10)
    assert found is not None
    assert found.id == model


def test_the_first_of_two_of_a_tier():
    """C-090: openai-bridge lists two reasoning models (C-022)."""
    bridge = a_provider(
        "openai-bridge",
        models=[("gpt-4-turbo", "reasoning"), ("gpt-4", "reasoning"), ("gpt-3.5-turbo", "fast")],
    )
    found = match("large", bridge, 0)
    assert found is not None
    assert found.id == "gpt-4-turbo"


def test_a_model_that_is_too_small_for_the_call_is_left_out():
    assert match("medium", GROQ, 9_000) == ProviderModel("versatile", "large", 131_072)
    assert match("medium", GROQ, 8_192) == ProviderModel("gemma", "medium", 8_192)
    assert match("fast", GROQ, 200_000) is None
    assert match("fast", a_provider("empty"), 0) is None


@given(st.lists(st.sampled_from(TIERS), max_size=6), st.sampled_from(TIERS))
def test_like_the_three_rules_one_after_the_other(tiers, wanted):
    """C-090 to C-092 against their own wording."""
    models = [ProviderModel(f"m{index}", tier) for index, tier in enumerate(tiers)]
    found = match(wanted, a_provider("p", models=models), 0)
    higher = TIERS[TIERS.index(wanted) + 1 :]
    exact = [m for m in models if m.tier == wanted]
    above = [m for tier in higher for m in models if m.tier == tier]
    assert found == next(iter([*exact, *above, *models]), None)
