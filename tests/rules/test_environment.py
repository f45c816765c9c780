from __future__ import annotations

import pytest

from wattline.rules.environment import NO_DEMO, provider_environment, settable, written

OWN = ("127.0.0.1", 8088)
NAMES = (
    "OPENAI_ORIGINAL_API_KEY",
    "OPENAI_ORIGINAL_BASE_URL",
    "GOAPI_API_KEY",
    "GOAPI_BASE_URL",
)


def resolved(**env: str) -> tuple[str | None, ...]:
    drawn = provider_environment(env, OWN)
    assert provider_environment(drawn, OWN) == drawn, "doing it twice changes something"
    return tuple(drawn.get(name) for name in NAMES)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        " ",
        "https://api.openai.com/v1",
        "https://API.openai.com",
        "http://127.0.0.1:8088/v1",
        "http://localhost:8088/v1/",
        "http://[::1]:8088",
        "http://0.0.0.0:8088/v1",
        "http://127.1:8088/v1",
    ],
)
def test_the_key_is_openais_without_a_foreign_base_url(url):
    """Decision 20, A-163: no base URL, OpenAI's own, or the sidecar's own address."""
    env = {"OPENAI_API_KEY": "k"} | ({} if url is None else {"OPENAI_BASE_URL": url})
    assert resolved(**env) == ("k", None, None, None)


@pytest.mark.parametrize(
    "url", ["https://api.goapi.ai/v1", "http://127.0.0.1:9999/v1", "not a url"]
)
def test_with_another_base_url_the_key_is_goapis(url):
    """Decision 20, A-163."""
    assert resolved(OPENAI_API_KEY="k", OPENAI_BASE_URL=url) == (None, None, "k", url)


def test_the_original_key_wins_for_openai():
    """Decision 20, A-162."""
    assert resolved(OPENAI_API_KEY="k", OPENAI_ORIGINAL_API_KEY="o") == ("o", None, None, None)
    both = resolved(
        OPENAI_API_KEY="k", OPENAI_BASE_URL="https://go.test", OPENAI_ORIGINAL_API_KEY="o"
    )
    assert both == ("o", None, "k", "https://go.test")


def test_a_foreign_base_url_without_a_key_gives_openai_nothing():
    assert resolved(OPENAI_BASE_URL="https://go.test") == (None, None, None, "https://go.test")


def test_goapi_names_that_are_set_are_taken_as_they_are():
    """A key and a URL of different origin are never mixed."""
    env = {
        "OPENAI_API_KEY": "k",
        "OPENAI_BASE_URL": "https://go.test",
        "GOAPI_BASE_URL": "https://b.test",
    }
    assert resolved(**env) == (None, None, None, "https://b.test")


def test_legacy_settings_are_ignored_and_the_demo_has_a_placeholder():
    """A-168, decision 19."""
    drawn = provider_environment({"GQL_URN": "x", "SPACE_ID_ARGUMENT": "y", "KEEP": "z"}, OWN)
    assert drawn == {"KEEP": "z", "WATTLINE_DEMO_URL": NO_DEMO}
    given = provider_environment({"WATTLINE_DEMO_URL": "http://127.0.0.1:1234/v1"}, OWN)
    assert given["WATTLINE_DEMO_URL"] == "http://127.0.0.1:1234/v1"


def test_the_given_environment_is_not_changed():
    env = {"OPENAI_API_KEY": "k"}
    provider_environment(env, OWN)
    assert env == {"OPENAI_API_KEY": "k"}


def test_a_missing_key_is_named_as_people_know_it():
    """Not where OPENAI_API_KEY would be another server's key."""
    known = "OPENAI_API_KEY or OPENAI_ORIGINAL_API_KEY"
    names = ("OPENAI_ORIGINAL_API_KEY",)
    assert settable(names, {}, OWN) == known
    assert settable(names, {"OPENAI_BASE_URL": "https://api.openai.com/v1"}, OWN) == known
    assert settable(names, {"OPENAI_BASE_URL": "https://go.test/v1"}, OWN) == names[0]
    assert settable(("A", "B"), {}, OWN) == "A or B"


def test_a_url_is_told_under_the_name_that_was_written() -> None:
    taken = provider_environment({"OPENAI_BASE_URL": " https://other.example/v1 "}, OWN)
    assert written("GOAPI_BASE_URL", taken) == "OPENAI_BASE_URL"

    own = {"OPENAI_BASE_URL": "https://a.example", "GOAPI_BASE_URL": "https://b.example"}
    assert written("GOAPI_BASE_URL", provider_environment(own, OWN)) == "GOAPI_BASE_URL"
    assert written("GOAPI_BASE_URL", {}) == "GOAPI_BASE_URL"
    assert written("OTHER", taken) == "OTHER"
