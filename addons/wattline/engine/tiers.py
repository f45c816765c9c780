"""Which model of a provider stands for a tier (C-090 to C-092)."""

from __future__ import annotations

from wattline.rules.compiled.provider import TIERS, Provider, ProviderModel


def match(tier: str, provider: Provider, tokens: int) -> ProviderModel | None:
    """The first model of that tier, else of the next higher one, else the first model at all.

    Models whose context is smaller than the call's estimate are left out; None when none is left.
    """
    fitting = [m for m in provider.models if m.context is None or m.context >= tokens]
    for wanted in _from(tier):
        for model in fitting:
            if model.tier == wanted:
                return model
    return fitting[0] if fitting else None


def _from(tier: str) -> tuple[str, ...]:
    return TIERS[TIERS.index(tier) :] if tier in TIERS else (tier,)
