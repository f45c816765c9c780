"""Callers' keys, made and changed through real sockets."""

from __future__ import annotations

import pytest

from kit.admins import desk
from kit.clients import REVERSE, client


async def test_generate_key(tmp_path):
    """B-032, B-205: the key once, for a user that is made if need be."""
    async with desk(tmp_path) as asked:
        made = await asked.post(
            "/v1/generate_key", {"userId": "eve", "tier": "gold", "role": "user"}
        )
        assert (made["userId"], len(made["apiKey"]), made["key"]["tier"]) == ("eve", 32, "gold")
        asked.keys["eve"] = made["apiKey"]
        assert (await asked.call("eve")).status == 200
        again = await asked.post("/api/admin/users/generate-key", {"userId": "eve"})
        assert again["apiKey"] != made["apiKey"]
        listed = await asked.get("/api/admin/api-keys?userId=eve")
        assert (listed["count"], listed["total"]) == (2, 2)
        assert made["apiKey"] not in str(listed)
        told = await asked.get("/v1/keys/me", "eve")
        assert told["usage"]["requestCount"] == 1


BAD = [
    ({}, "invalid_value"),
    ({"userId": ""}, "invalid_value"),
    ({"userId": 5}, "invalid_value"),
    ({"userId": "e e"}, "invalid_value"),
    ({"userId": "../x"}, "invalid_value"),
    ({"userId": "x" * 65}, "invalid_value"),
    ({"userId": "eve", "user": "eve"}, "invalid_value"),
    ({"userId": "eve", "tier": "bulk"}, "unknown_tier"),
    ({"userId": "eve", "tier": ["gold"]}, "invalid_value"),
    ({"userId": "eve", "role": "root"}, "invalid_value"),
    ({"userId": "eve", "models": "m"}, "invalid_value"),
    ({"userId": "eve", "models": [""]}, "invalid_value"),
    ({"userId": "eve", "models": ["m"] * 201}, "invalid_value"),
    ({"userId": "eve", "budgets": {"week": 1}}, "invalid_value"),
    ({"userId": "eve", "budgets": {"day": 0}}, "invalid_value"),
    ({"userId": "eve", "budgets": {"day": -1}}, "invalid_value"),
    ({"userId": "eve", "budgets": {"day": True}}, "invalid_value"),
    ({"userId": "eve", "expires": "soon"}, "invalid_value"),
    ({"userId": "eve", "expires": -1}, "invalid_value"),
    ({"userId": "eve", "expires": "0001-01-01"}, "invalid_value"),
    ({"userId": "eve", "expires": [1]}, "invalid_value"),
    ({"userId": "eve", "label": "x" * 301}, "invalid_value"),
    ({"userId": "eve", "label": "\ud800"}, "invalid_value"),
    ({"userId": "eve", "energy": 1e300}, "invalid_value"),
    ({"userId": "eve", "apiKey": "mine"}, "invalid_value"),
    (b"", "invalid_json"),
    (b"{", "invalid_json"),
    (b"[]", "not_an_object"),
    (b'{"userId": "eve", "userId": "bob"}', "duplicate_key"),
    (b'{"userId": ' + b"[" * 50 + b"]" * 50 + b"}", "too_deep"),
    (b'{"userId": NaN}', "not_finite"),
    (b'\xff{"userId": "eve"}', "invalid_encoding"),
    (b'{"userId": "' + b"x" * 70_000 + b'"}', "body_too_large"),
]


async def test_a_new_user_and_its_key_are_made_together(tmp_path, monkeypatch):
    """What the ledger refuses of the key leaves no user behind, with a start balance that nobody can use."""
    async with desk(tmp_path, 1) as asked:
        taken = asked.accounts.store.key(asked.ids["user"])
        monkeypatch.setattr("secrets.token_hex", lambda _: taken.id.removeprefix("key_"))
        reply = await asked.ask("POST", "/v1/generate_key", {"userId": "eve"})
        assert (reply.status, reply.json()["error"]["code"]) == (409, "key_exists")
        assert asked.accounts.store.user("eve") is None
        assert asked.accounts.store.key(taken.id) == taken
        assert asked.accounts.balance("eve") is None
        monkeypatch.undo()
        told = await asked.post("/v1/generate_key", {"userId": "eve", "role": "admin"})
        assert asked.accounts.store.key(told["key"]["id"]).user == "eve"


async def test_bad_input_makes_nothing(tmp_path):
    async with desk(tmp_path, 1) as asked:
        for body, code in BAD:
            for path in ("/v1/generate_key", "/api/admin/api-keys"):
                reply = await asked.ask("POST", path, body)
                assert reply.status in {400, 413}, (body, reply.body)
                assert reply.json()["error"]["code"] == code, body
            assert asked.accounts.store.user("eve") is None


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"userId": "a b"}, "userId"),
        ({"user": "a b"}, "user"),
        ({"userId": "eve", "role": "king"}, "role"),
        ({"userId": "eve", "models": "m"}, "models"),
        ({"userId": "eve", "budgets": 5}, "budgets"),
        ({"userId": "eve", "budgets": {"day": -1}}, "budgets.day"),
        ({"userId": "eve", "energy": "x"}, "energy"),
        ({"userId": "eve", "nothing": 1}, "nothing"),
        ({}, "userId"),
    ],
)
async def test_an_error_names_the_member_that_was_sent(tmp_path, wrong, param):
    async with desk(tmp_path, 1) as asked:
        reply = await asked.ask("POST", "/v1/generate_key", wrong)
        assert (reply.status, reply.json()["error"]["param"]) == (400, param)


async def test_only_json_is_taken(tmp_path):
    """CVE-2021-32677: no form of a web page can send that."""
    async with desk(tmp_path, 1) as asked:
        await _check_types(asked)


async def _check_types(asked):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json, text/plain"):
        reply = await _typed(asked, kind)
        assert reply.status == 415
    assert asked.accounts.store.user("eve") is None


async def _typed(asked, kind):
    connection = await client(asked.sidecar.address, REVERSE, None)
    headers = [
        ("host", "127.0.0.1"),
        ("content-type", kind),
        ("authorization", f"Bearer {asked.keys['admin']}"),
    ]
    await connection.send("POST", "/v1/generate_key", headers, b'{"userId": "eve"}')
    async for _ in connection.pieces():
        pass
    connection.close()
    return connection.reply


async def test_the_life_of_a_key(tmp_path):
    """B-041: list, show, make, change, disable, enable, rotate, delete; each counts from the next call on."""
    async with desk(tmp_path) as asked:
        body = {"userId": "eve", "tier": "gold", "expires": "2999-01-01T00:00:00Z", "models": ["m"],
                "budgets": {"day": "5.5"}, "label": "first", "energy": 100}  # fmt: skip
        made = await asked.post("/api/admin/api-keys", body, 201)
        key, place = made["key"], f"/api/admin/api-keys/{made['key']['id']}"
        assert (key["expires"], key["budgets"]["day"], key["balance"]) == (
            "2999-01-01T00:00:00+00:00",
            5.5,
            100,
        )
        asked.keys["eve"] = made["apiKey"]
        shown = (await asked.get(place))["key"]
        assert shown["usage"]["requestCount"] == 0

        async def patch(changes, status=200):
            reply = await asked.ask("PATCH", place, changes)
            assert reply.status == status, reply.body
            return reply.json()

        assert (await patch({"models": None, "label": "second"}))["key"]["models"] is None
        assert (await patch({"tier": None, "expires": None}))["key"]["budgets"]["day"] == 5.5
        assert (await patch({"budgets": None}))["key"]["budgets"]["day"] is None
        assert (await patch({"tier": "bulk"}, 400))["error"]["code"] == "unknown_tier"
        assert (await patch({"role": "admin"}, 409))["error"]["code"] == "not_an_admin"
        assert (await patch({"role": None}, 400))["error"]["code"] == "invalid_value"
        assert (await patch({}, 400))["error"]["code"] == "invalid_value"
        assert (await patch({"hash": "0" * 64}, 400))["error"]["code"] == "invalid_value"
        assert (await asked.call("eve")).status == 200
        assert (await asked.post(f"{place}/disable"))["key"]["active"] is False
        assert (await asked.call("eve")).status == 401
        assert (await asked.post(f"{place}/enable", {}))["key"]["active"] is True
        assert (await asked.call("eve")).status == 200
        rotated = await asked.post(f"{place}/rotate")
        assert (await asked.call("eve")).status == 401
        asked.keys["eve"] = rotated["apiKey"]
        assert (await asked.call("eve")).status == 200
        assert (await asked.ask("DELETE", place)).json()["deleted"] is True
        assert (await asked.call("eve")).status == 401
        for method, path in (("GET", place), ("DELETE", place), ("POST", f"{place}/rotate")):
            reply = await asked.ask(method, path)
            assert (reply.status, reply.json()["error"]["code"]) == (404, "key_not_found")
        assert (await asked.ask("PATCH", place, {"label": ""})).status == 404


async def test_none_is_made_that_has_ended_already(tmp_path):
    async with desk(tmp_path, 1) as asked:
        body = {"userId": "eve", "expires": "2020-01-01T00:00:00Z"}
        for path in ("/api/admin/api-keys", "/v1/generate_key"):
            reply = await asked.ask("POST", path, body)
            error = reply.json()["error"]
            assert (reply.status, error["param"]) == (400, "expires")
        assert (await asked.get("/api/admin/api-keys?userId=eve"))["total"] == 0


async def test_pages_and_filters(tmp_path):
    async with desk(tmp_path, 1) as asked:
        for number in range(7):
            await asked.issue(f"k{number}", "ann", tier="gold")
        whole = await asked.get("/api/admin/api-keys?limit=500")
        ids = [key["id"] for key in whole["entries"]]
        assert (whole["total"], len(set(ids))) == (12, 12)
        paged = []
        for offset in range(0, 15, 5):
            told = await asked.get(f"/api/admin/api-keys?limit=5&offset={offset}")
            assert (told["limit"], told["offset"], told["total"]) == (5, offset, 12)
            paged += [key["id"] for key in told["entries"]]
        assert paged == ids
        assert (await asked.get("/api/admin/api-keys?tier=gold"))["total"] == 7
        assert (await asked.get("/api/admin/api-keys?role=admin"))["total"] == 1
        assert (await asked.get("/api/admin/api-keys?userId=bob"))["total"] == 1
        assert (await asked.get("/api/admin/api-keys?userId=%25"))["total"] == 0
        assert (await asked.get("/api/admin/api-keys?offset=100"))["entries"] == []


QUERIES = (
    "limit=0", "limit=501", "limit=x", "limit=-1", "limit=1&limit=2", "offset=-1", "offset=99999999",
    "role=root", "userId=", "tier=" + "x" * 65, "limit=1e3", "offset=0x1", "limit=%00",
)  # fmt: skip


async def test_bad_parameters(tmp_path):
    async with desk(tmp_path, 1) as asked:
        for query in QUERIES:
            reply = await asked.ask("GET", f"/api/admin/api-keys?{query}")
            assert (reply.status, reply.json()["error"]["code"]) == (400, "invalid_parameter"), (
                query
            )


async def test_the_ledger_is_down(tmp_path):
    async with desk(tmp_path, 1, check=False) as asked:
        asked.sidecar.sidecar.ledger._groups.fail("ledger: a test", final=True)
        place = f"/api/admin/api-keys/{asked.ids['user']}"
        for method, path, body in (
            ("POST", "/v1/generate_key", {"userId": "eve"}),
            ("POST", f"{place}/rotate", b""),
            ("DELETE", place, b""),
            ("PATCH", place, {"label": "x"}),
            ("POST", "/api/admin/users", {"id": "eve"}),
            ("POST", "/api/admin/users/ann/credit", {"energy": 1}),
            ("POST", "/api/admin/providers/p0/disable", b""),
            ("POST", "/api/admin/keys", {"provider": "openai", "key": "sk-0123456789"}),
        ):
            reply = await asked.ask(method, path, body)
            assert (reply.status, reply.json()["error"]["code"]) == (503, "ledger_down"), path
        assert asked.accounts.store.user("eve") is None
        assert asked.sidecar.sidecar.parts.memory.parking.parking.of("p0") is None
