from __future__ import annotations

import stat

import pytest

from wattline.store.base import LedgerDown
from wattline.store.folder import Lock, make_private, prepare


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_private(tmp_path):
    prepare(tmp_path / "a" / "state")
    assert mode(tmp_path / "a" / "state") == 0o700


def test_our_own_folder_is_made_private(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir(0o755)
    for name in ("README.md", ".gitignore", "ledger.sqlite", "ledger.sqlite-wal", "ledger.lock"):
        (folder / name).touch()
    prepare(folder)
    assert mode(folder) == 0o700


def test_a_folder_with_other_things_keeps_its_mode(tmp_path):
    folder = tmp_path / "lib"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "dpkg").mkdir()
    prepare(folder)
    assert mode(folder) == 0o755


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "state").touch()
    with pytest.raises(FileExistsError):
        prepare(tmp_path / "state")


def test_an_existing_file_is_made_private_and_keeps_its_content(tmp_path):
    file = tmp_path / "x"
    file.write_text("kept")
    file.chmod(0o666)
    make_private(file)
    assert (mode(file), file.read_text()) == (0o600, "kept")


def test_a_lock_has_one_owner_at_a_time(tmp_path):
    """T34"""
    first = Lock(tmp_path / "ledger.lock")
    with pytest.raises(LedgerDown, match="another wattline"):
        Lock(tmp_path / "ledger.lock")
    first.release()
    first.release()
    Lock(tmp_path / "ledger.lock").release()


def test_a_stale_lock_file_does_not_matter(tmp_path):
    file = tmp_path / "ledger.lock"
    file.write_bytes(b"\xff\x00 not a number" * 100)
    lock = Lock(file)
    assert file.read_text().strip().isdigit()
    lock.release()
