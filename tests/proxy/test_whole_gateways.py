"""What other gateways are as a whole: many of their promises at once, kept by one sidecar."""

from __future__ import annotations

import json
import logging
import sqlite3

from kit.admins import desk
from kit.books import rows
from kit.processes import free_port
from kit.sidecars import running

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
SYSTEM = {"role": "system", "content": "Be brief."}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


async def test_keys_routing_failover_bills_windows_errors_and_models(tmp_path):
    """A-001, B-001, C-007: one call after the other, by the key that a page made."""
    bounds = "accounts: {start_balance: 1000}\ntiers: {free: {rpm: 2}}\n"
    async with desk(tmp_path, 2, extra=bounds) as asked:
        assert (await asked.call("none")).status == 401
        made = await asked.post("/api/admin/api-keys", {"user": "dora", "tier": "free"}, 201)
        asked.keys["dora"], place = made["apiKey"], f"/api/admin/api-keys/{made['key']['id']}"
        asked.sidecar.upstreams[0].script(["500"])
        reply = await asked.call("dora")
        assert (reply.status, reply.headers["x-wattline-provider"]) == (200, "p1")
        energy = reply.json()["usage"]["energy"]
        assert energy > 0
        assert (await asked.get(place))["key"]["balance"] == 1000 - energy
        assert (await asked.call("dora")).status == 200
        assert (await asked.call("dora")).status == 429
        assert "m" in [model["id"] for model in (await asked.get("/v1/models", "dora"))["data"]]
        for upstream in asked.sidecar.upstreams:
            upstream.script(["500"])
        assert (await asked.call("user")).status == 500
        errors = (await asked.get("/api/admin/errors"))["entries"]
        assert (500, "p1") in [(error["status"], error["provider"]) for error in errors]
    booked = [row for row in rows(asked.state) if row["principal"] == "dora"]
    assert [(row["provider"], row["state"]) for row in booked][:2] == [
        ("p0", "failed"),
        ("p1", "complete"),
    ]
    assert booked[1]["energy"] == round(energy * 1_000_000)


async def test_open_mode_asks_nobody_who_they_are(tmp_path):
    """D-001: no credential, no user."""
    async with running(tmp_path, 1) as sidecar:
        assert (await sidecar.call(CHAT, path="/api/v1/inference")).status == 200
        (row,) = rows(sidecar.state)
        assert row["principal"] == "local"
        ledger = sqlite3.connect(sidecar.state / "ledger.sqlite")
        assert ledger.execute("SELECT count(*) FROM users").fetchone() == (0,)
        ledger.close()


async def test_parameters_reach_the_provider_as_they_are(tmp_path):
    """D-003, D-004: prompts, model, provider, temperature, tools; sound and pictures that are to be made."""
    body = {
        "model": "m",
        "messages": [SYSTEM, *CHAT["messages"]],
        "temperature": 0.3,
        "top_p": 0.9,
        "provider": {"order": ["openai", "azure"], "allow_fallbacks": False},
        "tools": [TOOL],
        "modalities": ["text", "image", "audio"],
        "audio": {"voice": "alloy", "format": "wav"},
    }
    async with running(tmp_path, 1) as sidecar:
        assert (await sidecar.call(body, path="/api/v1/inference")).status == 200
        (seen,) = sidecar.upstreams[0].journal.requests
        assert json.loads(seen.body) == {**body, "model": "up0"}


async def test_each_failure_is_logged_with_its_provider_and_model(tmp_path, caplog):
    """A-072: and the next is tried."""
    caplog.set_level(logging.DEBUG, "wattline")
    async with running(tmp_path, 2) as sidecar:
        sidecar.upstreams[0].script(["503"])
        assert (await sidecar.call(CHAT)).headers["x-wattline-provider"] == "p1"
    told = [record.getMessage() for record in caplog.records if record.name == "wattline.attempts"]
    assert any("p0" in line and "up0" in line and "503" in line for line in told), told


async def test_a_first_start_makes_its_files_and_a_second_keeps_them(tmp_path):
    """A-062, B-101."""
    assert not (tmp_path / "state").exists()
    for count in (1, 2):
        async with running(tmp_path, 1) as sidecar:
            assert (await sidecar.call(CHAT)).status == 200
        ledger = sqlite3.connect(tmp_path / "state" / "ledger.sqlite")
        assert ledger.execute("SELECT count(*) FROM attempts").fetchone() == (count,)
        ledger.close()


async def test_who_runs_their_models_at_home_falls_back_to_others(tmp_path):
    """C-010: Ollama can't be reached; whoever speaks OpenAI's chat completions answers."""
    async with running(tmp_path, 1) as sidecar:
        text = sidecar.rules.read_text().replace("try: model", "try: [ollama/llama3, m0]")
        home = f"  ollama: {{url: 'http://127.0.0.1:{free_port()}', dialect: ollama}}\n"
        sidecar.rules.write_text(text.replace("providers:\n", "providers:\n" + home, 1))
        reply = await sidecar.call(CHAT)
        assert (reply.status, reply.headers["x-wattline-provider"]) == (200, "p0")
        assert [(row["provider"], row["state"]) for row in rows(sidecar.state)] == [
            ("ollama", "failed"),
            ("p0", "complete"),
        ]


async def test_what_that_gateways_authors_still_wanted(tmp_path):
    """A-193: readiness, ids of requests, figures for Prometheus, a document of the API, whose paths have a
    version; breakers and alerts: tests/engine/test_breaker.py, tests/web/metrics/test_alerts.py.
    """
    async with running(tmp_path, 1) as sidecar:
        replies = [await sidecar.call(CHAT) for _ in range(2)]
        ids = {reply.headers["x-request-id"] for reply in replies}
        assert len(ids) == 2
        assert ids == {row["call"] for row in rows(sidecar.state)}
        found = {}
        for path in ("/health", "/health/live", "/health/ready", "/metrics", "/openapi.json"):
            found[path] = await sidecar.call(b"", path=path, method="GET")
            assert found[path].status == 200
        assert b'gateway_requests_total{provider="p0",status="success"} 2' in found["/metrics"].body
        assert "/v1/chat/completions" in found["/openapi.json"].json()["paths"]
