"""What the fields of one provider become."""

from __future__ import annotations

from typing import Any

import pytest

from kit.gateway_calls import ASK
from wattline.dialects.codecs import provider_side
from wattline.dialects.gateway.prompt import read_gateway_prompt
from wattline.wire.prompt import Prompt, Thinking, Written

HOSTS = {
    "openrouter": "openrouter.ai",
    "huggingface": "router.huggingface.co",
    "litellm": "litellm.internal",
    "deepseek": "api.deepseek.com",
}


def prompt(**fields: Any) -> Prompt:
    return read_gateway_prompt({"model": "m", "messages": ASK, **fields})


def written(provider: str, dialect: str = "openai", **fields: Any) -> Written:
    side = provider_side(dialect, HOSTS.get(provider, "example.com"))
    return side.codec.write_prompt(prompt(provider=provider, **fields), "m")


def test_anthropics_version_is_the_one_that_is_sent() -> None:
    """E-060."""
    found = written(
        "anthropic",
        "anthropic",
        anthropic_version="2023-06-01",
        max_tokens=4096,
        temperature=0.7,
    )
    assert (found.dropped, found.unsupported) == ((), ())
    assert (found.body["max_tokens"], found.body["temperature"]) == (4096, 0.7)
    other = written("anthropic", "anthropic", anthropic_version="2099-01-01")
    assert other.dropped == ("anthropic_version",)


@pytest.mark.parametrize(
    ("provider", "fields"),
    [
        ("deepseek", {"temperature": 0.7, "top_p": 0.95, "frequency_penalty": 0.0}),
        ("xai", {"reasoning_effort": "high", "temperature": 0.7}),
        ("nvidia_nim", {"temperature": 0.7, "top_p": 0.9}),
        ("perplexity", {"reasoning_effort": "medium"}),
    ],
)
def test_fields_that_all_know(provider: str, fields: dict[str, Any]) -> None:
    """E-061, E-062, E-065, E-066."""
    found = written(provider, **fields)
    assert (found.dropped, found.unsupported) == ((), ())
    assert fields.items() <= found.body.items()


def test_openrouters_names_are_headers() -> None:
    """E-063."""
    fields = {"site_url": "https://yourapp.com", "app_name": "YourApp"}
    found = written("openrouter", transforms=["middle-out"], **fields)
    assert found.headers == (("http-referer", "https://yourapp.com"), ("x-title", "YourApp"))
    assert found.body["transforms"] == ["middle-out"]
    assert (found.dropped, found.unsupported) == ((), ())
    assert not fields.keys() & found.body.keys()
    assert written("deepseek", **fields).dropped == ("site_url", "app_name")


@pytest.mark.parametrize("name", ["Zürich", "a\r\nx-evil: 1", "", "\x00"])
def test_what_no_header_can_hold_is_left_out(name: str) -> None:
    found = written("openrouter", app_name=name)
    assert found.headers == ()
    assert found.dropped == ("app_name",)


def test_litellms_fallbacks_and_cache() -> None:
    """E-064."""
    names = ["gpt-4o-mini", "claude-3-5-sonnet"]
    found = written("litellm", fallback_models=names, cache=True)
    assert found.body["fallbacks"] == names
    assert found.body["cache"] == {"use-cache": True}
    assert (found.dropped, found.unsupported) == ((), ())
    assert written("litellm", cache=False).body["cache"] == {"no-cache": True}
    assert written("litellm", cache={"ttl": 9}).body["cache"] == {"ttl": 9}
    assert written("openrouter", fallback_models=names).body["models"] == names
    other = written("deepseek", fallback_models=names, cache=True)
    assert other.unsupported == ("fallback_models",)
    assert other.dropped == ("cache",)


def test_hugging_faces_cache_is_a_header() -> None:
    """E-067."""
    assert written("huggingface", use_cache=False).headers == (("x-use-cache", "false"),)
    assert written("deepseek", use_cache=False).dropped == ("use_cache",)


def test_a_field_for_a_named_provider_goes_there_as_it_is() -> None:
    found = written("vllm", strange={"a": 1})
    assert found.body["strange"] == {"a": 1}
    assert written("anthropic", "anthropic", strange=1).unsupported == ("strange",)
    unnamed = provider_side("openai", "x").codec.write_prompt(prompt(strange=1), "m")
    assert unnamed.unsupported == ("strange",)


def test_the_rest_is_openais() -> None:
    found = prompt(provider="x", temperature=0.1, reasoning_effort="high", stream=True)
    assert found.sampling.temperature == 0.1
    assert found.thinking == Thinking("high")
    assert found.stream
    assert found.extras == {}
