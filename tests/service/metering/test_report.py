"""The line that each finished call leaves in the log."""

from __future__ import annotations

import logging
import re

from kit.sidecars import running

CHAT = {"model": "m", "messages": [{"role": "user", "content": "a secret prompt"}]}
DONE = re.compile(
    r"req_\w+ by-model: p1/up1, complete, status 200, attempts 2, \d+ ms, tokens \d+\+\d+, energy [\d.]+"
)


async def test_each_call_leaves_one_line_without_its_content(tmp_path, caplog):
    """C-105."""
    caplog.set_level(logging.INFO, "wattline.requests")
    async with running(tmp_path) as sidecar:
        for stream in (False, True):
            sidecar.upstreams[0].script(["500"])
            await sidecar.call({**CHAT, "stream": stream})
            lines = [r.getMessage() for r in caplog.records if r.name == "wattline.requests"]
            assert len(lines) == 1
            assert DONE.fullmatch(lines[0]), lines
            caplog.clear()
        for upstream in sidecar.upstreams:
            upstream.script(["500"])
        await sidecar.call(CHAT)
        (line,) = [r.getMessage() for r in caplog.records if r.name == "wattline.requests"]
        assert "by-model: p1/up1, all_providers_failed, status 500, attempts 2," in line
        assert line.endswith("tokens -, energy -")
        caplog.clear()
        await sidecar.call(b"{")
        (line,) = [r.getMessage() for r in caplog.records if r.name == "wattline.requests"]
        assert re.fullmatch(r"req_\w+ refused: 400 \w+", line), line
        assert "secret" not in caplog.text


async def test_what_broke_off_says_so(tmp_path, caplog):
    caplog.set_level(logging.INFO, "wattline.requests")
    async with running(tmp_path, 1) as sidecar:
        sidecar.upstreams[0].script(["cut:3"])
        await sidecar.call({**CHAT, "stream": True})
    (line,) = [r.getMessage() for r in caplog.records if r.name == "wattline.requests"]
    assert "p0/up0, truncated, status 200, attempts 1," in line
