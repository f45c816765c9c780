"""Gemini's paths: what is a call, and where a target's is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.dialects.gemini.paths import addressed, alt, match, method_of, path


@pytest.mark.parametrize(
    ("given_path", "expected"),
    [
        (
            "/v1beta/models/gemini-2.5-flash:generateContent",
            ("gemini-2.5-flash", "generateContent"),
        ),
        ("/v1/models/m:streamGenerateContent", ("m", "streamGenerateContent")),
        ("/v1alpha/models/m:countTokens", ("m", "countTokens")),
        ("/v1beta/models/m%3AembedContent", ("m", "embedContent")),
        ("/v1beta/models/a/b:batchEmbedContents", ("a/b", "batchEmbedContents")),
        ("/v1beta/models/a:7b:generateContent", ("a:7b", "generateContent")),
        ("/v1beta/models/a%3A7b:generateContent", ("a:7b", "generateContent")),
        ("/v1beta/models/a%20b:generateContent", ("a b", "generateContent")),
        ("/v1beta/dynamic/x:generateContent", ("dynamic/x", "generateContent")),
        ("/v1beta/tunedModels/mine:generateContent", ("tunedModels/mine", "generateContent")),
    ],
)
def test_calls(given_path: str, expected: tuple[str, str]) -> None:
    assert match(given_path) == expected


@pytest.mark.parametrize(
    "other",
    [
        "",
        "/",
        "/v1beta/models",
        "/v1beta/models/m",
        "/v1beta/models/:generateContent",
        "/v1beta/models/m:batchGenerateContent",
        "/v1beta/models/m:GenerateContent",
        "/v1beta/models/m:generateContent/",
        "/v2/models/m:generateContent",
        "/models/m:generateContent",
        "/v1beta/cachedContents/m:generateContent",
        "/v1beta/models/m:generateContent:x",
    ],
)
def test_other_paths_are_no_calls(other: str) -> None:
    assert match(other) is None


def test_bytes_that_are_no_text_make_no_printable_name() -> None:
    found = match("/v1beta/models/%FF%FE:generateContent")
    assert found is not None
    assert not found[0].isprintable()


def test_more_versions_can_be_named() -> None:
    assert match("/v2/models/m:countTokens", ("v2",)) == ("m", "countTokens")


def test_targets() -> None:
    assert path("m", "generateContent") == "/models/m:generateContent"
    assert path("models/m", "streamGenerateContent", stream=True) == (
        "/models/m:streamGenerateContent?alt=sse"
    )
    assert path("tunedModels/m", "countTokens") == "/tunedModels/m:countTokens"


@given(st.text(min_size=1, max_size=40))
def test_no_model_leaves_its_place(model: str) -> None:
    """Whatever a model is called, the path has one method, no query and no fragment."""
    made = path(model, "generateContent")
    assert made.isascii()
    assert not set(made) & set("?#\\ ")
    assert made.endswith(":generateContent")
    assert made.startswith(("/models/", "/tunedModels/"))


@given(st.from_regex(r"[A-Za-z0-9._:é ]{1,20}", fullmatch=True))
def test_a_target_is_read_back(model: str) -> None:
    assert match("/v1beta" + path(model, "countTokens")) == (model, "countTokens")


def test_the_query_says_how_the_answer_comes() -> None:
    assert alt("/x") is None
    assert alt("/x?key=1&alt=sse") == "sse"
    assert alt("/x?$alt=sse") == "sse"
    assert alt("/x?%24alt=sse") == "sse"
    assert alt("/x?alt=sse&alt=json") == "json"
    assert alt("/x?alt") == ""


def test_the_method_of_another_dialects_path() -> None:
    assert method_of("/v1/chat/completions") == "generateContent"
    assert method_of("/v1beta/models/m%3AcountTokens") == "countTokens"


def test_what_stands_before_the_models_does_not_matter_to_a_route() -> None:
    for before in ("", "/v2", "/v2/v1beta"):
        assert addressed(before + "/models/m:countTokens") == ("m", "countTokens")
    assert addressed("/v1/chat/completions") is None
