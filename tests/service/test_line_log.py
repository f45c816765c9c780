"""Records on their way to a file."""

from __future__ import annotations

import asyncio

from wattline.service import line_log
from wattline.service.line_log import LineLog
from wattline.store.json_lines import JsonLines

SECRET = "sk-0123456789abcdef"


async def test_all_of_them_in_their_order_and_without_secrets(tmp_path):
    log = LineLog(JsonLines(tmp_path / "x", 1 << 20), lambda: [SECRET, "short"])
    for number in range(100):
        log.add({"n": number, "text": f"with {SECRET} in it, \ud800 and short"})
        if number % 7 == 0:
            await asyncio.sleep(0)
    await log.written()
    found = list(log.file.records(1_000))
    assert [record["n"] for record in found] == list(range(99, -1, -1))
    assert SECRET.encode() not in log.file.path.read_bytes()
    assert "[redacted]" in found[0]["text"]
    assert "short" in found[0]["text"]


async def test_a_disk_that_fails_loses_lines_and_says_so_once(tmp_path, caplog):
    (tmp_path / "logs").write_text("no folder")
    log = LineLog(JsonLines(tmp_path / "logs" / "x", 1 << 20))
    for _ in range(3):
        log.add({"a": 1})
        await log.written()
    assert caplog.text.count("can't be written") == 1
    (tmp_path / "logs").unlink()
    log.add({"a": 2})
    await log.written()
    assert [record["a"] for record in log.file.records(10)] == [2]
    assert "3 lines were lost" in caplog.text


async def test_a_flood_is_bounded(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(line_log, "WAITING", 10)
    log = LineLog(JsonLines(tmp_path / "x", 1 << 20))
    for number in range(50):
        log.add({"n": number})
    await log.written()
    assert len(list(log.file.records(100))) == 10
    assert "40 lines were lost" in caplog.text
