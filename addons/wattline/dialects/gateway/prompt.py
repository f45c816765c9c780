"""Reads a gateway's chat request: OpenAI's, with a provider and with fields that one provider has.

What a field of one provider becomes:

* `anthropic_version`: nothing where it is the version that is always sent, else a hint;
* `site_url`, `app_name`, `use_cache`: hints, which OpenRouter and Hugging Face get as headers;
* `fallback_models`: LiteLLM's `fallbacks`, OpenRouter's `models`;
* `cache`: LiteLLM's controls of its cache, elsewhere a hint;
* any other, when a provider is named: as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from wattline.dialects.fields import Fields, flag, kind, wrong
from wattline.dialects.openai.chat_prompt import read_chat_prompt
from wattline.dialects.openai.places import array, optional_text, text
from wattline.wire.prompt import Prompt

_VERSION: Final = "2023-06-01"
_OWN: Final = frozenset(
    {
        *("provider", "anthropic_version", "site_url", "app_name"),
        *("use_cache", "cache", "fallback_models"),
    }
)


def read_gateway_prompt(body: Fields) -> Prompt:
    """The prompt. Raises ClientFault naming the field at fault."""
    prompt = read_chat_prompt({key: value for key, value in body.items() if key not in _OWN})
    hints, extras = _hints(body), dict(prompt.extras)
    trusted = frozenset(extras).intersection(body) if _asked(body) else frozenset()
    _cache(body, hints, extras)
    _fallbacks(body, extras)
    return replace(prompt, hints={**prompt.hints, **hints}, extras=extras, trusted=trusted)


def _hints(body: Fields) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    version = optional_text(body.get("anthropic_version"), "anthropic_version")
    if version not in (None, _VERSION):
        hints["anthropic_version"] = version
    for key in ("site_url", "app_name"):
        if (said := optional_text(body.get(key), key)) is not None:
            hints[key] = said
    if body.get("use_cache") is not None:
        hints["use_cache"] = flag(body, "use_cache")
    return hints


def _cache(body: Fields, hints: dict[str, Any], extras: dict[str, Any]) -> None:
    """https://docs.litellm.ai/docs/proxy/caching: dynamic cache controls."""
    wanted = body.get("cache")
    if wanted is None:
        return
    if not isinstance(wanted, bool | Mapping):
        wrong("cache", f"'cache' must be true, false or an object, not {kind(wanted)}.")
    if _asked(body) != "litellm":
        hints["cache"] = wanted
    elif isinstance(wanted, bool):
        extras["cache"] = {"use-cache": True} if wanted else {"no-cache": True}
    else:
        extras["cache"] = wanted


def _fallbacks(body: Fields, extras: dict[str, Any]) -> None:
    """https://docs.litellm.ai/docs/proxy/reliability, https://openrouter.ai/docs/guides/routing."""
    wanted = body.get("fallback_models")
    if wanted is None:
        return
    names = [
        text(name, f"fallback_models[{index}]")
        for index, name in enumerate(array(wanted, "fallback_models"))
    ]
    key = {"litellm": "fallbacks", "openrouter": "models"}.get(_asked(body), "fallback_models")
    if names:
        extras[key] = names


def _asked(body: Fields) -> str:
    name = body.get("provider")
    return name.lower() if isinstance(name, str) else ""
