"""Families of routes that can be switched off by the environment (B-118..B-125, E-026)."""

from __future__ import annotations

from collections.abc import Mapping

from wattline.base.settings import SettingsError

FAMILIES = ("openai", "anthropic", "gemini", "groq", "openrouter", "ollama", "models", "admin")
METRICS = "metrics"
_ON = frozenset({"", "1", "true", "yes", "on"})
_OFF = frozenset({"0", "false", "no", "off"})


def switched_off(env: Mapping[str, str]) -> frozenset[str]:
    """The families whose `ENABLE_<FAMILY>_ROUTES` is false, and `metrics` when `ENABLE_METRICS` is. Raises
    SettingsError for another word.
    """
    off: set[str] = set()
    for family in (*FAMILIES, METRICS):
        name = "ENABLE_METRICS" if family == METRICS else f"ENABLE_{family.upper()}_ROUTES"
        value = env.get(name, "").strip().lower()
        if value in _OFF:
            off.add(family)
        elif value not in _ON:
            raise SettingsError(f"{name} must be true or false, not {value[:40]!r}")
    return frozenset(off)


def is_on(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    """A variable that is true or false. Raises SettingsError for another word."""
    value = env.get(name, "").strip().lower()
    if value in _OFF:
        return False
    if value not in _ON:
        raise SettingsError(f"{name} must be true or false, not {value[:40]!r}")
    return True if value else default
