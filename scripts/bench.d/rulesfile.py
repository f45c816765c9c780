"""The rules.yaml that wattline is measured with: a provider at the mock, windows, energy, rules."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import yaml

from shapes import MODEL

_PLENTY = 100_000_000
"""Calls and tokens that a window allows: counted on each call, never reached."""
_CONNECTIONS = 8_192


def rules_text(upstream_port: int, rules: int) -> str:
    """A rules.yaml with that many rules, at least 1: half for one exact model each, half for globs.

    The last is the catch-all that takes the benchmark's calls, so that all others are in its way.
    """
    return yaml.safe_dump(
        {
            "limits": {"connections_per_address": _CONNECTIONS},
            "windows": {
                "minute": {"per": "60s", "calls": _PLENTY, "tokens": _PLENTY, "scope": "provider"}
            },
            "providers": {"mock": _provider(upstream_port, "/v1")} | _foreign(upstream_port),
            "models": {MODEL: {"provider": "mock", "rate": 1.2}} | _foreign_models(),
            "rules": [*map(_rule, range(rules - 1)), {"name": "all", "try": "model"}],
        },
        sort_keys=False,
    )


def model_of(provider: str) -> str:
    """The name of the model at the mock that answers in that provider's dialect."""
    return MODEL if provider == "openai" else f"{MODEL}-{provider}"


_FOREIGN = MappingProxyType({"anthropic": "/v1", "gemini": "/v1beta"})
"""Dialects that the mock streams beside OpenAI's, and what its base URL ends with."""


def _provider(port: int, prefix: str, **more: str) -> dict[str, str]:
    return {"url": f"http://127.0.0.1:{port}{prefix}", "window": "minute", **more}


def _foreign(port: int) -> dict[str, dict[str, str]]:
    return {
        f"mock-{name}": _provider(port, prefix, dialect=name) for name, prefix in _FOREIGN.items()
    }


def _foreign_models() -> dict[str, dict[str, Any]]:
    return {model_of(name): {"provider": f"mock-{name}", "rate": 1.2} for name in _FOREIGN}


def keyed_text() -> str:
    """Further sections: callers need keys, and have the windows of their tier."""
    tier = {"rps": _PLENTY, "rpm": _PLENTY, "rpd": _PLENTY, "tpm": _PLENTY}
    return yaml.safe_dump({"auth": {"mode": "keys"}, "tiers": {"bench": tier}})


def _rule(place: int) -> dict[str, Any]:
    names = (f"exact-{place:04}", f"family-{place:04}-*", f"exact-{place:04}", f"*-end-{place:04}")
    return {"name": f"rule-{place:04}", "when": {"model": names[place % 4]}, "try": [MODEL]}
