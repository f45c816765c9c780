"""Files of the log: a new one each day and after each 20 MB, kept for 7 days, for one process."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import stat
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from wattline.base.clock import ManualClock
from wattline.base.log_files import MAX_BYTES, LogFiles, LogsInUse
from wattline.base.log_queue import QueuedHandler
from wattline.base.logs import JsonFormatter

NOON = datetime(2026, 3, 10, 12, 0).timestamp()  # noqa: DTZ001  (days of the log are local)
DAY = 86_400.0


@pytest.fixture
def files(tmp_path):
    made = LogFiles(tmp_path / "logs")
    made.open()
    yield made
    made.close()


def names(files):
    return sorted(path.name for path in files.folder.glob("server.*.log"))


def text(files, name):
    return (files.folder / name).read_text()


def record(message="x", created=NOON):
    made = logging.LogRecord("wattline.test", logging.INFO, "", 0, message, None, None)
    made.created = created
    return made


def handler(limit=10_000, now=NOON):
    return QueuedHandler(JsonFormatter(tuple), ManualClock(now=0.0, epoch=now), limit)


def test_names_and_modes(files):
    """A-173: only the owner may read."""
    files.write([(NOON, b"one"), (NOON, b"two")])
    assert names(files) == ["server.2026-03-10.1.log"]
    assert text(files, "server.2026-03-10.1.log") == "one\ntwo\n"
    path = files.folder / "server.2026-03-10.1.log"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700


def test_a_new_file_begins_at_midnight(files):
    """A-171: to the line, also within one batch."""
    midnight = datetime(2026, 3, 11).timestamp()  # noqa: DTZ001
    files.write([(midnight - 0.001, b"before"), (midnight, b"after")])
    assert text(files, "server.2026-03-10.1.log") == "before\n"
    assert text(files, "server.2026-03-11.1.log") == "after\n"


def test_a_new_file_begins_after_20_mb(files):
    """A-172: no line is split, none is lost, none of the files is larger."""
    assert MAX_BYTES == 20_000_000
    line = b"x" * 999_999
    for _ in range(45):
        files.write([(NOON, line)])
    sizes = [(files.folder / name).stat().st_size for name in names(files)]
    assert sizes == [20_000_000, 20_000_000, 5_000_000]


def test_a_restart_goes_on_where_there_is_room(tmp_path):
    for _ in range(3):
        files = LogFiles(tmp_path, max_bytes=25)
        files.open()
        files.write([(NOON, b"ten bytes")])
        files.close()
    assert names(files) == ["server.2026-03-10.1.log", "server.2026-03-10.2.log"]
    assert text(files, "server.2026-03-10.1.log") == "ten bytes\n" * 2


def test_numbers_are_no_text(tmp_path):
    """After 9 comes 10, and after a restart 11."""
    files = LogFiles(tmp_path, max_bytes=10)
    files.open()
    files.write([(NOON, b"ten bytes")] * 10)
    files.close()
    again = LogFiles(tmp_path, max_bytes=10)
    again.open()
    again.write([(NOON, b"ten bytes")])
    again.close()
    assert len(names(again)) == 11
    assert "server.2026-03-10.11.log" in names(again)


def test_files_go_after_7_days_and_nothing_else_does(files):
    """A-171: only files of this name, never what a link leads to."""
    files.folder.joinpath("server.2026-03-02.1.log").write_text("old")
    files.folder.joinpath("server.2026-03-03.1.log").write_text("kept: 7 days")
    others = [
        "server.log", "server.2026-03-02.log", "server.2026-03-02.0.log", "server.2026-13-40.1.log",
        "server.2026-03-02.1.log.gz", "xserver.2026-03-02.1.log", "server.2026-03-02.1.LOG",
    ]  # fmt: skip
    for name in others:
        files.folder.joinpath(name).write_text("somebody else's")
    outside = files.folder.parent / "outside"
    outside.write_text("not ours")
    files.folder.joinpath("server.2026-03-01.1.log").symlink_to(outside)
    files.folder.joinpath("server.2026-03-01.2.log").mkdir()
    files.write([(NOON, b"now")])
    assert not files.folder.joinpath("server.2026-03-02.1.log").exists()
    assert files.folder.joinpath("server.2026-03-03.1.log").exists()
    assert outside.read_text() == "not ours"
    assert files.folder.joinpath("server.2026-03-01.1.log").is_symlink()
    assert all(files.folder.joinpath(name).exists() for name in others)


def test_a_flood_is_bounded(tmp_path):
    files = LogFiles(tmp_path, max_bytes=10, max_files=5)
    files.open()
    for _ in range(30):
        files.write([(NOON, b"ten bytes")])
    files.close()
    assert len(names(files)) <= 6
    assert "server.2026-03-10.30.log" in names(files)


def test_two_do_not_share_a_folder(files):
    """Also not two processes."""
    with pytest.raises(LogsInUse, match="another process"):
        LogFiles(files.folder).open()
    program = (
        "import sys, pathlib\n"
        "from wattline.base.log_files import LogFiles, LogsInUse\n"
        "try:\n    LogFiles(pathlib.Path(sys.argv[1])).open()\n"
        "except LogsInUse:\n    sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, files.folder], check=False)
    assert done.returncode == 7
    files.close()
    again = LogFiles(files.folder)
    again.open()
    again.close()


def test_a_link_in_place_of_the_file_is_not_followed(files):
    outside = files.folder.parent / "outside"
    outside.write_text("")
    files.folder.joinpath("server.2026-03-10.1.log").symlink_to(outside)
    with pytest.raises(OSError, match="symbolic"):
        files.write([(NOON, b"x")])
    assert outside.read_text() == ""


def test_a_file_that_is_taken_away_is_made_again(files):
    files.write([(NOON, b"one")])
    path = files.folder / "server.2026-03-10.1.log"
    path.rename(path.with_suffix(".old"))
    files.write([(NOON, b"two")])
    assert path.read_text() == "two\n"


def test_a_torn_line_is_ended_first(files):
    files.folder.joinpath("server.2026-03-10.1.log").write_text('{"half": ')
    files.write([(NOON, b"whole")])
    assert text(files, "server.2026-03-10.1.log") == '{"half": \nwhole\n'


def lines(folder: Path):
    paths = sorted(folder.glob("server.*.log"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines() if line]


def test_a_handler_writes_in_the_background_and_at_its_end(tmp_path):
    """A-170: what came before the folder was known is there too."""
    made = handler()
    made.handle(record("early"))
    made.start(LogFiles(tmp_path))
    made.handle(record("late"))
    made.close()
    made.close()
    assert [line["message"] for line in lines(tmp_path)] == ["early", "late"]


def test_a_full_queue_drops_counts_and_tells(tmp_path):
    made = handler(limit=10)
    for number in range(25):
        made.handle(record(str(number)))
    assert made.dropped == 15
    made.start(LogFiles(tmp_path))
    made.close()
    found = [line["message"] for line in lines(tmp_path)]
    assert found[:10] == [str(number) for number in range(10)]
    assert re.match(r"15 lines are missing here", found[10])


def test_a_full_disk_is_survived(tmp_path, monkeypatch, caplog):
    made = handler()
    made.start(LogFiles(tmp_path))
    made._ended.set()  # the test writes, not the thread
    made._news.set()
    made._thread.join(10)
    made._place.open()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    real = os.write
    monkeypatch.setattr(os, "write", full)
    for _ in range(3):
        made.handle(record("lost"))
        made.write_waiting()
    assert made.lost == 3
    told = [one for one in caplog.records if one.name == "wattline.logs"]
    assert len(told) == 1
    assert "No space left" in told[0].getMessage()
    monkeypatch.setattr(os, "write", real)
    made.handle(record("found"))
    made.write_waiting()
    made._place.close()
    found = [line["message"] for line in lines(tmp_path)]
    assert found[0] == "found"
    assert found[1].startswith("3 lines are missing")


def test_half_a_write_loses_no_other_line(files, monkeypatch):
    """A disk that fills up in the middle of a line."""
    real, left = os.write, [4]

    def short(file, data):
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = real(file, data[: left[0]])
        left[0] = 0
        return count

    files.write([(NOON, b"before")])
    monkeypatch.setattr(os, "write", short)
    with pytest.raises(OSError, match="space"):
        files.write([(NOON, b"torn line")])
    monkeypatch.setattr(os, "write", real)
    files.write([(NOON, b"after")])
    assert text(files, "server.2026-03-10.1.log") == "before\ntorn\nafter\n"


def test_a_line_that_can_not_be_made_ends_nothing(tmp_path):
    class Bad:
        def __str__(self):
            raise RuntimeError

    made = handler()
    made.start(LogFiles(tmp_path))
    broken = record("%s")
    broken.args = (Bad(),)
    made.handle(broken)
    made.handle(record("good"))
    made.close()
    assert made.lost == 1
    assert next(line["message"] for line in lines(tmp_path)) == "good"


def test_old_files_go_at_midnight_though_nothing_is_logged(tmp_path):
    old = tmp_path / "server.2026-03-03.1.log"
    old.write_text("")
    made = handler(now=NOON)
    made._place = LogFiles(tmp_path)
    made._tidy()
    assert old.exists()
    made._clock.advance(DAY / 2 + 1)
    made._tidy()
    assert not old.exists()


def test_a_child_of_a_fork_writes_nothing(tmp_path):
    made = handler()
    made.start(LogFiles(tmp_path))
    made._process += 1  # as a child sees it
    made.handle(record("of the child"))
    assert made.dropped == 1
    made._process = os.getpid()
    made.close()
    assert "of the child" not in str(lines(tmp_path))


def test_many_threads(tmp_path):
    made = handler()
    made.start(LogFiles(tmp_path, max_bytes=5_000))
    threads = [
        threading.Thread(target=lambda: [made.handle(record("x")) for _ in range(200)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made.close()
    assert len(lines(tmp_path)) == 800


def test_seven_days_are_days_of_the_calendar(files):
    """One that is 7 days and a minute old is kept: its last line may be younger."""
    day = datetime.fromtimestamp(NOON).date()  # noqa: DTZ006
    for age in range(10):
        name = f"server.{(day - timedelta(days=age)).isoformat()}.1.log"
        files.folder.joinpath(name).write_text("")
    files.tidy(NOON)
    assert len(names(files)) == 8
