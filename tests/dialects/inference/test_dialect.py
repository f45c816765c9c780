"""An inference service's dialect: OpenAI's, but for paths and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wattline.base.errors import ClientFault, Fault, Kind, OurFault, UpstreamFault
from wattline.dialects.base import Energy
from wattline.dialects.inference.dialect import InferenceDialect
from wattline.dialects.table import find
from wattline.wire.call import LOCAL, Call
from wattline.wire.http import Request, Use
from wattline.wire.usage import Usage

DIALECT = InferenceDialect()
ASK: dict[str, Any] = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
WHOLE, STREAM = "/api/v1/inference", "/api/v1/inference/stream"


def read(body: dict[str, Any], path: str = WHOLE) -> Call:
    raw = json.dumps(body).encode()
    request = Request(
        "req_1", "POST", "http", "localhost", 8088, path, (), raw, "127.0.0.1", Use.REVERSE
    )
    route = find("POST", "localhost", path, forward=False)
    assert route is not None
    assert route.dialect == DIALECT.name
    return DIALECT.read_call(request, route, body, LOCAL, path)


@pytest.mark.parametrize("said", [{}, {"stream": False}, {"stream": None}, {"stream": True}])
def test_one_path_always_streams(said: dict[str, Any]) -> None:
    """D-042."""
    call = read(ASK | said, STREAM)
    assert call.stream
    body = json.loads(DIALECT.write_body(json.dumps(ASK | said).encode(), call, "gpt-4o", {}))
    assert body["stream"] is True
    assert body["model"] == "gpt-4o"
    assert body["stream_options"] == {"include_usage": True}


def test_the_other_streams_when_asked() -> None:
    """D-041."""
    assert not read(ASK).stream
    assert read(ASK | {"stream": True}).stream
    raw = json.dumps(ASK).encode()
    assert DIALECT.write_body(raw, read(ASK), "openai/gpt-4o", {}) == raw
    assert DIALECT.path(find("POST", "", WHOLE, forward=False), read(ASK), "m").startswith("/chat")


def test_an_answer_keeps_its_bytes_and_gets_its_energy() -> None:
    """D-041: id, choices, usage, model, created, object."""
    raw = b'{"id":"a","choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
    answer = DIALECT.read_answer(read(ASK), raw)
    assert (answer.sound, answer.usage) == (True, Usage(1, 1))
    found = json.loads(DIALECT.write_answer(read(ASK), raw, Usage(1, 1), Energy(1_500_000)))
    assert found["usage"]["energy"] == 1.5


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        (ClientFault("x"), 400, "validation"),
        (ClientFault("x", status=404, kind=Kind.NOT_FOUND), 404, "validation"),
        (ClientFault("x", status=429, kind=Kind.RATE_LIMIT), 429, "rate_limit"),
        (UpstreamFault("x", status=429, code="r", kind=Kind.RATE_LIMIT), 429, "rate_limit"),
        (UpstreamFault("x", status=500, code="all_providers_failed"), 502, "openrouter"),
        (OurFault("x"), 500, "internal"),
        (OurFault("x", status=503, kind=Kind.UNAVAILABLE), 503, "internal"),
    ],
)
def test_errors(fault: Fault, status: int, kind: str) -> None:
    """D-070, D-071, D-072, D-073, D-074, D-075, D-076, D-077."""
    whole = DIALECT.error(fault, "req_1")
    assert whole.status == status
    assert json.loads(whole.body) == {"error": {"code": status, "message": "x", "type": kind}}
    event = DIALECT.stream_error(fault, "req_1")
    assert json.loads(event[6:]) == json.loads(whole.body)


def test_the_field_at_fault() -> None:
    """D-070: details {field, message}."""
    with pytest.raises(ClientFault) as caught:
        read({"messages": []})
    details = json.loads(DIALECT.error(caught.value, "r").body)["error"]["details"]
    assert details["field"] == "model"
    assert details["message"] == caught.value.message
