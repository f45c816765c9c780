"""Calls about pictures and videos, as forms and as JSON; and what their answers count."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wattline.base.errors import ClientFault
from wattline.dialects.base import LOOKED_UP, Energy
from wattline.dialects.openai.dialect import OpenAIDialect
from wattline.dialects.table import find
from wattline.wire.call import LOCAL, Call, Operation
from wattline.wire.http import Request, Use
from wattline.wire.usage import Usage, UsageSource

DIALECT = OpenAIDialect()
COST = Energy(2_500_000)


def read(path: str, body: dict[str, Any], method: str = "POST") -> Call:
    request = Request(
        "req_1", method, "http", "localhost", 8088, path, (), b"", "127.0.0.1", Use.REVERSE
    )
    route = find(method, "localhost", path, forward=False)
    assert route is not None
    return DIALECT.read_call(request, route, body, LOCAL, path)


@pytest.mark.parametrize(
    ("path", "body", "model", "stream", "images"),
    [
        ("/v1/images/edits", {"prompt": "x", "stream": "true", "n": "2"}, "dall-e-2", True, True),
        ("/v1/images/edits", {"model": "gpt-image-2"}, "gpt-image-2", False, True),
        ("/v1/images/variations", {"stream": "false"}, "dall-e-2", False, True),
        ("/v1/images/generations", {"prompt": "x", "stream": True}, "dall-e-2", True, False),
        ("/v1/videos", {"prompt": "x"}, "sora-2", False, False),
        ("/v1/videos", {}, "sora-2", False, False),
        (
            "/v1/videos/generations",
            {"model": "grok-imagine-video"},
            "grok-imagine-video",
            False,
            False,
        ),
    ],
)
def test_calls(path: str, body: dict[str, Any], model: str, stream: bool, images: bool) -> None:  # noqa: FBT001  (a table)
    """B-023, B-024, B-025."""
    call = read(path, body)
    assert (call.model, call.stream, call.images) == (model, stream, images)
    assert (call.tokens > 700) is images


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/images/generations", {}, "prompt"),
        ("/v1/images/edits", {"model": ""}, "model"),
        ("/v1/images/edits", {"prompt": 1}, "prompt"),
        ("/v1/videos", {"model": 1}, "model"),
        ("/v1/videos/generations", {"prompt": []}, "prompt"),
        ("/v1/videos/generations", {"n": 0}, "n"),
    ],
)
def test_a_mistake_names_its_field(path: str, body: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientFault) as caught:
        read(path, body)
    assert caught.value.param == param


VIDEO = read("/v1/videos/generations", {"model": "m", "prompt": "x"})


@pytest.mark.parametrize(
    ("body", "sound"),
    [
        (b'{"id": "video_1", "status": "queued"}', True),
        (b'{"request_id": "r"}', True),
        (b'{"status": "queued"}', False),
        (b'{"id": ""}', False),
        (b"[]", False),
        (b"<html>", False),
        (b"", False),
    ],
)
def test_a_job_has_an_id(body: bytes, sound: bool) -> None:  # noqa: FBT001  (a table)
    """B-025."""
    answer = DIALECT.read_answer(VIDEO, body)
    assert (answer.sound, answer.usage) == (sound, None)


def test_counts_of_a_video_are_taken_where_there_are_some() -> None:
    """B-025: xAI's cost stays as it is, beside the energy."""
    raw = b'{"request_id":"r","usage":{"cost_in_usd_ticks":5}}'
    answer = DIALECT.read_answer(VIDEO, raw)
    assert (answer.usage, answer.bad_usage) == (None, False)
    guess = Usage(1, 0, source=UsageSource.ESTIMATED)
    usage = json.loads(DIALECT.write_answer(VIDEO, raw, guess, COST))["usage"]
    assert usage == {"cost_in_usd_ticks": 5, "estimated": True, "energy": 2.5}
    told = b'{"id":"v","usage":{"input_tokens":3,"output_tokens":4}}'
    assert DIALECT.read_answer(VIDEO, told).usage == Usage(3, 4)
    bare = b'{"id":"v"}'
    assert DIALECT.write_answer(VIDEO, bare, guess, COST) == bare


def test_a_lookup_costs_nothing_and_stays_as_it_is() -> None:
    """B-026: the counts in its answer were paid for when it was made."""
    raw = b'{"id":"resp_1","usage":{"input_tokens":3,"output_tokens":4,"energy":1}}'
    lookup = Call("r", "openai", Operation.LOOKUP, "GET", "h", "/", "m", False, LOCAL)  # noqa: FBT003
    for body in (raw, b"", b"<html>", b'{"error": {}}'):
        assert DIALECT.read_answer(lookup, body) is LOOKED_UP
        assert DIALECT.write_answer(lookup, body, Usage(0, 0), COST) == body
    assert DIALECT.write_body(b"", lookup, "up", {"temperature": 1}, {"n": 1}) == b""
