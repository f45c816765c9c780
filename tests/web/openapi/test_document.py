"""The OpenAPI document: valid, whole, open, and true of what the tables serve."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from kit.sidecars import running
from wattline.base.errors import ClientFault, Kind
from wattline.dialects.spoken import spoken_dialects
from wattline.dialects.table import find, own_paths
from wattline.service.entrance.local_paths import _EXACT, local_path
from wattline.service.entrance.styles import Styles
from wattline.web.openapi.errors import SCHEMAS, style_schema

AUTH = """
auth:
  mode: keys
  keys: {ann: "${ANN}"}
"""
SECRETS = {"ANN": "key-of-ann-0123456789", "ADMIN_FIRST": "master-token-0123456789abcdef"}
_REF = re.compile(r'"\$ref": ?"#/([^"]+)"')


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    """That of a sidecar with all its parts, in keys mode, asked for without a credential."""

    async def asked():
        folder = tmp_path_factory.mktemp("document")
        async with running(folder, 1, extra=AUTH, env=SECRETS) as sidecar:
            return [
                await sidecar.call(b"", path=path, method="GET")
                for path in ("/openapi.json", "/api/openapi.json")
            ]

    one, other = asyncio.run(asked())
    assert (one.status, other.status) == (200, 200)
    assert one.headers["content-type"] == "application/json"
    assert one.body == other.body
    for secret in SECRETS.values():
        assert secret.encode() not in one.body
    return one.json()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_document_is_valid(document):
    """B-042: OpenAPI 3.1, served on both paths, without a credential."""
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_reference_leads_somewhere(document):
    for found in set(_REF.findall(json.dumps(document))):
        place = document
        for part in found.split("/"):
            place = place[part]


def test_ids_are_unique_and_everything_has_a_summary(document):
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    bare = [path for path, _, operation in operations(document) if not operation.get("summary")]
    assert not bare


def test_every_call_is_in_it(document):
    for path in own_paths():
        assert "post" in document["paths"][path], path
    assert "/v1beta/models/{model}:generateContent" in document["paths"]
    assert set(document["paths"]["/v1/responses/{id}"]) == {"get", "delete"}


def test_every_call_in_it_is_one(document):
    for path, method, operation in operations(document):
        if "4XX" in operation["responses"]:
            concrete = path.replace("{model}", "m").replace("{id}", "x1")
            assert find(method.upper(), "", concrete, forward=False), path


def test_every_page_of_the_gate_is_in_it(document):
    """A page that the gate lets through has a route, and that is described."""
    known = document["paths"]
    missing = [path for path in _EXACT if path not in known and f"{path}/" not in known]
    assert not missing


def test_every_page_in_it_passes_the_gate(document):
    health = {"/", "/version", "/health", "/health/live", "/health/ready"}
    for path, method, operation in operations(document):
        if "4XX" in operation["responses"] or path in health:
            continue
        found = local_path(re.sub(r"\{[^}]*\}", "x", path))
        assert found is not None, path
        assert method.upper() in found[1].methods, (path, method)


def test_pages_that_need_a_key_say_so(document):
    paths = document["paths"]
    assert paths["/v1/models"]["get"]["security"]
    assert "401" in paths["/v1/models"]["get"]["responses"]
    assert paths["/openapi.json"]["get"]["security"] == []
    assert paths["/health"]["get"]["security"] == []


def test_security_schemes_are_known(document):
    known = set(document["components"]["securitySchemes"])
    assert {"bearer", "x-api-key", "api-key", "x-goog-api-key", "masterToken", "jwt"} <= known
    for path, _, operation in operations(document):
        used = {name for one in operation.get("security", ()) for name in one}
        assert used <= known, path


def test_websockets_are_described(document):
    paths = [one["path"] for one in document["x-websockets"]]
    assert {"/ws", "/v1/responses", "/v1/realtime"} <= set(paths)


@pytest.mark.parametrize("style", SCHEMAS)
def test_errors_are_as_they_are_described(document, style):
    fault = ClientFault("No.", status=429, kind=Kind.RATE_LIMIT, param="model", retry_after=1)
    whole = Styles(spoken_dialects()).render(style, fault, "req_1")
    schema = document["components"]["schemas"][style_schema(style)]
    Draft202012Validator(schema).validate(json.loads(whole.body))
