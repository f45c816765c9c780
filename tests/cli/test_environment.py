"""What a command's environment gets, and that it can be told apart again."""

from __future__ import annotations

import string
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.cli.environment import (
    BASE_URLS,
    BUNDLE_VARIABLES,
    PROXY_VARIABLES,
    SIDECAR,
    Door,
    Via,
    undone,
    variables,
    warnings,
)
from wattline.dialects.table import find

BUNDLE = Path("/state dir/ca/bundle.pem")
DOOR = Door("127.0.0.1", 8088, BUNDLE)


def test_proxy_variables_in_both_cases() -> None:
    found = variables(DOOR, Via.PROXY, {})

    assert {found[name] for name in PROXY_VARIABLES} == {"http://127.0.0.1:8088"}
    assert "ALL_PROXY" not in found
    assert found["NODE_USE_ENV_PROXY"] == "1"


def test_every_bundle_variable_names_the_bundle() -> None:
    found = variables(DOOR, Via.PROXY, dict.fromkeys(BUNDLE_VARIABLES, "/old.pem"))

    assert {found[name] for name in BUNDLE_VARIABLES} == {str(BUNDLE)}


WISHES = {"ANTHROPIC_API_KEY": "sk-ant", "OLLAMA_BASE_URL": "http://127.0.0.1:11434"}


def test_base_urls_without_proxy() -> None:
    """A-163: SDKs read OPENAI_BASE_URL."""
    found = variables(DOOR, Via.BASE_URL, {"OPENAI_API_KEY": "sk-own"})

    assert found == {
        SIDECAR: "http://127.0.0.1:8088",
        "OPENAI_BASE_URL": "http://127.0.0.1:8088/v1",
        "OPENAI_API_BASE": "http://127.0.0.1:8088/v1",
        "GROQ_BASE_URL": "http://127.0.0.1:8088",
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:8088",
    }


def test_some_base_urls_need_a_sign_that_they_are_wanted() -> None:
    """Claude Code without a key has a login of its own; a local Ollama is the program's own."""
    found = variables(DOOR, Via.BASE_URL, {})
    assert not {"ANTHROPIC_BASE_URL", "OLLAMA_HOST"} & set(found)
    found = variables(DOOR, Via.BASE_URL, WISHES)
    assert found["ANTHROPIC_BASE_URL"] == found["OLLAMA_HOST"] == "http://127.0.0.1:8088"


def test_both_is_the_sum() -> None:
    both = variables(DOOR, Via.BOTH, {})

    assert both == variables(DOOR, Via.PROXY, {}) | variables(DOOR, Via.BASE_URL, {})


@pytest.mark.parametrize(
    ("variable", "sdk_path"),
    [
        ("OPENAI_BASE_URL", "/chat/completions"),
        ("OPENAI_BASE_URL", "/embeddings"),
        ("OPENAI_API_BASE", "/chat/completions"),
        ("GROQ_BASE_URL", "/openai/v1/chat/completions"),
        ("ANTHROPIC_BASE_URL", "/v1/messages"),
        ("ANTHROPIC_BASE_URL", "/v1/messages/count_tokens"),
        ("GOOGLE_GEMINI_BASE_URL", "/v1beta/models/gemini-2.5-pro:streamGenerateContent"),
        ("OLLAMA_HOST", "/api/chat"),
        ("OLLAMA_HOST", "/api/generate"),
    ],
)
def test_only_base_urls_that_are_answered_are_set(variable: str, sdk_path: str) -> None:
    """What an SDK makes of its base URL is a route of the sidecar."""
    path = urlsplit(variables(DOOR, Via.BASE_URL, WISHES)[variable] + sdk_path).path

    assert find("POST", "127.0.0.1", path, forward=False) is not None
    assert {url.variable for url in BASE_URLS} == {
        "OPENAI_BASE_URL",
        "OPENAI_API_BASE",
        "GROQ_BASE_URL",
        "ANTHROPIC_BASE_URL",
        "GOOGLE_GEMINI_BASE_URL",
        "OLLAMA_HOST",
    }


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "a.example, b.example"}, "a.example,b.example,localhost,127.0.0.1,::1"),
        ({"no_proxy": "a b"}, "a,b,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "a", "no_proxy": "b"}, "a,b,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": ",, ,localhost\n"}, "localhost,127.0.0.1,::1"),
    ],
)
def test_no_proxy_is_merged(before: dict[str, str], wanted: str) -> None:
    found = variables(DOOR, Via.PROXY, before)

    assert found["NO_PROXY"] == found["no_proxy"] == wanted


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1:1"),
        ("0.0.0.0", "127.0.0.1:1"),
        ("::", "[::1]:1"),
        ("::1", "[::1]:1"),
        ("10.0.0.7", "10.0.0.7:1"),
        ("box.lan", "box.lan:1"),
    ],
)
def test_addresses_as_clients_write_them(host: str, address: str) -> None:
    assert variables(Door(host, 1), Via.BASE_URL, {})["OPENAI_BASE_URL"] == f"http://{address}/v1"


def test_a_missing_key_gets_a_placeholder_for_base_urls_only() -> None:
    assert variables(DOOR, Via.BASE_URL, {})["OPENAI_API_KEY"] == "wattline"
    assert variables(DOOR, Via.BOTH, {"OPENAI_API_KEY": ""})["OPENAI_API_KEY"] == "wattline"
    assert "OPENAI_API_KEY" not in variables(DOOR, Via.PROXY, {})
    assert "OPENAI_API_KEY" not in variables(DOOR, Via.BOTH, {"OPENAI_API_KEY": "sk-own"})
    assert "GROQ_API_KEY" not in variables(DOOR, Via.BOTH, {})


def test_a_wattline_key_comes_in_by_each_way() -> None:
    door = Door("127.0.0.1", 8088, BUNDLE, "k:/@ey")

    found = variables(door, Via.BOTH, {"OPENAI_API_KEY": "sk-own", "GROQ_API_KEY": "gsk"})

    assert found["OPENAI_API_KEY"] == found["GROQ_API_KEY"] == "k:/@ey"
    proxy = urlsplit(found["HTTPS_PROXY"])
    assert (proxy.username, proxy.password, proxy.port) == ("wattline", "k%3A%2F%40ey", 8088)
    assert "k:/@ey" not in repr(door)


def test_warnings_about_settings_that_are_in_the_way() -> None:
    assert warnings(Via.BOTH, {}) == []
    assert warnings(Via.BASE_URL, {"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}) == []
    (chained,) = warnings(Via.PROXY, {"https_proxy": "http://user:secret@proxy.example"})
    assert "does not chain" in chained
    assert "secret" not in chained
    (everything,) = warnings(Via.BOTH, {"NO_PROXY": "a,*"})
    assert "NO_PROXY is *" in everything


names = st.sampled_from(
    [
        *PROXY_VARIABLES,
        *BUNDLE_VARIABLES,
        *(url.variable for url in BASE_URLS),
        "OPENAI_API_KEY",
        "NO_PROXY",
        "PATH",
    ]
)
words = st.text(string.ascii_letters + string.digits + ":/.@-_, *", max_size=30)


@settings(max_examples=150)
@given(before=st.dictionaries(names, words), via=st.sampled_from(Via))
def test_a_second_wattline_sees_the_users_own_settings(before: dict[str, str], via: Via) -> None:
    """A wattline started in such an environment takes none of our settings for the user's."""
    within = before | variables(DOOR, via, before)

    for name, value in undone(within).items():
        if name not in {"NO_PROXY", "no_proxy", "NODE_USE_ENV_PROXY", *BUNDLE_VARIABLES}:
            assert value == before[name]
    assert warnings(via, within) == warnings(via, undone(within))
    again = within | variables(DOOR, via, within)
    assert again == within


def test_an_environment_without_our_mark_is_left_alone() -> None:
    env = {"HTTP_PROXY": "http://127.0.0.1:8088", "OPENAI_API_KEY": "wattline"}

    assert undone(env) == env
