"""What a run leaves behind: modes of files, no secret in any of them, and logs that can't be forged."""

from __future__ import annotations

import io
import json
import logging
import stat

import pytest

from kit.attacks import CALLS, raw, request
from kit.clients import CONNECT_H2
from kit.sidecars import running
from wattline.app.sidecar import Sidecar
from wattline.base.logs import SafeFormatter
from wattline.base.settings import Settings
from wattline.store.base import LedgerDown

CHAT = {"model": "m", "messages": [{"role": "user", "content": "canary-prompt-4711"}]}
NAUGHTY = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "a\nERROR forged line",
    "a\r\nERROR forged line",
    "\u2028forged",
    "\x85forged",
    "\u202egnp.exe",
    "\ufeff",
    "\0",
    "\x7f",
    "%s%s%s%n",
    "{0.__class__}",
    "${jndi:ldap://evil.test/a}",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "../../../etc/passwd",
    "`id`",
    "田中さん",
    "👩‍👩‍👧",
    "A" * 5000,
    "\ud800",
]


async def test_only_the_owner_can_read_what_a_run_writes(tmp_path):
    """T25, T26: folder 0700; the ledger, its log and the CA's key 0600."""
    async with running(tmp_path, 1) as sidecar:
        assert (await sidecar.call(CHAT, CONNECT_H2)).status == 200
        state = sidecar.state
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        private = [p for p in state.rglob("*") if p.is_file()]
        assert {p.name for p in private} >= {"ledger.sqlite", "ledger.sqlite-wal"}
        for path in private:
            mode = stat.S_IMODE(path.stat().st_mode)
            data = path.read_bytes()
            if b"PRIVATE KEY" in data or path.name.startswith("ledger"):
                assert mode == 0o600, (path, oct(mode))
            assert not mode & 0o022, (path, oct(mode))
            assert b"sk-secret-of-upstream" not in data
            assert b"canary-prompt-4711" not in data


async def test_two_sidecars_do_not_share_a_ledger(tmp_path):
    """T34: the second says so and leaves the first alone, by a link too."""
    async with running(tmp_path, 1) as sidecar:
        link = tmp_path / "link"
        link.symlink_to(sidecar.state, target_is_directory=True)
        for folder in [sidecar.state, link]:
            settings = Settings(
                rules=sidecar.rules,
                state=folder,
                host="127.0.0.1",
                port=0,
                env={"KEY_0": "sk-secret-of-upstream-0000"},
            )
            with pytest.raises(LedgerDown):
                await Sidecar(settings).start()
        assert (await sidecar.call(CHAT)).status == 200


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
async def test_no_text_of_a_client_writes_a_line_of_its_own(tmp_path, level):
    """T15, T16: one line a record, no escapes, no keys and no prompts, at any level."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    records: list[logging.LogRecord] = []
    handler.addFilter(lambda record: records.append(record) or True)
    handler.setFormatter(SafeFormatter(lambda: ["sk-secret-of-upstream-0000"]))
    root, ours = logging.getLogger(), logging.getLogger("wattline")
    before = ours.level
    root.addHandler(handler)
    ours.setLevel(level)
    try:
        async with running(tmp_path, 1) as sidecar:
            for text in NAUGHTY:
                for fault in ["ok", "500", "html"]:
                    sidecar.upstreams[0].script([fault])
                    sidecar.sidecar.parts.memory.resting.clear()
                    body = {**CHAT, "user": text, "model": "m" if fault == "ok" else text}
                    await sidecar.call(json.dumps(body).encode())
                value = text.encode("utf-8", "surrogatepass")
                await raw(sidecar.address, request(b"user-agent: " + value), quiet=0.02)
                line = b"POST " + value.replace(b" ", b"_") + b" HTTP/1.1"
                await raw(sidecar.address, request(line=line), quiet=0.02, seconds=2)
                await raw(
                    sidecar.address, request(line=f"BREW {CALLS} HTTP/1.1".encode()), quiet=0.02
                )
    finally:
        root.removeHandler(handler)
        ours.setLevel(before)
    text = out.getvalue()
    assert "canary-prompt-4711" not in text
    assert "sk-secret-of-upstream" not in text
    for line in text.split("\n"):
        assert line.isprintable(), line
    tracebacks = [record for record in records if record.exc_info]
    assert not tracebacks, tracebacks
    assert len(text.splitlines()) == len(records)
