"""Calls whose path is nearly right: the answer says what is wrong with it."""

from __future__ import annotations

import pytest

from wattline.service.entrance.misdirected import misdirected

MODEL = "/v1beta/models/gemini-2.5-flash"


@pytest.mark.parametrize(
    ("method", "path", "status", "word"),
    [
        ("GET", f"{MODEL}:generateContent", 405, "takes POST, not GET"),
        ("DELETE", f"{MODEL}:countTokens?x=1", 405, "takes POST, not DELETE"),
        ("POST", f"{MODEL}:generatecontent", 404, "Did you mean :generateContent?"),
        ("POST", f"{MODEL}:STREAMGENERATECONTENT?alt=sse", 404, "Did you mean :streamGenerateContent?"),
        ("GET", f"{MODEL}%3AembedContent", 405, "takes POST"),
        ("POST", "/v1beta/models/openai%2Fgpt-4o:generateContent", 400, "/models/openai/gpt-4o:generateContent"),
        ("POST", f"{MODEL}:fooContent", 404, "generateContent, streamGenerateContent"),
        ("POST", f"{MODEL}:nothing", 404, "There is no method 'nothing'"),
        ("GET", f"{MODEL}:fooContent", 404, "There is no method 'fooContent'"),
        ("POST", "/v2/v1beta/tunedModels/a%2fb:embedcontent", 404, ":embedContent"),
    ],
)  # fmt: skip
def test_what_is_said(method, path, status, word):
    fault = misdirected(method, path)
    assert fault is not None
    assert fault.status == status
    assert word in fault.message


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        MODEL,
        f"{MODEL}:nothing",
        "/v1/models/ft:gpt-4o:org::id",
        "/v1/models/llama3:latest",
        "/v1/models/x?y=/models/x:generateContent",
        "",
    ],
)
def test_all_else_is_left_alone(path):
    assert misdirected("GET", path) is None


def test_a_right_call_is_left_alone():
    assert misdirected("POST", f"{MODEL}:generateContent") is None
