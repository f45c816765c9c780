from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.cli import files
from wattline.cli.files import (
    kind_of,
    network_kind,
    network_note,
    permission_notes,
    read_mount,
    read_mountinfo,
)

LINUX = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /home rw - nfs4 server:/home rw,addr=1.2.3.4
31 30 0:26 / /home/ann/local\\040disk rw - xfs /dev/sdb rw
nonsense
40 22 - - -
"""
BSD = """\
/dev/disk1s1 on / (apfs, local, journaled)
server:/a (b) on /Volumes/a on b (nfs, nodev, nosuid)
//ann@server/share on /Volumes/share (smbfs)
map auto_home on /home (autofs, automounted)
nonsense
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/x", "ext4"),
        ("/home/ann/state", "nfs4"),
        ("/home/ann/local disk/state", "xfs"),
        ("/homes", "ext4"),
    ],
)
def test_the_innermost_mount_counts(path, kind):
    assert kind_of(Path(path), read_mountinfo(LINUX)) == kind


def test_what_is_mounted_over_another_hides_it():
    twice = LINUX + "50 22 0:30 / /home rw - tmpfs tmpfs rw\n"
    assert kind_of(Path("/home/x"), read_mountinfo(twice)) == "tmpfs"


def test_the_mounts_of_a_mac():
    assert list(read_mount(BSD)) == [
        ("/", "apfs"),
        ("/Volumes/a on b", "nfs"),
        ("/Volumes/share", "smbfs"),
        ("/home", "autofs"),
    ]


@given(st.text())
def test_any_text_is_read_without_error(text):
    list(read_mountinfo(text))
    list(read_mount(text))


def test_a_network_file_system_is_told(tmp_path, monkeypatch):
    mounts = tmp_path / "mountinfo"
    mounts.write_text("22 1 8:1 / / rw - cifs //server/x rw\n")
    monkeypatch.setattr(files, "MOUNTS", mounts)
    assert network_kind(tmp_path) == "cifs"
    assert list(network_note(tmp_path)) == [
        f"state folder {tmp_path} is on a network file system (cifs)"
    ]
    mounts.write_text("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    assert network_kind(tmp_path) is None
    assert list(network_note(tmp_path)) == []
    mounts.write_bytes(b"\xff\xfe \x00")
    assert network_kind(tmp_path) is None


def test_rules_that_others_can_change_are_noted(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text("")
    for mode, who in (
        (0o664, "its group"),
        (0o646, "everybody"),
        (0o666, "its group and everybody"),
    ):
        path.chmod(mode)
        (note,) = permission_notes(path)
        assert f"changed by {who}," in note
    path.chmod(0o644)
    assert list(permission_notes(path)) == list(permission_notes(tmp_path / "none")) == []
