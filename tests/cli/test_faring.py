"""`wattline health --targets`: what the ledger says of targets, without a sidecar."""

from __future__ import annotations

import json

from kit.sidecars import running
from wattline.base.settings import Settings
from wattline.cli.faring import targets

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


async def test_targets_out_of_the_ledger(tmp_path, capsys):
    """B-080: breaker, score, times and failures."""
    async with running(tmp_path, extra="health: {failures: 2, cooldown: 5m}\n") as sidecar:
        sidecar.upstreams[0].always("500")
        for _ in range(3):
            assert (await sidecar.call(CHAT)).status == 200
    settings = Settings(
        rules=tmp_path / "rules.yaml", state=tmp_path / "state", host="", port=0, env={}
    )
    targets(settings)
    shown = capsys.readouterr().out
    (first,) = [line for line in shown.splitlines() if line.startswith("p0/up0")]
    assert "open for " in first
    assert " 0.00 " in first
    assert " 100% " in first
    targets(settings, as_json=True)
    told = {one["target"]: one for one in json.loads(capsys.readouterr().out)["targets"]}
    assert (told["p0/up0"]["breaker"], told["p0/up0"]["calls"]) == ("open", 2)
    assert (told["p1/up1"]["breaker"], told["p1/up1"]["calls"]) == ("closed", 3)
    assert told["p1/up1"]["firstByteMs"] is not None
    assert told["p0/up0"]["triedAgainIn"] > 200


def test_without_a_ledger(tmp_path, capsys):
    (tmp_path / "rules.yaml").write_text("rules: [{name: all, try: model}]\n")
    settings = Settings(rules=tmp_path / "rules.yaml", state=tmp_path, host="", port=0, env={})
    targets(settings)
    assert capsys.readouterr().out == "No target answered or failed in the last hour.\n"
