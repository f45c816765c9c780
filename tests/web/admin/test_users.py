"""Users and balances through real sockets."""

from __future__ import annotations

import pytest

from kit.admins import desk


async def test_the_life_of_a_user(tmp_path):
    async with desk(tmp_path) as asked:
        made = await asked.post(
            "/api/admin/users", {"id": "eve", "email": "Eve@x.test", "energy": 5}, 201
        )
        assert (made["user"]["balance"], made["user"]["email"]) == (5, "eve@x.test")
        again = await asked.ask("POST", "/api/admin/users", {"id": "eve"})
        assert (again.status, again.json()["error"]["code"]) == (409, "user_exists")
        assert (await asked.ask("POST", "/api/admin/users", {"id": "carol"})).status == 409
        assert (await asked.post("/api/admin/users", {"energy": None}, 201))["user"][
            "balance"
        ] is None
        key = await asked.post("/v1/generate_key", {"userId": "eve"})
        asked.keys["eve"] = key["apiKey"]
        more = await asked.post(
            "/api/admin/users/eve/credit", {"energy": "100.5", "reason": "gift"}
        )
        assert more["user"]["balance"] == 105.5
        assert (await asked.call("eve")).status == 200
        less = await asked.ask("POST", "/api/admin/users/eve/subtract", {"energy": 1000})
        assert (less.status, less.json()["error"]["code"]) == (409, "balance_too_low")
        shown = await asked.get("/api/admin/users/eve")
        left = shown["user"]["balance"]
        less = await asked.post("/api/admin/users/eve/subtract", {"energy": left})
        assert less["user"]["balance"] == 0
        assert [one["id"] for one in shown["keys"]] == [key["key"]["id"]]
        assert (await asked.call("eve")).status == 429
        await asked.post("/api/admin/users/eve/disable")
        assert (await asked.call("eve")).status == 401
        assert (await asked.ask("GET", "/v1/keys/me", who="eve")).status == 401
        await asked.post("/api/admin/users/eve/enable")
        assert (await asked.ask("GET", "/v1/keys/me", who="eve")).status == 200


async def test_a_user_is_changed(tmp_path):
    """Its tier counts from the next call on, for keys that have none of their own."""
    async with desk(tmp_path, 1) as asked:
        made = await asked.post("/api/admin/users", {"id": "eve", "tier": "free"}, 201)
        assert (made["user"]["tier"], made["user"]["notes"]) == ("free", [])
        asked.keys["eve"] = (await asked.post("/v1/generate_key", {"userId": "eve"}))["apiKey"]
        own = {"userId": "eve", "tier": "gold"}
        asked.keys["own"] = (await asked.post("/v1/generate_key", own))["apiKey"]
        called = [(await asked.call("eve")).status for _ in range(4)]
        assert called == [200, 200, 200, 429]  # free: {rpm: 3}
        assert (await asked.call("own")).status == 200
        reply = await asked.ask("PATCH", "/api/admin/users/eve", {"tier": "gold", "name": "Eve"})
        assert (reply.status, reply.json()["user"]["tier"]) == (200, "gold")
        assert [(await asked.call("eve")).status for _ in range(4)] == [200] * 4
        assert (await asked.ask("GET", "/api/admin/users", who="own")).status == 403
        await asked.ask("PATCH", "/admin/users/eve", {"role": "admin", "tier": None})
        boss = {"userId": "eve", "role": "admin"}
        asked.keys["boss"] = (await asked.post("/v1/generate_key", boss))["apiKey"]
        told = await asked.get("/api/admin/users/eve", who="boss")
        facts = told["user"]
        assert (facts["role"], facts["tier"], facts["name"]) == ("admin", None, "Eve")
        await asked.ask("PATCH", "/api/admin/users/eve", {"role": "user"})
        assert (await asked.ask("GET", "/api/admin/users", who="boss")).status == 403


async def test_who_may_change_users(tmp_path):
    async with desk(tmp_path, 1) as asked:
        for who, status in (
            ("none", 401), ("wrong", 401), ("expired", 401), ("user", 403), ("carol", 403),
            ("admin", 200), ("master", 200),
        ):  # fmt: skip
            reply = await asked.ask("PATCH", "/api/admin/users/ann", {"name": who}, who=who)
            assert reply.status == status, who


BAD_CHANGES = (
    ({}, 400), ([], 400), (b"", 400), (b"{", 400), ({"tier": "none"}, 400), ({"tier": 5}, 400), ({"role": "root"}, 400),
    ({"role": None}, 400), ({"email": "no"}, 400), ({"email": "bob@x.test"}, 409), ({"name": "x" * 400}, 400), ({"name": []}, 400),
    ({"password": "x"}, 400), ({"balance": 5}, 400), ({"disabled": 0}, 400), ({"id": "bob"}, 400),
    (b'{"tier": "gold", "tier": "free"}', 400), ({"tier": "gold", "role": "root"}, 400),
)  # fmt: skip


async def test_bad_changes_change_nothing(tmp_path):
    async with desk(tmp_path, 1) as asked:
        await asked.accounts.change_user("bob", email="bob@x.test")
        before = await asked.get("/api/admin/users?limit=500")
        for body, status in BAD_CHANGES:
            reply = await asked.ask("PATCH", "/api/admin/users/ann", body)
            assert reply.status == status, (body, reply.body)
        assert (await asked.ask("PATCH", "/api/admin/users/no", {"tier": "gold"})).status == 404
        assert (await asked.ask("POST", "/api/admin/users", {"tier": "none"})).status == 400
        after = await asked.get("/api/admin/users?limit=500")
        assert after["entries"] == before["entries"]


BAD = [
    ("", {"id": "a b"}, 400),
    ("", {"id": 7}, 400),
    ("", {"id": "eve", "userId": "eve"}, 400),
    ("", {"email": "no"}, 400),
    ("", {"role": "root"}, 400),
    ("", {"name": "x" * 400}, 400),
    ("", {"password": "hunter2"}, 400),
    ("/ann/credit", {}, 400),
    ("/ann/credit", {"energy": 0}, 400),
    ("/ann/credit", {"energy": -5}, 400),
    ("/ann/credit", {"energy": "1e400"}, 400),
    ("/ann/credit", {"energy": 0.0000001}, 400),
    ("/ann/credit", {"energy": "NaN"}, 400),
    ("/ann/credit", {"energy": 1, "to": "bob"}, 400),
    ("/ann/credit", {"energy": 1, "reason": 7}, 400),
    ("/nobody/credit", {"energy": 1}, 404),
    ("/nobody/disable", {}, 404),
    ("/ann/disable", {"why": "x"}, 400),
    ("/ann/disable", b"[]", 400),
]


async def test_bad_input_changes_nothing(tmp_path):
    async with desk(tmp_path, 1) as asked:
        before = await asked.get("/api/admin/users?limit=500")
        for path, body, status in BAD:
            reply = await asked.ask("POST", f"/api/admin/users{path}", body)
            assert reply.status == status, (path, body, reply.body)
        after = await asked.get("/api/admin/users?limit=500")
        assert after["entries"] == before["entries"]


async def test_pages(tmp_path):
    async with desk(tmp_path, 1) as asked:
        for number in range(5):
            await asked.accounts.create_user(f"u{number}")
        told = await asked.get("/api/admin/users?limit=3&offset=3")
        assert (told["count"], told["total"]) == (3, 8)
        assert [user["id"] for user in told["entries"]] == ["u0", "u1", "u2"]
        assert (await asked.get("/api/admin/users?role=admin"))["total"] == 1


EXACTLY = [
    (b"123456789012.123456", 123_456_789_012_123_456),
    (b"999999999999.999999", 999_999_999_999_999_999),
    (b"0.1", 100_000),
    (b"1.5e3", 1_500_000_000),
    (b"1E-6", 1),
    (b"7", 7_000_000),
    (b'"123456789012.123456"', 123_456_789_012_123_456),
]
NOT_EXACTLY = [
    b"999999999999.9999999",
    b"123456789012.1234567",
    b"0.0000001",
    b"1e-7",
    b"1e-999999999",
    b"1e15",
    b"1.00000000000000000000000000000001",
]


@pytest.mark.parametrize(("amount", "micro"), EXACTLY)
async def test_amounts_are_what_was_written(tmp_path, amount, micro):
    """A number of JSON counts by its digits, not by what a float makes of them."""
    async with desk(tmp_path, 1) as asked:
        for user in ("a", "b"):
            await asked.accounts.create_user(user, start=0)
        reply = await asked.ask("POST", "/api/admin/users/a/credit", b'{"energy": %s}' % amount)
        assert (reply.status, asked.accounts.balance("a")) == (200, micro)
        body = b'{"operation": "add", "amount": %s}' % amount
        assert (await asked.ask("PUT", "/token?userId=b", body)).status == 200
        assert asked.accounts.balance("b") == micro


async def test_amounts_that_can_not_be_kept_exactly(tmp_path):
    async with desk(tmp_path, 1) as asked:
        await asked.accounts.create_user("a", start=0)
        for amount in NOT_EXACTLY:
            reply = await asked.ask("POST", "/api/admin/users/a/credit", b'{"energy": %s}' % amount)
            assert reply.status == 400, amount
            body = b'{"operation": "add", "amount": %s}' % amount
            assert (await asked.ask("PUT", "/token?userId=a", body)).status == 400
        assert asked.accounts.balance("a") == 0
