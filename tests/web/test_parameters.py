"""Bad parameters and members on every page of the OpenAPI document: what is told is in words of our own."""

from __future__ import annotations

import re

import pytest

from kit.role_matrix import Asker, party
from wattline.web.gateway.pace import Pace

FOREIGN = re.compile(
    rb"input should|field required|value_error|string should|pydantic|msgspec|unable to parse|"
    rb'"(?:loc|msg|ctx|url|detail)"\s*:|Traceback',
    re.IGNORECASE,
)
"""Words of the libraries below the pages."""
VALUES = (5, "x" * 5000, [1], {"a": 1}, "nonsense", -1e300, "\ud800")
TEXTS = ("", "x" * 400, "-1", "nonsense", "9" * 20, "%00")
ALIASES = ("/v2/", "/v3/", "/v4/", "/v5/", "/v6/", "/openai/v1/", "/v1alpha/")
"""The same pages as elsewhere."""
METHODS = {"get", "post", "put", "patch", "delete"}


class Page:
    """An operation of the document, asked by an admin."""

    def __init__(self, asker: Asker, method: str, path: str, operation: dict, ids: dict) -> None:
        self.asker, self.method = asker, method.upper()
        self.path = re.sub(r"\{[^}]*\}", lambda found: ids.get(found[0], "nothing"), path)
        told = operation.get("parameters", ())
        self.query = [one for one in told if one.get("in") == "query"]
        content = operation.get("requestBody", {}).get("content", {})
        self.body = content.get("application/json", {}).get("schema", {})
        self.members = self.body.get("properties", {})

    async def ask(self, query: dict[str, str], body: object):
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return await self.asker.ask(self.method, f"{self.path}?{text}", body, "admin")

    def good(self) -> tuple[dict[str, str], dict[str, object]]:
        query = {one["name"]: "ann" for one in self.query if one.get("required")}
        required = self.body.get("required", ())
        return query, {name: self._good(self.members[name]) for name in required}

    def _good(self, schema: dict) -> object:
        if "enum" in schema:
            return schema["enum"][0]
        return 1 if schema.get("type") == "number" else "ann-0123456789"


async def bad_requests(page: Page):
    """Each with the name that is wrong in it."""
    query, body = page.good()
    no_body = None if page.method == "GET" else body
    for one in page.query:
        name = one["name"]
        for value in TEXTS:
            yield name, await page.ask({**query, name: value}, no_body)
        if one.get("required"):
            rest = {key: value for key, value in query.items() if key != name}
            yield name, await page.ask(rest, no_body)
    if not page.members:
        return
    yield None, await page.ask(query, [])
    yield "nonsense", await page.ask(query, {**body, "nonsense": 1})
    for name in page.members:
        yield name, await page.ask(query, {key: v for key, v in body.items() if key != name})
        for value in VALUES:
            yield name, await page.ask(query, {**body, name: value})


@pytest.mark.timeout(120)
async def test_no_page_tells_of_its_libraries(tmp_path, monkeypatch):
    """E-006, E-084: each 400 is in words of our own."""
    monkeypatch.setattr(Pace, "take", lambda *_: None)
    async with party(tmp_path, "jwt") as everybody:
        asker, own = Asker(everybody), everybody.ids["ann"]
        ids = {"{key}": own["key"], "{user}": "ann", "{name}": "p0", "{provider}": "p0"}
        paths = (await asker.ask("GET", "/openapi.json", None, "admin")).json()["paths"]
        foreign, refused = [], 0
        for path, operations in paths.items():
            for method in METHODS & operations.keys() if not path.startswith(ALIASES) else ():
                async for name, reply in bad_requests(
                    Page(asker, method, path, operations[method], ids)
                ):
                    assert reply.status < 500, (method, path, name, reply.body)
                    refused += reply.status == 400
                    told = reply.body if reply.status >= 400 else b""
                    if reply.status == 422 or FOREIGN.search(told):
                        foreign.append((method, path, name, reply.body))
        assert not foreign, foreign[:10]
        assert refused > 300


ALLOWED = (
    ("/api/admin/api-keys?limit=0", "limit: must be a whole number from 1 to 500."),
    ("/api/admin/api-keys?limit=x", "limit: must be a whole number from 1 to 500."),
    ("/api/admin/api-keys?offset=-1", "offset: must be a whole number from 0 to 10000000."),
    ("/api/admin/api-keys?role=admn", "role: must be admin or user. Did you mean admin?"),
    ("/api/admin/api-keys?role=0", "role: must be admin or user."),
    ("/api/admin/api-keys?tier=", "tier: must have 1 to 64 characters."),
    ("/api/admin/metrics?seconds=1e3", "seconds: must be a whole number from 1 to 31622400."),
    ("/api/admin/keys/offered?state=no", "state: must be waiting, accepted or rejected."),
    ("/api/v1/audit?before=x", "before: must be milliseconds since 1970 UTC, or the next of an answer."),
    ("/api/v1/models/search", "q: is missing."),
    ("/api/v1/models/search?q=%25", "q: must have letters, digits, spaces and _.:/@+()- only, 1 to 100 of them."),
    ("/v1beta/models?pageToken=x", "pageToken: must be the nextPageToken of an answer."),
    ("/token/has", "userId: is missing."),
    (
        "/token/has?userId=%25",
        "userId: must begin with a letter or digit and have letters, digits and ._@- only, at most 64 of them.",
    ),
)  # fmt: skip
MEMBERS = (
    ("POST", "/api/admin/users", {"id": "x", "emial": 1}, "unknown member 'emial'. Did you mean 'email'?"),
    ("POST", "/api/admin/users", {"id": "x", "role": 5}, "role: must be admin or user."),
    ("POST", "/api/admin/users", {"id": "x", "name": "x" * 301}, "name: must be Unicode text of at most 300 characters."),
    ("POST", "/v1/generate_key", {"userId": "ann", "label": "\ud800"}, "label: must be Unicode text of at most 300 characters."),
    (
        "POST", "/v1/generate_key", {"userId": "ann", "expires": 1.5},
        "expires: must be a moment such as 2027-01-31T12:00:00Z, or milliseconds since 1970.",
    ),
    ("PUT", "/token?userId=ann", {"operation": "ad", "amount": 1}, "operation: must be add or subtract."),
    ("POST", "/api/admin/users/ann/disable", {"x": 1}, "'x': no member is taken here."),
)  # fmt: skip


async def test_what_is_allowed_is_told(tmp_path):
    """E-084: the range, the words, the characters."""
    async with party(tmp_path, "jwt") as everybody:
        asker = Asker(everybody)
        cases = [("GET", path, None, text) for path, text in ALLOWED]
        for method, path, body, text in (*cases, *MEMBERS):
            reply = await asker.ask(method, path, body, "admin")
            assert reply.status == 400, path
            error = reply.json()["error"]
            told = error["message"] if isinstance(error, dict) else reply.json()["message"]
            assert told == text, path
