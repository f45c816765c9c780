"""The log of a sidecar's process: stderr and files at once, exceptions that nobody caught, nothing secret."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import re
import stat
import sys
import threading

import pytest

from kit.clients import REVERSE, call
from kit.processes import SidecarProcess
from kit.sidecars import QUICK, rules
from wattline.base.uncaught import log_uncaught, log_unhandled
from wattline.demo.provider import DemoProvider

KEY = "sk-secret-of-upstream-0000"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "canary-prompt-4711"}]}


@pytest.fixture
async def upstream():
    provider = DemoProvider(QUICK, allow_faults=True)
    yield f"{await provider.start()}/v1"
    await provider.stop()


async def logged(tmp_path, upstream, extra="", env=None):
    """What stderr and the files of a run with one call and one refusal hold."""
    path = tmp_path / "rules.yaml"
    path.write_text(rules([upstream], extra=extra))
    made = SidecarProcess(
        path,
        tmp_path / "state",
        {"KEY_0": KEY, "WATTLINE_LOG_LEVEL": "info", **(env or {})},
    )
    await made.start()
    try:
        assert (await call(made.address, REVERSE, None, CHAT)).status == 200
        assert (await call(made.address, REVERSE, None, b"{")).status == 400
        other = "/v1/nothing?key=canary-key-0123456789"
        assert (await call(made.address, REVERSE, None, b"", path=other)).status == 404
    finally:
        await made.stop()
    found = sorted((tmp_path / "state" / "logs").glob("server.*.log"))
    return (
        made.log.read_text(),
        [json.loads(x) for p in found for x in p.read_bytes().splitlines()],
        found,
    )


async def test_lines_go_to_stderr_and_into_a_file(tmp_path, upstream):
    """A-170, A-173, A-174, A-175, A-059, A-076, B-201."""
    text, lines, files = await logged(tmp_path, upstream, env={"WATTLINE_LOG_LEVEL": "debug"})
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600]
    done = next(one for one in lines if one.get("rule") == "by-model")
    assert done["logger"] == "wattline.requests"
    assert done["request_id"].startswith("req_")
    assert (done["status"], done["outcome"], done["attempts"]) == (200, "complete", 1)
    assert done["message"] in text
    attempts = [one for one in lines if one["logger"] == "wattline.attempts"]
    assert attempts
    assert all(one["request_id"] == done["request_id"] for one in attempts)
    told = [one["message"].removeprefix(f"{done['request_id']} ") for one in attempts]
    assert told[0] == "attempt 1/1: m0 to up0 (127.0.0.1)"
    assert re.fullmatch(r"attempt 1: p0/up0 complete in \d+ ms, \d+ tokens", told[1]), told
    assert any(one["message"] == "stopping" for one in lines)
    refused = [one for one in lines if "refused" in one["message"]]
    assert {one["status"] for one in refused} == {400, 404}
    assert all(one["request_id"] for one in refused)
    for shown in (text, json.dumps(lines)):
        assert "canary" not in shown
        assert KEY not in shown


@pytest.mark.parametrize(
    ("level", "levels"),
    [("debug", {"debug", "info"}), ("info", {"info"}), ("error", set()), ("silent", set())],
)
async def test_the_level_of_the_environment(tmp_path, upstream, level, levels):
    """B-133: `LOG_LEVEL`, on stderr and in files."""
    env = {"WATTLINE_LOG_LEVEL": "", "LOG_LEVEL": level}
    text, lines, _ = await logged(tmp_path, upstream, env=env)
    assert {one["level"] for one in lines} - {"warning"} == levels
    assert ("by-model" in text) is ("info" in levels)
    assert ("attempt 1/1" in text) is ("debug" in levels)
    assert level != "silent" or not text.strip()


async def test_tokens_and_dialogs_have_lines_of_their_own(tmp_path, upstream):
    """A-175, A-059: by family, each with the request that it belongs to, in both places."""
    path = tmp_path / "rules.yaml"
    path.write_text(rules([upstream], extra="auth: {mode: keys}\n"))
    master = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
    env = {"KEY_0": KEY, "ADMIN_FIRST": master, "WATTLINE_LOG_LEVEL": "info"}
    made = SidecarProcess(path, tmp_path / "state", env)
    await made.start()
    ids = {}
    try:
        for method, page, body in (
            ("PUT", "/token", {"operation": "add", "amount": 1000}),
            ("POST", "/token", b""),
            ("POST", "/completions", {"model": "m", "content": "canary-4711", "userId": "ann"}),
            ("PUT", "/system-message", {"message": "canary-4712", "userId": "ann"}),
            ("DELETE", "/system-message", b""),
            ("DELETE", "/dialog", b""),
        ):
            target = f"{page}?masterToken={master}&userId=ann"
            reply = await call(made.address, REVERSE, None, body, path=target, method=method)
            assert reply.status == 200, reply.body
            ids[reply.headers["x-request-id"]] = f"{method} {page}"
    finally:
        await made.stop()
    text, (file,) = made.log.read_text(), (tmp_path / "state" / "logs").glob("server.*.log")
    lines = [json.loads(line) for line in file.read_bytes().splitlines()]
    for family, wanted in FAMILIES.items():
        told = [one for one in lines if one["logger"] == f"wattline.{family}"]
        assert [(ids[one["request_id"]], one["message"].split(" ", 1)[0]) for one in told] == [
            (page, word) for page, words in wanted for word in words
        ]
        for one in told:
            assert f" {one['request_id']} {one['message']}\n" in text
    assert "canary" not in text + json.dumps(lines)


FAMILIES = {
    "tokens": [("PUT /token", ["user", "user", "key"]), ("POST /token", ["key"])],
    "dialogs": [
        ("POST /completions", ["the"]),
        ("PUT /system-message", ["the"]),
        ("DELETE /system-message", ["the"]),
        ("DELETE /dialog", ["the"]),
    ],
}


async def test_stderr_can_be_json_and_files_can_be_off(tmp_path, upstream):
    """A-174."""
    text, lines, files = await logged(
        tmp_path, upstream, "log: {file: false}\n", {"LOG_FORMAT": "json"}
    )
    assert not lines
    assert not files
    found = [json.loads(line) for line in text.splitlines()]
    assert {"info"} <= {one["level"] for one in found}
    assert any(one.get("rule") == "by-model" for one in found)


async def test_a_folder_that_can_not_be_used_is_told_and_survived(tmp_path, upstream):
    (tmp_path / "taken").write_text("a file")
    text, lines, _ = await logged(tmp_path, upstream, f"log: {{file: {tmp_path}/taken}}\n")
    assert "no log file" in text
    assert not lines


@pytest.fixture
def hooks():
    made = log_uncaught()
    yield
    made.put_back()


def test_an_exception_of_a_thread_is_logged(hooks, caplog):
    """A-011."""
    thread = threading.Thread(target=lambda: 1 / 0, name="worker")
    thread.start()
    thread.join()
    assert "[UNCAUGHT EXCEPTION] ZeroDivisionError in thread worker" in caplog.text
    assert caplog.records[0].exc_info


def test_an_exception_of_the_main_thread_is_logged(hooks, caplog, capsys):
    """A-011; an interrupt is none."""
    try:
        raise ValueError("x")
    except ValueError:
        sys.excepthook(*sys.exc_info())
    assert "[UNCAUGHT EXCEPTION] ValueError" in caplog.text
    caplog.clear()
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert not caplog.records


async def test_an_exception_of_a_task_is_logged_and_the_loop_goes_on(caplog):
    """A-011."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    log_unhandled(loop)
    try:
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert "[UNHANDLED REJECTION]" in caplog.text
        assert caplog.records[0].exc_info[0] is ZeroDivisionError
        caplog.clear()
        loop.call_exception_handler({"message": "lost", "exception": ConnectionResetError()})
        assert [one.levelno for one in caplog.records] == [logging.WARNING]
        loop.call_exception_handler({"message": "odd"})
        assert "odd" in caplog.text
    finally:
        loop.set_exception_handler(before)


def test_the_hooks_of_before_come_back():
    found = sys.excepthook, threading.excepthook, sys.unraisablehook
    log_uncaught().put_back()
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook) == found


async def test_who_does_not_read_our_stderr_stops_no_call(tmp_path, upstream):
    """A terminal that stands still, a log driver that hangs: calls go on, and so does the end."""
    path = tmp_path / "rules.yaml"
    path.write_text(rules([upstream]))
    made = SidecarProcess(path, tmp_path / "state", {"KEY_0": KEY, "WATTLINE_LOG_LEVEL": "debug"})
    reader, writer = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4_096)
    try:
        made.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "wattline", "serve", "--rules", str(path)),
            *("--state", str(tmp_path / "state"), "--port", str(made.address[1])),
            env=made.env,
            stderr=writer,
        )
        async with asyncio.timeout(60):
            while not await made.ready():
                await asyncio.sleep(0.02)
            for _ in range(60):
                assert (await call(made.address, REVERSE, None, CHAT)).status == 200
        made.process.terminate()
        async with asyncio.timeout(60):
            assert await made.process.wait() == 0
    finally:
        made.kill()
        os.close(writer)
        os.close(reader)
