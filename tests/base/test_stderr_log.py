"""The log on stderr: in the background, in its encoding, and whoever reads it slowly or not at all stops nobody."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import logging
import os
import subprocess
import sys
import threading

import pytest

from wattline.base.clock import ManualClock
from wattline.base.log_queue import QueuedHandler
from wattline.base.logs import SafeFormatter, set_up
from wattline.base.stderr_log import StderrLines, StderrLog

PROGRAM = """
import logging, sys
from wattline.base.stderr_log import StderrLog
with StderrLog("info", lambda: ["sk-0123456789"], {form!a}):
    for number in range({count}):
        logging.getLogger("wattline.test").info("line %d: %s", number, {text!a})
    print("went on", flush=True)
"""


def program(count, text="x", form="text"):
    return [sys.executable, "-c", PROGRAM.format(count=count, text=text, form=form)]


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):  # a test may have closed it
            os.close(end)


@pytest.fixture
def loggers():
    """Puts back what tests change of them."""
    known = [logging.getLogger(), logging.getLogger("wattline")]
    before = [(one.handlers[:], one.level, one.propagate) for one in known]
    yield known[1]
    for one, (handlers, level, propagate) in zip(known, before, strict=True):
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)


def test_all_lines_come_in_their_order_and_before_the_end():
    done = subprocess.run(
        program(5_000, "é \x1b[31m sk-0123456789"), capture_output=True, timeout=60, check=True
    )
    lines = done.stderr.decode().splitlines()
    assert [int(line.split("line ")[1].split(":")[0]) for line in lines] == list(range(5_000))
    assert all(line.endswith("é \\x1b[31m [redacted]") for line in lines)


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_an_encoding_lacks_is_escaped(form):
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    said = subprocess.run(
        program(1, "é 漢", form), capture_output=True, timeout=60, check=True, env=env
    )
    assert b"went on" in said.stdout
    assert said.stderr.isascii()
    assert b"e9" in said.stderr


def test_nobody_reads():
    """The program goes on, and comes to its end."""
    with subprocess.Popen(
        program(9_000, "x" * 100), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"went on\n"
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_the_reader_is_gone():
    ends = os.pipe()
    os.close(ends[0])
    try:
        said = subprocess.run(
            program(100), stdout=subprocess.PIPE, stderr=ends[1], timeout=60, check=False
        )
    finally:
        os.close(ends[1])
    assert (said.returncode, said.stdout) == (0, b"went on\n")


def test_a_reader_that_blocks_nobody(pipe):
    """A descriptor that another process has switched to non-blocking: every byte comes, once."""
    reader, writer = pipe
    fcntl.fcntl(writer, fcntl.F_SETFL, fcntl.fcntl(writer, fcntl.F_GETFL) | os.O_NONBLOCK)
    sent = [(0.0, b"%d " % number + b"x" * 10_000) for number in range(100)]
    read = bytearray()

    def work():
        while data := os.read(reader, 5_000):
            read.extend(data)

    thread = threading.Thread(target=work)
    thread.start()
    StderrLines(writer, "utf-8").write(sent)
    os.close(writer)
    thread.join(60)
    assert bytes(read) == b"".join(line + b"\n" for _, line in sent)


def test_lines_that_nobody_took_are_counted(pipe, caplog):
    reader, writer = pipe
    os.close(reader)
    handler = QueuedHandler(SafeFormatter(tuple), ManualClock(now=0.0), 3)
    handler._place = StderrLines(writer, "utf-8")
    for _ in range(5):
        handler.handle(logging.LogRecord("wattline.x", logging.INFO, "", 0, "x", None, None))
    handler.write_waiting()
    assert (handler.dropped, handler.lost) == (2, 3)
    assert "stderr can't be written: Broken pipe" in caplog.text


def test_another_stream_in_its_place_is_used(monkeypatch, loggers):
    found = io.StringIO()
    monkeypatch.setattr(sys, "stderr", found)
    with StderrLog("info", tuple) as log:
        loggers.info("one")
        log.change("warning", "json")
        loggers.info("not shown")
        assert log.missing == 0
    assert found.getvalue().endswith("INFO    one\n")


def test_afterwards_lines_go_there_directly(pipe, monkeypatch, loggers):
    reader, writer = pipe
    with os.fdopen(os.dup(writer), "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with StderrLog("info", tuple) as log:
            log.change("info", "json")
            loggers.info("one")
        loggers.info("two")
    os.close(writer)
    with os.fdopen(reader, closefd=False) as left:
        lines = [json.loads(line)["message"] for line in left]
    assert lines == ["one", "two"]


def test_only_one_place(loggers):
    other = logging.NullHandler()
    set_up("warning", other)
    assert loggers.handlers == logging.getLogger().handlers == [other]
    assert not loggers.propagate
