"""Which paths are calls, and which tricks are none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.dialects.table import find, known, normalise
from wattline.wire.call import Operation

OWN = {
    "/v1/chat/completions": (Operation.CHAT, "/chat/completions"),
    "/v1/completions": (Operation.COMPLETION, "/completions"),
    "/v1/embeddings": (Operation.EMBEDDINGS, "/embeddings"),
    "/v1/responses": (Operation.RESPONSES, "/responses"),
    "/v1/moderations": (Operation.MODERATIONS, "/moderations"),
    "/v1/audio/transcriptions": (Operation.TRANSCRIPTION, "/audio/transcriptions"),
    "/v1/audio/translations": (Operation.TRANSCRIPTION, "/audio/translations"),
    "/v1/audio/speech": (Operation.SPEECH, "/audio/speech"),
    "/v1/images/generations": (Operation.IMAGES, "/images/generations"),
    "/openai/v1/chat/completions": (Operation.CHAT, "/chat/completions"),
    "/openai/v1/embeddings": (Operation.EMBEDDINGS, "/embeddings"),
    "/chat/completions": (Operation.CHAT, "/chat/completions"),
}


@pytest.mark.parametrize("path", OWN)
def test_routes_on_our_own_address(path: str) -> None:
    """A-020, B-020, B-021, B-022, C-064."""
    assert normalise(path + "?beta=true&x=../y") == path
    route = find("POST", "localhost", path, forward=False)
    assert route is not None
    assert (route.operation, route.upstream_path) == OWN[path]
    assert route.json is (route.operation is not Operation.TRANSCRIPTION)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "post", "POST "):
        assert find(method, "localhost", path, forward=False) is None
    assert known(path) == path


@pytest.mark.parametrize(
    ("host", "path", "found"),
    [
        ("api.openai.com", "/v1/chat/completions", True),
        ("API.OpenAI.com.", "/v1/responses", True),
        ("api.openai.com", "/chat/completions", False),
        ("api.groq.com", "/openai/v1/chat/completions", True),
        ("api.groq.com", "/v1/chat/completions", False),
        ("openrouter.ai", "/api/v1/chat/completions", True),
        ("openrouter.ai", "/v1/chat/completions", False),
        ("api.deepseek.com", "/chat/completions", True),
        ("api.deepseek.com", "/v1/chat/completions", True),
        ("api.x.ai", "/v1/chat/completions", True),
        ("api.mistral.ai", "/v1/embeddings", True),
        ("api.perplexity.ai", "/chat/completions", True),
        ("api.cerebras.ai", "/v1/chat/completions", True),
        ("integrate.api.nvidia.com", "/v1/chat/completions", True),
        ("llm.example.org", "/v1/completions", True),
        ("llm.example.org", "/completions", True),
        ("llm.example.org", "/api/v1/completions", False),
        ("api.openai.com", "/v1/models", False),
        ("api.openai.com", "/v1/responses/resp_1/cancel", True),
        ("api.openai.com", "/v1/responses/resp_1/cancel/now", False),
        ("chatgpt.com", "/backend-api/codex/responses", False),
    ],
)
def test_routes_on_providers_hosts(host: str, path: str, found: bool) -> None:  # noqa: FBT001  (a table)
    assert (find("POST", host, path, forward=True) is not None) is found


TRICKS = [
    "",
    "v1/chat/completions",
    "*",
    "http://evil.example/v1/chat/completions",
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/v1/chat/completions//",
    "/v1/chat/completions/",
    "/v1/chat/completions.",
    "/v1/chat/completions/.",
    "/v1/chat/completions/..",
    "/v1/chat./completions",
    "/v1./chat/completions",
    "/v1/chat../completions",
    "/./v1/chat/completions",
    "/v1/./chat/completions",
    "/v1/x/../chat/completions",
    "/../v1/chat/completions",
    "/..",
    "/.",
    "/V1/chat/completions",
    "/v1/Chat/Completions",
    "/v1/chat/COMPLETIONS/",
    "/OPENAI/v1/embeddings",
    "/v1/chat%2fcompletions",
    "/v1/chat%2Fcompletions",
    "/v1%2f%2e%2e/chat",
    "/v1/%2e%2e/chat/completions",
    "/v1/%2E/chat/completions",
    "/v1/chat/%63ompletions",
    "/%76%31/chat/completions",
    "/v1/chat/completions%00",
    "/v1/chat/completions%0a",
    "/v1/chat/completions%3b",
    "/v1/chat/completions%3Fx",
    "/v1/chat/completions%23",
    "/v1/chat%5ccompletions",
    "/v1/chat%252fcompletions",
    "/v1/chat/completions%",
    "/v1/chat/completions%2",
    "/v1/chat/completions%zz",
    "/v1/chat;x=1/completions",
    "/v1/chat/completions;jsessionid=1",
    "/;/v1/chat/completions",
    "\\v1\\chat\\completions",
    "/v1\\chat\\completions",
    "/v1/chat/completions#x",
    "/v1/chat/completions\0",
    "/v1/chat/completions\r\n",
    "/v1/chat/completions\t",
    "/v1/chat/completions ",
    " /v1/chat/completions",
    "/v1/chat/completions\u2215",
    "/v1/\uff43hat/completions",
    "/v1/chat/completi\u043ens",
    "/" + "a" * 5000,
]


@pytest.mark.parametrize("path", TRICKS, ids=lambda path: ascii(path[:40]))
def test_paths_that_could_be_read_in_two_ways_are_refused(path: str) -> None:
    """T12: metered or refused, never let past."""
    assert normalise(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/models",
        "/v1/models/gpt-4o",
        "/health",
        "/V2/Other",
        "/models/meta/Llama-3:free",
        "/a/b/",
        "/a%20b",
        "/%E2%82%AC",
        "/x.",
        "/a/..b",
        "/v1beta/models/gemini-2.5:predict",
    ],
)
def test_other_paths_stay_as_they_are_and_are_no_calls(path: str) -> None:
    assert normalise(path) == path
    assert find("POST", "localhost", path, forward=False) is None
    assert known(path) != path


def test_the_nearest_route_for_a_message() -> None:
    assert known("/v1/chat/completion") == "/v1/chat/completions"
    assert known("/v1/embedings") == "/v1/embeddings"
    assert known("/favicon.ico") is None
    assert known("/" + "v1/chat/" * 100_000) is None


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "/",
                "v1",
                "V1",
                "chat",
                "completions",
                ".",
                "..",
                "%2f",
                "%2e",
                ";",
                "?",
                "#",
                "\\",
                "%",
                "\u00e9",
                "//",
            ]
        ),
        max_size=9,
    ).map("".join)
)
def test_the_normal_form_is_a_fixed_point_and_folds_to_itself(path: str) -> None:
    normal = normalise(path)
    if normal is not None:
        assert normalise(normal) == normal
        assert path.startswith(normal)
        folded = normal.lower().rstrip("/.")
        if find("POST", "h", folded, forward=False):
            assert normal == folded
