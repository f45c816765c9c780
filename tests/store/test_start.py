"""Opening: what is refused, and that a refused file stays as it was."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from kit.ledgers import opened, settled
from wattline.base.clock import ManualClock
from wattline.store import start
from wattline.store.base import LedgerDown
from wattline.store.sqlite import SqliteLedger

SOURCES = Path(start.__file__).parents[2]


@pytest.fixture
async def path(tmp_path):
    made = tmp_path / "state" / "ledger.sqlite"
    ledger = await SqliteLedger.open_at(made, ManualClock())
    for number in range(30):
        await ledger.open(opened(f"a{number}"))
    await ledger.settle(settled("a1"))
    await ledger.close()
    return made


def damaged(content):
    yield "no header", b"not a database, though long enough to be one" * 100
    yield "zeros", bytes(4096)
    yield "cut in the header", content[:60]
    yield "first byte", b"X" + content[1:]
    yield "page size", content[:16] + b"\xff\xff" + content[18:]
    yield "schema page", content[:100] + os.urandom(3996) + content[4096:]
    yield "cut after the first page", content[:4096]
    yield "cut in the middle", content[: len(content) // 2]


async def test_a_damaged_file_is_refused_with_a_way_out_and_left_alone(path):
    """32: restore hint, file untouched."""
    whole = path.read_bytes()
    for name, content in damaged(whole):
        path.write_bytes(content)
        with pytest.raises(LedgerDown, match=r"damaged.*(restore a backup)") as caught:
            await SqliteLedger.open_at(path, ManualClock())
        assert str(path) in str(caught.value), name
        assert path.read_bytes() == content, name
    path.write_bytes(whole)
    await (await SqliteLedger.open_at(path, ManualClock())).close()


async def test_an_empty_file_is_a_new_ledger(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.touch()
    ledger = await SqliteLedger.open_at(path, ManualClock())
    await ledger.open(opened())
    await ledger.close()


@pytest.mark.parametrize("left", [None, b""])
async def test_a_log_without_its_ledger_is_refused_and_left_alone(path, left):
    """SQLite would delete it, and with it the newest commits."""
    log = path.with_name("ledger.sqlite-wal")
    log.write_bytes(b"commits")
    kept = path.rename(path.with_name("moved"))
    if left is not None:
        path.write_bytes(left)
    with pytest.raises(LedgerDown, match=r"is gone, and ledger\.sqlite-wal .* put the file back"):
        await SqliteLedger.open_at(path, ManualClock())
    assert log.read_bytes() == b"commits"
    assert (path.read_bytes() if path.exists() else None) == left
    log.unlink()
    kept.rename(path)
    await (await SqliteLedger.open_at(path, ManualClock())).close()


@pytest.mark.parametrize("shape", ["folder is a file", "file is a folder", "link to nowhere"])
async def test_a_path_that_can_not_be_one(tmp_path, shape):
    path = tmp_path / "state" / "ledger.sqlite"
    if shape == "folder is a file":
        path.parent.touch()
    elif shape == "file is a folder":
        path.mkdir(parents=True)
    else:
        path.parent.mkdir()
        path.symlink_to(tmp_path / "missing" / "x")
    with pytest.raises(LedgerDown, match=re.escape(str(path))):
        await SqliteLedger.open_at(path, ManualClock())


async def test_locked_at_start(path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(LedgerDown, match=r"another program holds its lock: .* for writing$"):
            await SqliteLedger.open_at(path, ManualClock(), busy_ms=0)
    finally:
        other.close()
    ledger = await SqliteLedger.open_at(path, ManualClock())
    assert ledger.down is None
    await ledger.close()


AS_NOBODY = """
import asyncio, os, sys
from pathlib import Path
from wattline.base.clock import SystemClock
from wattline.store.base import LedgerDown
from wattline.store.sqlite import SqliteLedger
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
async def main():
    try:
        ledger = await SqliteLedger.open_at(Path(sys.argv[1]), SystemClock())
    except LedgerDown as error:
        print(error)
    else:
        print("opened")
        await ledger.close()
asyncio.run(main())
"""


@pytest.fixture
def open_to_all(path):
    """A copy of the ledger that a user without rights can reach."""
    folder = Path("/tmp") / f"wattline-{os.getpid()}"  # noqa: S108 - pytest's own folder is private
    folder.mkdir(mode=0o755)
    shutil.copy(path, folder / "ledger.sqlite")
    (folder / "ledger.lock").touch()
    (folder / "other thing").touch()
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    for item in (folder, *folder.iterdir()):
        os.chown(item, owner, -1)
    yield folder / "ledger.sqlite"
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "words"),
    [
        (0o755, 0o644, "opened"),
        (0o555, 0o444, "read-only: give|permission: give|can't be opened"),
        (0o555, 0o644, "read-only: give|permission: give|can't be opened"),
        (0o000, 0o644, "permission: give"),
    ],
)
def test_without_the_right_to_write(open_to_all, folder_mode, file_mode, words):
    open_to_all.chmod(file_mode)
    content = open_to_all.read_bytes()
    open_to_all.parent.chmod(folder_mode)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(open_to_all)],
        env=os.environ | {"PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    open_to_all.parent.chmod(0o755)
    assert any(word in done.stdout for word in words.split("|")), done
    assert words == "opened" or open_to_all.read_bytes() == content


async def test_an_old_sqlite_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(LedgerDown, match=r"too old: use a Python built with 3\.37\.0"):
        await SqliteLedger.open_at(tmp_path / "ledger.sqlite", ManualClock())


@pytest.mark.parametrize(("version", "told"), [((3, 51, 2), True), ((3, 51, 3), False)])
async def test_the_sqlite_version_is_logged_once(tmp_path, monkeypatch, caplog, version, told):
    caplog.set_level(logging.DEBUG, "wattline.store")
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    ledger = await SqliteLedger.open_at(tmp_path / "ledger.sqlite", ManualClock())
    await ledger.close()
    lines = [record for record in caplog.records if "SQLite" in record.message]
    assert [(line.levelname, "below 3.51.3" in line.message) for line in lines] == [("DEBUG", told)]


async def test_a_refused_start_releases_the_lock(path):
    content = path.read_bytes()
    path.write_bytes(b"X" + content[1:])
    for _ in range(2):
        with pytest.raises(LedgerDown, match="damaged"):
            await SqliteLedger.open_at(path, ManualClock())
