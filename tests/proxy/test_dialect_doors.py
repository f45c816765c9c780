"""How clients of each API reach the sidecar: prefixes, interception, keys, switches, and what the gate says."""

from __future__ import annotations

import json

import anthropic
import groq
import ollama
import openai
import pytest
from google.genai import errors as genai_errors

from kit.clients import CONNECT_H1, call
from kit.providers.fleet import DIALECTS, fleet
from kit.providers.saying import Called, Saying
from kit.sdks.all import SDKS
from kit.sdks.asking import Ask, Door, User

PREFIXES = [
    # B-034, B-035, B-036, B-037, B-038
    ("genai", "/v2"),
    ("anthropic", "/v3"),
    ("anthropic-sync", "/v3"),
    ("groq", "/v4"),
    ("ollama-chat", "/v5"),
    ("ollama-generate", "/v5"),
    ("openai-chat", "/v6"),
    ("openai-chat", "/v6/api"),
    ("openai-responses", "/v6"),
]
INTERCEPTED = ("openai-chat", "openai-responses", "groq", "anthropic", "genai", "ollama-chat")
KEYS = """
auth:
  mode: keys
  keys:
    alice: ${ALICE_KEY}
"""
ALICE = "wk-alice-0123456789abcdef0123456789"
CALLS = (Called("call_1", "get_weather", {"city": "Zürich"}),)
BODIES = {
    "/v1/chat/completions": {"model": "m-ollama", "messages": [{"role": "user", "content": "x"}]},
    "/v1/completions": {"model": "m-ollama", "prompt": "x"},
    "/v1/responses": {"model": "m-ollama", "input": "x"},
    "/openai/v1/chat/completions": {
        "model": "m-ollama",
        "messages": [{"role": "user", "content": "x"}],
    },
    "/v1/messages": {
        "model": "m-ollama",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "x"}],
    },
    "/v1beta/models/m-ollama:generateContent": {"contents": [{"parts": [{"text": "x"}]}]},
    "/v1beta/models/m-ollama:streamGenerateContent": {"contents": [{"parts": [{"text": "x"}]}]},
    "/api/chat": {"model": "m-ollama", "messages": [{"role": "user", "content": "x"}]},
    "/api/generate": {"model": "m-ollama", "prompt": "x"},
}
STATUS_ERRORS = {
    "openai-chat": openai.APIStatusError,
    "openai-completions": openai.APIStatusError,
    "openai-responses": openai.APIStatusError,
    "groq": groq.APIStatusError,
    "anthropic": anthropic.APIStatusError,
    "genai": genai_errors.ClientError,
    "ollama-chat": ollama.ResponseError,
    "ollama-generate": ollama.ResponseError,
}


def speaks(path: str) -> str:
    if path.startswith(("/api/", "/v5/")):
        return "ollama"
    return "anthropic" if "messages" in path else "gemini" if ":" in path else "openai"


def message(dialect: str, status: int, body: bytes) -> str:
    """The message of an error that is in a dialect's shape."""
    value = json.loads(body)
    match dialect:
        case "anthropic":
            assert value["type"] == "error"
            assert value["error"]["type"].endswith(("_error", "_large"))
            return value["error"]["message"]
        case "gemini":
            assert value["error"]["code"] == status
            assert value["error"]["status"].isupper()
            return value["error"]["message"]
        case "ollama":
            assert isinstance(value["error"], str)
            return value["error"]
    assert {"message", "type", "param", "code"} <= set(value["error"])
    return value["error"]["message"]


async def test_prefixes(tmp_path):
    """B-034, B-035, B-036, B-037, B-038: an SDK with its base URL below a prefix."""
    async with fleet(tmp_path, ["ollama"]) as sidecar:
        for sdk, prefix in PREFIXES:
            for stream in (False, True):
                heard = await SDKS[sdk](Door(sidecar.url, prefix), "m-ollama", Ask(), stream=stream)
                assert heard.text == Saying().texts[0], (sdk, prefix, stream)
        sidecar.check()


@pytest.mark.parametrize("h2", [False, True], ids=["h1", "h2"])
async def test_interception(tmp_path, h2):
    """C-005: unmodified clients of the real hosts, through CONNECT and TLS: translated as by base URL."""
    async with fleet(tmp_path) as sidecar:
        door = Door(proxy=sidecar.url, ca=str(sidecar.ca), h2=h2)
        for sdk in INTERCEPTED:
            for dialect in DIALECTS[:4]:
                for stream in (False, True):
                    sidecar.provider(dialect).script(Saying(texts=("Yes.",), calls=CALLS))
                    ask = Ask((User("Weather?"),), tools=True)
                    heard = await SDKS[sdk](door, f"m-{dialect}", ask, stream=stream)
                    assert (heard.text, heard.stop) == ("Yes.", "tool"), (sdk, dialect)
                    assert heard.calls == [("get_weather", {"city": "Zürich"})]
                    assert (heard.prompt, heard.completion) == (30, 12)
        sidecar.check()


async def test_keys_of_every_sdk(tmp_path):
    """B-060: each SDK sends the caller's key in its own header; providers get theirs only."""
    async with fleet(tmp_path, extra=KEYS, env={"ALICE_KEY": ALICE}) as sidecar:
        for ask in SDKS.values():
            for dialect in DIALECTS:
                heard = await ask(Door(sidecar.url, key=ALICE), f"m-{dialect}", Ask(), stream=False)
                assert heard.text
        for sdk, error in STATUS_ERRORS.items():
            for stream in (False, True):
                door = Door(sidecar.url, key="wk-wrong", breaks=True)
                with pytest.raises(error) as raised:
                    await SDKS[sdk](door, "m-openai", Ask(), stream=stream)
                found = raised.value
                assert 401 in (getattr(found, "status_code", 0), getattr(found, "code", 0))
        sidecar.check()


async def test_keys_in_every_place(tmp_path):
    """B-060: each of the places for a key, on every path; two of them are refused."""
    async with fleet(tmp_path, extra=KEYS, env={"ALICE_KEY": ALICE}) as sidecar:
        places = [
            ("authorization", f"Bearer {ALICE}"),
            ("api-key", ALICE),
            ("x-api-key", ALICE),
            ("x-goog-api-key", ALICE),
        ]
        for path, body in BODIES.items():
            for place in places:
                reply = await sidecar.call(body, path=path, headers=[place])
                assert reply.status == 200, (path, place, reply.body)
            reply = await sidecar.call(body, path=f"{path}?key={ALICE}")
            assert reply.status == 200, (path, reply.body)
            for bad in ([], [("x-api-key", "no")], [("authorization", "Bearer no")]):
                reply = await sidecar.call(body, path=path, headers=bad)
                assert reply.status == 401
                assert message(speaks(path), 401, reply.body)
            reply = await sidecar.call(body, path=path, headers=places[:2])
            assert reply.status == 400
            assert "credential" in message(speaks(path), 400, reply.body)
        sidecar.check()


async def test_what_the_gate_says(tmp_path):
    """Too large, no JSON, wrong types, no such model: in the dialect that was called."""
    async with fleet(tmp_path, extra="limits: {json_bytes: 2000}\n") as sidecar:
        for path, body in BODIES.items():
            dialect = speaks(path)
            large = json.dumps(body).encode() + b" " * 3000
            for raw, status, word in (
                (large, 413, "2000"),
                (b'{"model": ', 400, "JSON"),
                (b"[1]", 400, "object"),
                (
                    b'{"model": "m-ollama", "messages": 7, "contents": 7, "prompt": {}, "input": 7}',
                    400,
                    "",
                ),
            ):
                reply = await sidecar.call(raw, path=path)
                assert reply.status == status, (path, raw[:50], reply.body)
                assert word in message(dialect, status, reply.body), (path, reply.body)
            unknown = json.loads(json.dumps(body).replace("m-ollama", "nobody"))
            reply = await sidecar.call(unknown, path=path.replace("m-ollama", "nobody"))
            assert reply.status == 404
            assert "nobody" in message(dialect, 404, reply.body)
            reply = await sidecar.call(b"", path=path, method="GET")
            assert reply.status == 405, (path, reply.status)
            assert "POST, not GET" in message(dialect, 405, reply.body)
            message(dialect, reply.status, reply.body)
        calls = [seen for found in sidecar.upstreams for seen in found.journal.requests]
        assert not any(seen.attempt for seen in calls)  # a list of models may have been asked for


NO_PATHS = (
    ("/v1/chat/completionz", "openai"),
    ("/v2/v1beta/models/m:generateContentz", "gemini"),
    ("/v1beta/models/m:generate", "gemini"),
    ("/v3/v1/messagez", "anthropic"),
    ("/v1/messages/batches", "anthropic"),
    ("/v4/openai/v1/chat/completionz", "openai"),
    ("/v5/api/chatz", "ollama"),
    ("/api/chatz", "ollama"),
    ("/v6/chat/completionz", "openai"),
)


async def test_paths_that_are_none(tmp_path):
    """An error in the dialect whose prefix a path has."""
    async with fleet(tmp_path, ["ollama"]) as sidecar:
        for path, dialect in NO_PATHS:
            reply = await sidecar.call({}, path=path)
            assert reply.status == 404, path
            assert message(dialect, reply.status, reply.body)


SWITCHES = {
    "OPENAI": ["/v1/chat/completions", "/v1/completions", "/v1/responses"],
    "ANTHROPIC": ["/v1/messages", "/v3/messages", "/v3/v1/messages"],
    "GEMINI": ["/v1beta/models/m-ollama:generateContent", "/v2/models/m-ollama:generateContent"],
    "GROQ": ["/v4/chat/completions", "/v4/openai/v1/chat/completions"],
    "OPENROUTER": ["/v6/chat/completions", "/v6/api/v1/chat/completions"],
    "OLLAMA": ["/api/chat", "/v5/api/chat", "/api/generate"],
}


@pytest.mark.parametrize("family", SWITCHES)
async def test_switches(tmp_path, family):
    """B-118, B-119, B-120, B-121, B-122, B-123: a family's routes are off, the others on."""
    contents = [{"role": "user", "parts": [{"text": "x"}]}]
    messages = [{"role": "user", "content": "x"}]
    asks = {"model": "m-ollama", "messages": messages, "max_tokens": 9}
    async with fleet(tmp_path, ["ollama"], env={f"ENABLE_{family}_ROUTES": "false"}) as sidecar:
        for name, paths in SWITCHES.items():
            for path in paths:
                if ":" in path:
                    body: dict = {"contents": contents}
                elif path.endswith("responses"):
                    body = {"model": "m-ollama", "input": "x"}
                elif path.endswith(("/completions", "generate")) and "chat" not in path:
                    body = {"model": "m-ollama", "prompt": "x"}
                else:
                    body = (
                        asks if "messages" in path else {k: asks[k] for k in ("model", "messages")}
                    )
                reply = await sidecar.call(body, path=path)
                assert reply.status == (404 if name == family else 200), (path, reply.body)
                if name == family:
                    message(speaks(path), 404, reply.body)
        sidecar.check()


OPENAI = (
    *("chat/completions", "completions", "responses", "embeddings", "moderations", "rerank"),
    *("images/generations", "images/edits", "videos", "videos/generations"),
    *("audio/speech", "audio/transcriptions", "audio/translations"),
)
GEMINI = ("generateContent", "streamGenerateContent", "countTokens", "embedContent")
OLLAMA = ("/api/chat", "/api/generate", "/api/embed", "/api/embeddings", "/api/show")
POSTED = {
    "OPENAI": [f"{prefix}/{path}" for prefix in ("/v1", "/openai/v1") for path in OPENAI],
    "ANTHROPIC": [
        f"{prefix}/messages{more}"
        for prefix in ("/v1", "/v3", "/v3/v1")
        for more in ("", "/count_tokens")
    ],
    "GEMINI": [
        f"{prefix}/models/m-ollama:{method}"
        for prefix in ("/v1beta", "/v2", "/v2/v1beta")
        for method in GEMINI
    ]
    + ["/v1/interactions", "/v1beta/interactions", "/v2/interactions"],
    "GROQ": [f"{prefix}/{path}" for prefix in ("/v4", "/v4/openai/v1") for path in OPENAI],
    "OPENROUTER": [f"{prefix}/{path}" for prefix in ("/v6", "/v6/api/v1") for path in OPENAI],
    "OLLAMA": [f"{prefix}{path}" for prefix in ("", "/v5") for path in OLLAMA],
}
READ = {
    "OPENAI": [
        *("/v1/models", "/v1/chat/completions/models", "/v1/chat/completion/models"),
        *("/v1/audio/models", "/v1/audio/voices", "/v1/keys/me"),
    ],
    "ANTHROPIC": ["/v3/models", "/v3/v1/models"],
    "GEMINI": ["/v1beta/models", "/v1alpha/models", "/v2/models", "/v2/v1alpha/models"],
    "GROQ": ["/v4/models", "/v4/openai/v1/models"],
    "OPENROUTER": ["/v6/models", "/v6/api/v1/models"],
    "OLLAMA": ["/api/tags", "/api/version", "/api/ps", "/v5/api/tags"],
}


@pytest.mark.parametrize("family", POSTED)
async def test_switches_are_for_all_paths_of_a_family(tmp_path, family):
    """B-118, B-119, B-120, B-121, B-122, B-123: calls of every kind, lists and facts; nothing of another family."""
    async with fleet(tmp_path, ["ollama"], env={f"ENABLE_{family}_ROUTES": "false"}) as sidecar:
        for method, table in (("POST", POSTED), ("GET", READ)):
            for name, path in ((name, path) for name, paths in table.items() for path in paths):
                body = b"{}" if method == "POST" else b""
                reply = await sidecar.call(body, path=path, method=method)
                said = (path, reply.status, reply.body)
                assert (b"There is no '" in reply.body) == (name == family), said
                assert (b"switched off" in reply.body) == (name == family), said
                assert name != family or reply.status == 404, said


async def test_a_real_host_keeps_its_own_errors(tmp_path):
    """Through interception too, the gate speaks the dialect of the path."""
    async with fleet(tmp_path, ["ollama"]) as sidecar:
        reply = await call(
            sidecar.address, CONNECT_H1, sidecar.ca, b"{", path="/v1/chat/completions"
        )
        assert reply.status == 400
        assert "JSON" in message("openai", 400, reply.body)
