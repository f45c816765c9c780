"""The OpenAPI document: valid, whole, open, and true of what the tables serve."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from kit.admins import desk
from kit.sidecars import running
from wattline.base.errors import ClientFault, Kind
from wattline.dialects.frames.asked import TYPES
from wattline.dialects.spoken import spoken_dialects
from wattline.dialects.table import find, own_paths
from wattline.service.entrance.local_paths import _EXACT, local_path
from wattline.service.entrance.styles import Styles
from wattline.web.openapi.answers import SCHEMAS as ANSWER_SCHEMAS
from wattline.web.openapi.errors import SCHEMAS, style_schema
from wattline.web.openapi.shapes import SCHEMAS as CALL_SCHEMAS

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


def resolved(document, answer):
    if "$ref" not in answer:
        return answer
    for part in answer["$ref"].removeprefix("#/").split("/"):
        document = document[part]
    return document


def test_every_operation_says_what_it_is_and_answers(document):
    """Words, a shape or a stream for the good answer, and a shape for every error."""
    wrong = []
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        if not (operation.get("summary") and operation.get("description")):
            wrong.append(f"{where}: words")
        answers = {
            status: resolved(document, answer) for status, answer in operation["responses"].items()
        }
        good = {status: told for status, told in answers.items() if status[0] in "123"}
        bad = {status: told for status, told in answers.items() if status[0] in "45"}
        if not good or not bad:
            wrong.append(f"{where}: answers")
        for status, told in good.items():
            kinds = told.get("content", {})
            if status != "101" and not kinds:
                wrong.append(f"{where} {status}: content")
            if "application/json" in kinds and not kinds["application/json"].get("schema"):
                wrong.append(f"{where} {status}: shape")
        for status, told in bad.items():
            if not told.get("content", {}).get("application/json", {}).get("schema"):
                wrong.append(f"{where} {status}: error's shape")
        if "HTTPValidationError" in json.dumps(operation):
            wrong.append(f"{where}: an error that is never answered")
    assert not wrong


def test_answers_are_those_of_pages_that_there_are(document):
    """No schema that nothing refers to, and none that takes another's name."""
    used = set(_REF.findall(json.dumps(document)))
    for name in ANSWER_SCHEMAS:
        assert f"components/schemas/{name}" in used, name
    assert not set(ANSWER_SCHEMAS) & set(CALL_SCHEMAS)


READ = (
    "/v1/keys/me", "/api/admin/api-keys", "/api/admin/users", "/api/admin/users/ann", "/api/admin/providers",
    "/api/admin/providers/p0", "/api/admin/metrics", "/api/admin/metrics/providers", "/api/admin/metrics/models",
    "/api/admin/errors", "/api/admin/keys", "/api/admin/keys/offered", "/v1/models", "/v1beta/models", "/v3/models",
    "/v1/models/m", "/v3/models/m", "/v1beta/models/m", "/api/tags", "/api/ps", "/api/version", "/v1/audio/models",
    "/v1/audio/voices", "/api/v1/providers", "/api/v1/models", "/api/v1/models/top", "/api/v1/models/search?q=m",
    "/api/v1/models/providers", "/api/v1/models/providers/p0", "/api/v1/models/m", "/api/v1/models/m/pricing",
    "/api/v1/models/m/parameters", "/openapi.json", "/health", "/health/live", "/health/ready", "/version", "/",
)  # fmt: skip
WRITE = (
    ("/api/admin/users", {"id": "eve", "tier": "gold"}, 201),
    ("/api/admin/users/{user}/credit", {"energy": 5}, 200),
    ("/api/admin/api-keys", {"userId": "eve", "tier": "free"}, 201),
    ("/v1/generate_key", {"userId": "eve"}, 200),
    ("/api/admin/keys", {"provider": "openai", "key": "sk-offered-0123456789"}, 201),
    ("/api/admin/providers/{name}/disable", {}, 200),
    ("/api/admin/providers/{name}/enable", {}, 200),
    ("/api/admin/models/refresh-provider-counts", {}, 200),
    ("/api/show", {"model": "m"}, 200),
)


async def test_good_answers_are_as_they_are_described(tmp_path, document):
    """Each page is asked through a real socket, with something to tell."""
    async with desk(tmp_path) as asked:
        assert (await asked.call()).status == 200
        for template, body, status in WRITE:
            path = template.replace("{user}", "eve").replace("{name}", "p1")
            reply = await asked.ask("POST", path, body)
            assert reply.status == status, (path, reply.body)
            fits(document, "post", template, str(status), reply.json())
        for whole in READ:
            reply = await asked.ask("GET", whole)
            assert reply.status == 200, (whole, reply.body)
            path = whole.partition("?")[0]
            fits(document, "get", template_of(document, path), "200", reply.json())
        (key, *_) = (await asked.get("/api/admin/api-keys"))["entries"]
        told = await asked.get(f"/api/admin/api-keys/{key['id']}")
        fits(document, "get", "/api/admin/api-keys/{key}", "200", told)
        reply = await asked.ask("POST", f"/api/admin/api-keys/{key['id']}/rotate")
        fits(document, "post", "/api/admin/api-keys/{key}/rotate", "200", reply.json())


def template_of(document, path):
    """The path itself, or the first template that fits it, the most literal one first."""
    if path in document["paths"]:
        return path
    found = [
        known
        for known in document["paths"]
        if re.fullmatch(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(known)), path)
    ]
    return min(found, key=lambda known: (known.count("{"), -len(known)))


def fits(document, method, template, status, body):
    content = document["paths"][template][method]["responses"][status]["content"]
    schema = {**content["application/json"]["schema"], "components": document["components"]}
    wrong = [error.message[:200] for error in Draft202012Validator(schema).iter_errors(body)]
    assert not wrong, (method, template)


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
    chats = next(one for one in document["x-websockets"] if one["path"] == "/ws")["description"]
    words = set(re.findall(r"[a-z_.]+[a-z]", chats))
    assert set(TYPES) | {"chat.start", "chat.complete", "inference_response", "error"} <= words


@pytest.mark.parametrize("style", SCHEMAS)
def test_errors_are_as_they_are_described(document, style):
    fault = ClientFault("No.", status=429, kind=Kind.RATE_LIMIT, param="model", retry_after=1)
    whole = Styles(spoken_dialects()).render(style, fault, "req_1")
    schema = document["components"]["schemas"][style_schema(style)]
    Draft202012Validator(schema).validate(json.loads(whole.body))
