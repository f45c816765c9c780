"""Offered keys through real sockets: the one page that may be open to strangers."""

from __future__ import annotations

import json

from kit.admins import desk

KEY = "sk-offered-by-a-stranger-0123456789"
OPEN = {
    "ADMIN_KEYS_OPEN": "true",
    "ADMIN_KEYS_RATE_LIMIT_RPS": "1000",
    "ADMIN_KEYS_RATE_LIMIT_RPM": "1000",
}
LOG = "admin-keys.jsonl"


async def offer(asked, body=None, who="none", base="/admin"):
    return await asked.ask(
        "POST", f"{base}/keys", body or {"provider": "OpenAI", "key": KEY}, who=who
    )


async def test_closed_unless_it_is_opened(tmp_path):
    """B-207: with admins alone it works all the same."""
    async with desk(tmp_path, 1) as asked:
        for who, status in (("none", 401), ("user", 403), ("admin", 201), ("master", 201)):
            assert (await offer(asked, who=who)).status == status
        assert (await asked.get("/api/admin/keys/offered"))["total"] == 2


async def test_from_an_offer_to_a_decision(tmp_path):
    """B-207, E-085: sealed, masked in the log and in lists, shown to an admin alone, forgotten when rejected."""
    async with desk(tmp_path, 1, env=OPEN) as asked:
        for who in ("none", "wrong", "user"):
            reply = await offer(
                asked, {"provider": "OpenAI", "key": f" {KEY} ", "tier": "free"}, who
            )
            assert reply.status == 201
            assert KEY not in reply.body.decode()
        told = await asked.get("/api/admin/keys/offered?state=waiting")
        assert (told["total"], told["entries"][0]["provider"]) == (3, "openai")
        assert told["entries"][0]["key"] == "sk-off…789"
        log = await asked.get("/api/admin/keys")
        assert (log["count"], log["total"]) == (3, 3)
        assert {entry["outcome"] for entry in log["entries"]} == {"kept"}
        assert log["entries"][0]["sourceIp"] == "127.0.0.1"
        files = [path for path in asked.state.rglob("*") if path.is_file()]
        assert not [path for path in files if KEY.encode() in path.read_bytes()]
        one, two, _ = (entry["id"] for entry in told["entries"])
        taken = await asked.post(f"/api/admin/keys/offered/{one}/accept")
        assert (taken["key"], taken["offer"]["state"], taken["offer"]["decidedBy"]) == (
            KEY,
            "accepted",
            "admin",
        )
        assert (await asked.post(f"/admin/keys/offered/{one}/accept"))["key"] == KEY
        gone = await asked.post(f"/api/admin/keys/offered/{two}/reject")
        assert (gone["offer"]["state"], "key" in gone) == ("rejected", False)
        reply = await asked.ask("POST", f"/api/admin/keys/offered/{two}/accept")
        assert (reply.status, reply.json()["error"]["code"]) == (409, "rejected")
        for verb in ("accept", "reject"):
            reply = await asked.ask("POST", f"/api/admin/keys/offered/none/{verb}")
            assert reply.status == 404
        assert (await asked.get("/api/admin/keys/offered?limit=1&offset=2"))["count"] == 1
        assert (await asked.ask("GET", "/api/admin/keys/offered?state=odd")).status == 400
    async with desk(tmp_path, 1, env=OPEN) as asked:
        assert (await asked.post(f"/api/admin/keys/offered/{one}/accept"))["key"] == KEY
    (asked.state / "secret.key").unlink()
    async with desk(tmp_path, 1, env=OPEN) as asked:
        reply = await asked.ask("POST", f"/api/admin/keys/offered/{one}/accept")
        assert (reply.status, reply.json()["error"]["code"]) == (500, "unsealable")


async def test_offered_keys_sealed_with_an_older_key_are_sealed_anew(tmp_path, caplog):
    """The older key can go after one start with both; accepted keys are sealed anew like waiting ones."""
    first, second = (
        "pU3KGCUwux1tEyze1iN7LtkeP3IfyxlxF0SU1kk8nVw=",
        "NGC+MSAeaf7aoO7ouZl/XHwpmf2v5ZMlPNZUr0361xQ=",
    )
    found: list[str] = []
    for keys in (first, f"{second},{first}", second):
        env = {**OPEN, "WATTLINE_SECRET_KEY": keys}
        async with desk(tmp_path, 1, env=env) as asked:
            if keys == first:
                found += [(await offer(asked)).json()["id"] for _ in range(3)]
                await asked.post(f"/api/admin/keys/offered/{found[0]}/accept")
                await asked.post(f"/api/admin/keys/offered/{found[2]}/reject")
                continue
            for one in found[:2]:
                taken = await asked.post(f"/api/admin/keys/offered/{one}/accept")
                assert taken["key"] == KEY
            reply = await asked.ask("POST", f"/api/admin/keys/offered/{found[2]}/accept")
            assert reply.status == 409
    assert "can't be opened" not in caplog.text
    async with desk(tmp_path, 1, env={**OPEN, "WATTLINE_SECRET_KEY": first}) as asked:
        reply = await asked.ask("POST", f"/api/admin/keys/offered/{found[0]}/accept")
        assert reply.json()["error"]["code"] == "unsealable"  # it starts all the same
    assert "2 offered keys can't be opened" in caplog.text


BAD = (
    (b"", 400), (b"{", 400), (b"[]", 400), (b"null", 400), (b'{"key": "a", "key": "b"}', 400),
    (b'{"provider": ' + b"[" * 100 + b"]" * 100 + b"}", 400), ({}, 400), ({"provider": "openai"}, 400),
    ({"key": KEY}, 400), ({"provider": 5, "key": KEY}, 400), ({"provider": "openai", "key": 5}, 400),
    ({"provider": "openai", "key": ""}, 400), ({"provider": "openai", "key": "short"}, 400),
    ({"provider": "openai", "key": "has a space in it"}, 400), ({"provider": "openai", "key": "line\nline2345"}, 400),
    ({"provider": "openai", "key": "x" * 513}, 400), ({"provider": "../../etc", "key": KEY}, 400),
    ({"provider": "x" * 65, "key": KEY}, 400), ({"provider": "öpenai", "key": KEY}, 400),
    ({"provider": "openai", "key": "k\u00e9y-0123456789"}, 400), ({"provider": "openai", "key": KEY, "tier": 5}, 400),
    ({"provider": "openai", "key": KEY, "tier": "x" * 65}, 400), ({"provider": "openai", "key": KEY, "tier": "a\nb"}, 400),
    ({"provider": "openai", "key": KEY, "note": "x" * 4_096}, 413),
)  # fmt: skip


async def test_bad_input_is_not_kept(tmp_path):
    """B-142: and nothing that was sent comes back."""
    async with desk(tmp_path, 1, env=OPEN) as asked:
        for body, status in BAD:
            reply = await asked.ask("POST", "/admin/keys", body, who="none")
            assert reply.status == status, (body, reply.body)
            assert KEY not in reply.body.decode()
        assert (await asked.get("/api/admin/keys/offered"))["total"] == 0
        assert asked.lines(LOG) == []


async def test_so_many_from_an_address(tmp_path):
    """B-139, B-140, B-141: bad ones count too, and the refusal says when."""
    for name, span in (("RPS", 1), ("RPM", 60), ("RPD", 86_400)):
        env = {**OPEN, f"ADMIN_KEYS_RATE_LIMIT_{name}": "2"}
        folder = tmp_path / name
        folder.mkdir()
        async with desk(folder, 1, env=env) as asked:
            assert (await offer(asked)).status == 201
            assert (await offer(asked, b"{")).status == 400
            reply = await offer(asked, base="/api/admin")
            assert (reply.status, reply.json()["error"]["code"]) == (429, "rate_limit_exceeded")
            assert 0 < int(reply.headers["retry-after"]) <= span
            assert (await asked.get("/api/admin/keys/offered"))["total"] == 1


async def test_of_these_providers_only(tmp_path):
    """B-143: and the log has what was refused."""
    async with desk(
        tmp_path, 1, env={**OPEN, "ADMIN_KEYS_ALLOWED_PROVIDERS": "OpenAI,groq"}
    ) as asked:
        assert (await offer(asked)).status == 201
        reply = await offer(asked, {"provider": "evil", "key": KEY})
        assert (reply.status, reply.json()["error"]["code"]) == (403, "provider_not_allowed")
        log = (await asked.get("/api/admin/keys"))["entries"]
        assert [entry["outcome"] for entry in log] == ["kept", "provider_not_allowed"]


async def test_the_log_is_bounded(tmp_path):
    """B-137, B-138: the last entries are told, the file is rotated; garbage in it costs nothing."""
    env = {**OPEN, "ADMIN_KEYS_LOG_MAX_ENTRIES": "5", "ADMIN_KEYS_LOG_MAX_BYTES": "1500"}
    async with desk(tmp_path, 1, env=env) as asked:
        for number in range(20):
            assert (await offer(asked, {"provider": f"p{number}", "key": KEY})).status == 201
        log = await asked.get("/api/admin/keys")
        assert [entry["provider"] for entry in log["entries"]] == [f"p{n}" for n in range(15, 20)]
        folder = asked.state / "logs"
        found = {
            path.name: path.stat().st_size for path in folder.iterdir() if "admin-keys" in path.name
        }
        assert set(found) == {LOG, f"{LOG}.1"}
        assert all(size <= 1_500 for size in found.values())
        with (folder / LOG).open("ab") as file:
            file.write(b"\xff\n[]\n{")
        log = await asked.get("/api/admin/keys")
        assert (log["count"], log["total"]) == (2, 5)
        assert all(json.dumps(entry) for entry in log["entries"])
