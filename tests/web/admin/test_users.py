"""Users and balances through real sockets."""

from __future__ import annotations

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
