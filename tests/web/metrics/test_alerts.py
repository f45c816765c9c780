"""The alerts of docs/observability.md, on what a sidecar says of itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from kit.sidecars import running

PAGE = Path(__file__).parents[3] / "docs" / "observability.md"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
_BLOCK = re.compile(r"```yaml\n(groups:\n.*?)```", re.DOTALL)
_EXPR = re.compile(
    r"(?P<rise>increase\()?(?P<name>\w+)(?:\{(?P<label>\w+)(?P<by>!?=)\"(?P<value>\w+)\"\})?"
    r"(?:\[5m\]\))? (?P<test>==|>) (?P<bound>\d+)"
)


def alerts() -> dict[str, re.Match[str]]:
    """The expression of each, in its parts."""
    (block,) = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    (group,) = yaml.safe_load(block)["groups"]
    found = {one["alert"]: _EXPR.fullmatch(one["expr"]) for one in group["rules"]}
    assert all(found.values()), found
    return found


async def firing(sidecar) -> set[str]:
    """Those that would be told now. A rise is since the start."""
    reply = await sidecar.call(b"", path="/metrics", method="GET")
    samples = [
        sample
        for family in text_string_to_metric_families(reply.body.decode())
        for sample in family.samples
    ]
    names, found = {sample.name for sample in samples}, set()
    for alert, expr in alerts().items():
        if expr["name"] == "up":  # Prometheus's own
            continue
        assert expr["rise"] or expr["name"] in names, expr[0]
        for sample in samples:
            if sample.name != expr["name"]:
                continue
            if expr["label"] is not None:
                same = sample.labels[expr["label"]] == expr["value"]
                if same is (expr["by"] == "!="):
                    continue
            bound = int(expr["bound"])
            if sample.value == bound if expr["test"] == "==" else sample.value > bound:
                found.add(alert)
    return found


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ("ok", "ok", set()),
        ("500", "ok", {"ProviderIsOut", "ProviderFails"}),
        ("500", "500", {"ProviderIsOut", "ProviderFails", "NoProviderAnswered"}),
        ("401", "ok", {"ProviderCanNotBeUsed"}),
    ],
)
async def test_an_alert_tells_what_went_wrong(tmp_path, first, second, wanted):
    """A-078, A-193: of a provider that fails, of its key, of calls that nobody answered."""
    async with running(tmp_path, extra="health: {failures: 6, cooldown: 5m}\n") as sidecar:
        sidecar.upstreams[0].always(first)
        sidecar.upstreams[1].always(second)
        for _ in range(6):
            await sidecar.call(CHAT)
        assert await firing(sidecar) == wanted
