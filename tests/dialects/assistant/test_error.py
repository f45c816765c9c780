"""Errors of the assistant's gateway."""

from __future__ import annotations

import json

import pytest

from wattline.base.errors import ClientFault, Kind, OurFault, UpstreamFault
from wattline.dialects.assistant.dialect import AssistantDialect
from wattline.dialects.spoken import spoken_dialects
from wattline.wire.call import Operation

DIALECT = AssistantDialect()
FAULTS = [
    (ClientFault("model: is missing.", param="model"), "Bad request"),
    (
        ClientFault("No.", status=401, code="invalid_api_key", kind=Kind.AUTHENTICATION),
        "Invalid token",
    ),
    (
        ClientFault("No.", status=429, code="insufficient_balance", kind=Kind.INSUFFICIENT_BALANCE),
        "Insufficient balance",
    ),
    (
        UpstreamFault(
            "All providers unavailable: a http_500", status=500, code="all_providers_failed"
        ),
        "All providers unavailable: a http_500",
    ),
    (OurFault("It failed."), "Server error"),
]


@pytest.mark.parametrize(("fault", "short"), FAULTS, ids=lambda value: str(value)[:20])
def test_the_shape(fault, short):
    """A-150 to A-155: the status, and a flat object."""
    whole = DIALECT.error(fault, "req_1")
    told = json.loads(whole.body)
    assert whole.status == fault.status
    assert told.pop("param", None) == fault.param
    assert told == {
        "error": short,
        "message": fault.message,
        "status": "error",
        "code": fault.code,
    }
    event = DIALECT.stream_error(fault, "req_1", Operation.CHAT)
    assert json.loads(event.removeprefix(b"data: "))["error"] == short


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_words(kind):
    told = json.loads(DIALECT.error(ClientFault("What it was.", kind=kind), "").body)
    assert told["error"]


def test_clients_can_speak_it():
    assert spoken_dialects()["assistant"].name == "assistant"
