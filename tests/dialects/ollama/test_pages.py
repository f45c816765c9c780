"""The pages that Ollama's clients ask for before they chat."""

from __future__ import annotations

import json

from wattline.dialects.ollama.moment import read, written
from wattline.dialects.ollama.pages import ListedModel, loaded, ps, show, tags, version

MODEL = ListedModel("llama3.2:latest", 1_700_000_000, 8192, ("completion", "tools"))


def test_models_are_listed_with_what_clients_need() -> None:
    first, second = json.loads(tags([MODEL, ListedModel("other")]))["models"]
    assert (first["name"], first["model"], first["modified_at"]) == (
        "llama3.2:latest",
        "llama3.2:latest",
        "2023-11-14T22:13:20Z",
    )
    assert len(first["digest"]) == 64
    assert first["digest"] != second["digest"]
    assert "modified_at" not in second
    assert json.loads(tags([])) == {"models": []}


def test_a_model_is_shown_with_its_context_and_capabilities() -> None:
    page = json.loads(show(MODEL))
    family = page["model_info"]["general.architecture"]
    assert page["model_info"][f"{family}.context_length"] == 8192
    assert page["capabilities"] == ["completion", "tools"]
    assert not [key for key in json.loads(show(ListedModel("x")))["model_info"] if "context" in key]


def test_nothing_is_loaded_and_a_version_is_told() -> None:
    assert json.loads(ps()) == {"models": []}
    assert tuple(map(int, json.loads(version())["version"].split("."))) >= (0, 6, 4)


def test_the_answer_to_a_request_that_only_loads() -> None:
    assert json.loads(loaded("m", chat=False)) == {
        "model": "m",
        "response": "",
        "done": True,
        "done_reason": "load",
    }
    page = json.loads(loaded("m", chat=True, unload=True))
    assert (page["message"], page["done_reason"]) == (
        {"role": "assistant", "content": ""},
        "unload",
    )


def test_moments() -> None:
    assert written(0) == "1970-01-01T00:00:00Z"
    assert [written(value) for value in (None, 10**20, -(10**20))] == [None, None, None]
    assert read("2023-11-14T22:13:20.499127512Z") == 1_700_000_000
    assert read("2023-11-14T23:13:20+01:00") == 1_700_000_000
    assert [read(value) for value in (None, "", "now", "0001-01-01T00:00:00Z", "1" * 5000)] == [
        None
    ] * 5
