"""`/metrics` through a real socket: names that dashboards know, labels that nobody can flood."""

from __future__ import annotations

import time
import timeit

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from kit.sidecars import running
from wattline.base.errors import ClientFault, Kind
from wattline.base.settings import SettingsError
from wattline.rules.compiled.target import Target
from wattline.service.metering.counts import MOST, Counts
from wattline.store.base import State
from wattline.wire.usage import Usage

CHAT = {"model": "m", "messages": [{"role": "user", "content": "canary-prompt-4711"}]}
AUTH = """
auth:
  mode: keys
  keys: {ann: "${ANN}"}
"""
KEY = "key-of-ann-0123456789"


async def scraped(sidecar, **more):
    reply = await sidecar.call(b"", path="/metrics", method="GET", **more)
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return reply.body.decode()


def samples(text):
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def of(found, name, **labels):
    return found.get((name, frozenset(labels.items())))


async def test_calls_are_counted_under_the_names_that_dashboards_know(tmp_path):
    """E-004, E-051, E-100, E-101, E-102, E-103."""
    async with running(tmp_path) as sidecar:
        await sidecar.call(CHAT)
        sidecar.upstreams[0].script(["429"])
        await sidecar.call(CHAT)
        for upstream in sidecar.upstreams:
            upstream.script(["500"])
        sidecar.sidecar.parts.memory.resting.clear()
        await sidecar.call(CHAT)
        await sidecar.call(b"{")
        found = samples(await scraped(sidecar))
    assert of(found, "gateway_requests_total", provider="p0", status="success") == 1
    assert of(found, "gateway_requests_total", provider="p1", status="success") == 1
    assert of(found, "gateway_requests_total", provider="p1", status="error") == 1
    assert of(found, "gateway_requests_total", provider="none", status="refused") == 1
    for quantile in ("0.5", "0.95", "0.99"):
        value = of(found, "gateway_request_duration_seconds", provider="p0", quantile=quantile)
        assert 0 < value < 10
    assert of(found, "gateway_request_duration_seconds_count", provider="p1") == 2
    assert of(found, "gateway_request_duration_seconds_sum", provider="p1") > 0
    assert of(found, "gateway_tokens_total", provider="p0", type="prompt") > 0
    assert of(found, "gateway_tokens_total", provider="p0", type="completion") > 0
    assert of(found, "gateway_errors_total", provider="p0", error_type="rate_limit") == 1
    assert of(found, "gateway_errors_total", provider="p1", error_type="server_error") == 1
    assert of(found, "gateway_errors_total", provider="none", error_type="invalid_request") == 1


async def test_attempts_energy_and_the_sidecar_itself(tmp_path):
    async with running(tmp_path) as sidecar:
        sidecar.upstreams[0].script(["500"])
        reply = await sidecar.call(
            {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
        )
        energy = reply.events[-2]["usage"]["energy"]
        text = await scraped(sidecar)
        version = sidecar.sidecar.books.current.version
    found = samples(text)
    assert of(found, "wattline_attempts_total", provider="p0", model="up0", outcome="failed") == 1
    assert of(found, "wattline_attempts_total", provider="p1", model="up1", outcome="complete") == 1
    assert of(found, "wattline_energy_total", provider="p1") == pytest.approx(energy)
    assert of(found, "wattline_failovers_total") == 1
    assert of(found, "wattline_provider_available", provider="p1") == 1
    assert of(found, "wattline_breaker_state", provider="p0") == 0
    assert of(found, "wattline_provider_score", provider="p0") == 0
    assert 0 < of(found, "wattline_provider_score", provider="p1") <= 1
    assert of(found, "wattline_ledger_down") == 0
    assert of(found, "wattline_ledger_rows_total") >= 4
    assert of(found, "wattline_ledger_commit_seconds_count") >= 1
    assert of(found, "wattline_open_calls") == 0
    assert of(found, "wattline_uptime_seconds") > 0
    assert of(found, "wattline_rules_info", version=version) == 1
    assert "canary-prompt" not in text


async def test_an_open_breaker(tmp_path):
    """A-078, B-080, B-082: the worst of a provider's models."""
    text = "health: {failures: 1, cooldown: 5m}\n"
    async with running(tmp_path, extra=text) as sidecar:
        sidecar.upstreams[0].script(["500"])
        await sidecar.call(CHAT)
        found = samples(await scraped(sidecar))
    assert of(found, "wattline_breaker_state", provider="p0") == 2
    assert of(found, "wattline_breaker_state", provider="p1") == 0


async def test_names_of_clients_are_no_labels(tmp_path):
    """A model that is passed through by name, a caller, a host: nothing of them."""
    extra = """
    auth:
      mode: keys
      keys: {ann-caller-name: "${ANN}"}
    """
    headers = [("authorization", f"Bearer {KEY}")]
    async with running(tmp_path, 1, extra=extra, env={"ANN": KEY}) as sidecar:
        for number in range(5):
            model = f"p0/made-up-name-{number}"
            reply = await sidecar.call({**CHAT, "model": model}, headers=headers)
            assert reply.status == 200
        text = await scraped(sidecar, headers=headers)
    assert "made-up-name" not in text
    assert "ann-caller" not in text
    found = samples(text)
    assert (
        of(found, "wattline_attempts_total", provider="p0", model="other", outcome="complete") == 5
    )


async def test_a_full_window_is_counted(tmp_path):
    extra = "windows: {all: {calls: 1, per: 1m, scope: global}}\n"
    async with running(tmp_path, 1, extra=extra) as sidecar:
        assert [(await sidecar.call(CHAT)).status for _ in range(2)] == [200, 429]
        found = samples(await scraped(sidecar))
    assert of(found, "wattline_windows_full_total", of="caller") == 1
    assert of(found, "gateway_errors_total", provider="none", error_type="rate_limit") == 1


@pytest.mark.parametrize(("headers", "status"), [
    ([], 401), ([("authorization", "Bearer wrong-key-0123456789")], 401),
    ([("authorization", f"Bearer {KEY}")], 200),
])  # fmt: skip
async def test_with_keys_a_key_is_needed_also_from_this_machine(tmp_path, headers, status):
    """Behind a reverse proxy everybody comes from loopback."""
    async with running(tmp_path, 1, extra=AUTH, env={"ANN": KEY}) as sidecar:
        reply = await sidecar.call(b"", path="/metrics", method="GET", headers=headers)
        assert reply.status == status
        posted = await sidecar.call(b"{}", path="/metrics", headers=headers)
        assert posted.status == 405


async def test_metrics_can_be_switched_off(tmp_path):
    """E-026."""
    async with running(tmp_path, 1, env={"ENABLE_METRICS": "false"}) as sidecar:
        assert (await sidecar.call(b"", path="/metrics", method="GET")).status == 404
        assert (await sidecar.call(CHAT)).status == 200


async def test_another_word_for_the_switch_refuses_to_start(tmp_path):
    with pytest.raises(SettingsError, match="ENABLE_METRICS"):
        async with running(tmp_path, 1, env={"ENABLE_METRICS": "perhaps"}, check=False):
            pass


async def test_the_registry_of_the_process_is_not_used(tmp_path):
    before = {family.name for family in REGISTRY.collect()}
    async with running(tmp_path, 1) as sidecar:
        text = await scraped(sidecar)
        assert "python_info" not in text
    assert {family.name for family in REGISTRY.collect()} == before


async def test_a_table_of_labels_is_bounded(tmp_path):
    async with running(tmp_path, 1) as sidecar:
        book = sidecar.sidecar.books.current
    counts = Counts()
    counts.requests = {(str(number), "x"): 1 for number in range(MOST)}
    counts.refused(ClientFault("no", kind=Kind.NOT_FOUND))
    assert len(counts.requests) == MOST
    target = book.models["m0"][0]
    assert isinstance(target, Target)


async def test_counting_is_cheap(tmp_path):
    """Some 2 µs for an attempt on an idle core; here a bound that a busy one keeps too."""

    class Tried:
        passage = drill = None

    async with running(tmp_path, 1) as sidecar:
        book = sidecar.sidecar.books.current
    tried, counts = Tried(), Counts()
    tried.target = book.models["m0"][0]
    usage = Usage(10, 20)

    def once():
        counts.over(tried, book, State.COMPLETE, usage, 1_000)

    took = timeit.repeat(once, timer=time.thread_time, number=2_000, repeat=5)
    assert min(took) / 2_000 < 50e-6
    assert counts.tokens[("p0", "prompt")] == 100_000
