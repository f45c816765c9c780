"""The body for a target: the client's bytes, edited."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.gemini_calls import DIALECT, MODEL, call
from wattline.base.errors import OurFault
from wattline.dialects.base import Route
from wattline.dialects.gemini.body import place_fields

RAW = b'{ "contents":[{"parts":[{"text":"\\u0068i","thoughtSignature":"a+/="}]}],\n "x": 1.0e2 }'


def written(
    raw: bytes,
    method: str = "generateContent",
    model: str = MODEL,
    defaults: dict[str, Any] | None = None,
    overrides: dict[str, Any] | None = None,
) -> bytes:
    return DIALECT.write_body(raw, call(method), model, defaults or {}, overrides or {})


def test_nothing_to_do_leaves_the_bytes() -> None:
    assert written(RAW) is RAW
    assert written(RAW, model="other") == RAW


def test_defaults_go_where_the_client_set_nothing() -> None:
    raw = b'{"contents":[],"generationConfig":{"temperature": 1.0, "q":1e0}}'
    out = written(raw, defaults={"temperature": 0.2, "max_tokens": 5, "stop": "x", "labels": {}})
    assert out == (
        b'{"contents":[],"generationConfig":{"temperature": 1.0, "q":1e0,'
        b'"maxOutputTokens":5,"stopSequences":["x"]},"labels":{}}'
    )


def test_overrides_replace() -> None:
    raw = b'{"contents":[],"generation_config":{"max_output_tokens": 9,"topP":1}}'
    out = written(raw, overrides={"max_completion_tokens": 5, "top_p": 0.5, "model": "no"})
    assert out == b'{"contents":[],"generation_config":{"max_output_tokens": 5,"topP":0.5}}'


def test_a_config_is_made_when_there_is_none() -> None:
    out = written(RAW, overrides={"temperature": 0}, defaults={"seed": 1})
    assert json.loads(out)["generationConfig"] == {"seed": 1, "temperature": 0}
    assert out.startswith(RAW[:-2])


def test_sampling_means_nothing_to_embeddings_and_counts() -> None:
    raw = b'{"content":{"parts":[]}}'
    assert written(raw, "embedContent", defaults={"temperature": 1}) == raw
    assert written(b'{"contents":[]}', "countTokens", overrides={"seed": 1}) == b'{"contents":[]}'


def test_the_model_is_kept_in_step_where_it_stands() -> None:
    assert written(b'{"model": "models/gemini-2.5-flash" }', model="m") == b'{"model": "models/m" }'
    raw = b'{"requests": [ {"model":"models/a","content":{}} , {"content" : 1.0} ] }'
    assert written(raw, "batchEmbedContents", "tunedModels/b") == (
        b'{"requests": [ {"model":"tunedModels/b","content":{}} , {"content" : 1.0} ] }'
    )
    raw = b'{"requests":{"model":"models/a"}}'
    assert written(raw, "batchEmbedContents", "b") == b'{"requests":{"model":"models/b"}}'
    raw = b'{"generate_content_request":{"model":"models/a","contents":[]}}'
    assert written(raw, "countTokens", "b") == raw.replace(b"models/a", b"models/b")


def test_the_path_carries_the_model() -> None:
    route = Route("gemini", call().operation, "")
    stream = call("streamGenerateContent")
    assert DIALECT.path(route, stream, "a b") == "/models/a%20b:streamGenerateContent?alt=sse"
    array = call("streamGenerateContent", stream=False)
    assert DIALECT.path(route, array, "m") == "/models/m:streamGenerateContent"
    assert DIALECT.path(route, call("countTokens"), "m") == "/models/m:countTokens"


def test_no_object_is_our_fault() -> None:
    with pytest.raises(OurFault):
        written(b"[]")


def test_fields_of_rules_in_a_translated_body() -> None:
    body = {"contents": [], "generationConfig": {"temperature": 1, "topP": 1}, "labels": {}}
    defaults = {"temperature": 0, "max_tokens": 5, "labels": {"a": 1}, "cachedContent": "c"}
    assert place_fields(body, defaults, {"top_p": 0.5, "stop": "x", "model": "no"}) == {
        "contents": [],
        "labels": {},
        "cachedContent": "c",
        "generationConfig": {
            "temperature": 1,
            "maxOutputTokens": 5,
            "topP": 0.5,
            "stopSequences": ["x"],
        },
    }
    assert place_fields({"contents": []}, {}, {}) == {"contents": []}
