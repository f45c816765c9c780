"""Figures and the error log, through real sockets."""

from __future__ import annotations

import json

from kit.admins import ADMIN, CHAT, MASTER, TIERS, desk

LOG = "api-error.jsonl"
SECRETS = (ADMIN, MASTER, "sk-secret-of-upstream", "the words of a prompt")


async def test_a_line_for_each_call_that_failed(tmp_path):
    """B-200: time, ids, principal, provider, model, status, code, message; no prompt, no key."""
    async with desk(tmp_path) as asked:
        for upstream in asked.sidecar.upstreams:
            upstream.script(["500"])
        reply = await asked.call()
        assert reply.status == 500
        asked.sidecar.upstreams[0].script(["400"])
        assert (await asked.call()).status == 400  # the provider's, passed on
        assert (await asked.call(body={**CHAT, "model": "none"})).status == 404
        assert (await asked.call(body=b'{"model": "m", "messages"')).status == 400
        asked.sidecar.upstreams[0].script(["500"])
        assert (await asked.call()).status == 200  # the next one answered
        assert (await asked.call(who="wrong")).status == 401  # no call at all
        told = await asked.get("/api/admin/errors")
        lines = asked.lines(LOG)
        assert [line["status"] for line in lines] == [500, 400, 404, 400]
        assert [line["code"] for line in lines][:3] == [
            "all_providers_failed", "http_400", "model_not_found",
        ]  # fmt: skip
        assert lines[3]["code"] == "invalid_json"
        assert [line["requested"] for line in lines] == ["m", "m", "none", None]
        first = lines[0]
        assert (first["call"], first["principal"]) == (reply.headers["x-wattline-call"], "ann")
        assert first["key"] == asked.ids["user"]
        assert (first["requested"], first["provider"], first["model"]) == ("m", "p1", "up1")
        assert first["attempts"] == 2
        assert first["time"].endswith("+00:00")
        assert told["count"] == 4
        assert [line["status"] for line in told["entries"]] == [400, 404, 400, 500]
        assert (await asked.get("/api/admin/errors?limit=1"))["count"] == 1
        raw = (asked.state / "logs" / LOG).read_text()
        assert not [secret for secret in (*SECRETS, asked.keys["user"]) if secret in raw]
        assert (asked.state / "logs" / LOG).stat().st_mode & 0o077 == 0


async def test_a_stream_that_breaks_off_is_one(tmp_path):
    """B-200: also when its client had a head with 200."""
    async with desk(tmp_path, 1) as asked:
        asked.sidecar.upstreams[0].script(["cut_reset"])
        reply = await asked.call(body={**CHAT, "stream": True})
        assert (reply.status, reply.clean) == (200, False)
        await asked.get("/api/admin/errors")
        assert [line["code"] for line in asked.lines(LOG)] == ["upstream_broke_off"]


async def test_the_summary(tmp_path):
    """B-041, B-144: ledger and error log in one answer."""
    async with desk(tmp_path, env={"ADMIN_METRICS_MAX_ERROR_LINES": "3"}) as asked:
        await asked.call()
        for _ in range(5):
            await asked.call(body={**CHAT, "model": "none"})
        told = await asked.get("/api/admin/metrics/summary")
        assert told["providers"] == {
            "total": 2,
            "enabled": 2,
            "disabled": 0,
            "parked": 0,
            "resting": 0,
        }
        assert told["models"] == {"total": 3, "providersPerModel": {"1": 2, "2": 1}}
        assert told["keys"]["byRole"] == {"admin": 1, "user": 4}
        assert (told["keys"]["total"], told["keys"]["active"]) == (5, 3)
        assert told["users"]["total"] == 3
        assert (told["usage"]["attempts"], told["usage"]["complete"]) == (1, 1)
        found = told["errorLog"]
        assert (found["totalLines"], found["truncated"]) == (3, True)
        assert found["byCode"] == {"model_not_found": 3}
        assert found["byStatus"] == {"404": 3}
        assert found["lastTimestamp"] == asked.lines(LOG)[-1]["time"]
        assert (await asked.get("/admin/metrics"))["errorLog"]["totalLines"] == 3


async def test_how_they_did(tmp_path):
    """B-080, B-085: response times and error rates of a period."""
    async with desk(tmp_path) as asked:
        asked.sidecar.upstreams[0].script(["503"])
        for _ in range(3):
            assert (await asked.call()).status == 200
        told = await asked.get("/api/admin/metrics/providers")
        found = {row["provider"]: row for row in told["entries"]}
        assert (found["p0"]["attempts"], found["p0"]["complete"]) == (3, 2)
        assert found["p0"]["errors"] == {"http_503": 1}
        assert found["p0"]["errorRate"] == 0.333333
        assert found["p1"]["errorRate"] == 0
        assert found["p0"]["p95ResponseMs"] >= found["p0"]["medianResponseMs"] >= 0
        assert "model" not in found["p0"]
        told = await asked.get("/api/admin/metrics/models?seconds=3600")
        assert {(row["provider"], row["model"]) for row in told["entries"]} == {
            ("p0", "up0"),
            ("p1", "up1"),
        }
        for query in ("seconds=0", "seconds=x", "seconds=99999999999", "seconds=1&seconds=2"):
            assert (await asked.ask("GET", f"/api/admin/metrics/models?{query}")).status == 400


async def test_excluded_errors_count_in_no_rate(tmp_path):
    """B-083: patterns of excluded-errors.json, from the next question on."""
    async with desk(tmp_path) as asked:
        asked.sidecar.upstreams[0].script(["503"])
        await asked.call()
        await asked.call(body={**CHAT, "model": "none"})
        await asked.get("/api/admin/errors")
        patterns = asked.state / "excluded-errors.json"
        patterns.write_text(json.dumps({"patterns": ["503", "model_not_*"]}))
        row = (await asked.get("/api/admin/metrics/providers"))["entries"][0]
        rows = (await asked.get("/api/admin/metrics/providers"))["entries"]
        row = next(row for row in rows if row["provider"] == "p0")
        assert (row["failed"], row["excludedErrors"], row["errorRate"]) == (0, 1, None)
        assert (await asked.get("/api/admin/errors"))["entries"][0]["excluded"] is True
        found = (await asked.get("/api/admin/metrics/summary"))["errorLog"]
        assert (found["excluded"], found["byCode"]) == (1, {})
        patterns.write_text("{ nonsense")
        assert (await asked.get("/api/admin/errors"))["entries"][0]["excluded"] is True


async def test_what_the_rules_ignore_counts_in_no_rate_either(tmp_path):
    """B-083: `health: {ignore: …}`."""
    extra = TIERS + "health: {ignore: [http_503, model_not_*]}\n"
    async with desk(tmp_path, extra=extra) as asked:
        asked.sidecar.upstreams[0].script(["503"])
        await asked.call()
        await asked.call(body={**CHAT, "model": "none"})
        rows = (await asked.get("/api/admin/metrics/providers"))["entries"]
        assert next(row for row in rows if row["provider"] == "p0")["excludedErrors"] == 1
        assert (await asked.get("/api/admin/metrics/summary"))["errorLog"]["excluded"] == 1


async def test_each_request_leaves_a_line_in_the_log(tmp_path, caplog):
    """B-201: with its time, how long it took and what it used."""
    caplog.set_level("INFO", "wattline.requests")
    async with desk(tmp_path, 1) as asked:
        await asked.call()
        (record,) = [one for one in caplog.records if "by-model" in one.getMessage()]
        assert record.created > 0
        for part in (" ms", "tokens ", "energy ", "status 200"):
            assert part in record.getMessage()


async def test_each_page_leaves_a_line_in_the_log(tmp_path, caplog):
    """B-201: all requests, those for pages too; never a query."""
    caplog.set_level("INFO", "wattline.requests")
    async with desk(tmp_path, 1) as asked:
        await asked.get("/v1/models?note=canary")
        assert (await asked.ask("GET", "/api/admin/keys/none")).status == 404
        assert (await asked.ask("GET", "/metrics", who="user")).status == 200
        told = [one.getMessage() for one in caplog.records if one.name == "wattline.requests"]
        lines, ids = ([text.partition(" ")[at] for text in told] for at in (2, 0))
    assert [line.rpartition(", ")[0] for line in lines] == [
        "GET /v1/models: status 200",
        "GET /api/admin/keys/none: status 404",
    ]
    assert all(line.endswith(" ms") for line in lines)
    assert all(name.startswith("req_") for name in ids)
    assert "canary" not in caplog.text


async def test_garbage_in_the_log(tmp_path):
    """B-200: what others write into the file costs nothing but itself."""
    async with desk(tmp_path, 1) as asked:
        await asked.call(body={**CHAT, "model": "none"})
        await asked.get("/api/admin/errors")
        path = asked.state / "logs" / LOG
        odd = [
            b"[]", b"5", b"null", b"\xff\xfe\x00", b"{" * 9_000, b'{"code": ["x"], "time": 5, "status": "x"}',
            b'{"code": "' + b"x" * 70_000 + b'"}', b'{"status": true, "provider": {}}', b'{"message": 1e400}', b"",
        ]  # fmt: skip
        with path.open("ab") as file:
            file.write(b"\n".join(odd) + b'\n{"code": "cut')
        await asked.call(body={**CHAT, "model": "none"})
        entries = (await asked.get("/api/admin/errors?limit=500"))["entries"]
        assert [one["code"] for one in entries if one.get("status") == 404] == [
            "model_not_found"
        ] * 2
        found = (await asked.get("/api/admin/metrics/summary"))["errorLog"]
        assert found["byCode"] == {"model_not_found": 2}
        assert found["unreadable"] >= 6
        assert found["totalLines"] == found["unreadable"] + 4


async def test_what_a_caller_names_is_data(tmp_path):
    """T16: one line for each, whatever the model is called."""
    async with desk(tmp_path, 1) as asked:
        names = ['m\n{"code": "forged"}', "\x1b[2J", "\u2028x", "x" * 199, '","status":200,"x":"']
        for name in names:
            await asked.call(body={**CHAT, "model": name})
        await asked.get("/api/admin/errors")
        lines = asked.lines(LOG)
        assert len(lines) == len(names)
        assert {line["code"] for line in lines} <= {"model_not_found", "invalid_value"}
        told = zip(lines, names, strict=True)
        assert all(line["requested"] in (None, name) for line, name in told)


async def test_what_was_asked_for_is_there_whatever_was_wrong(tmp_path):
    async with desk(tmp_path, 1) as asked:
        for body in ({"model": "m"}, {"model": 5, "messages": []}, {"model": "\ud800"}):
            await asked.call(body=body)
        path = "/v1beta/models/%ff:generateContent"
        await asked.ask("POST", path, {"contents": 5}, who="user")
        await asked.get("/api/admin/errors")
        lines = asked.lines(LOG)
        assert [line["requested"] for line in lines][:2] == ["m", None]
        assert len(lines) == 4
