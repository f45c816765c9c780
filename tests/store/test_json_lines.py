"""A bounded file of JSON lines, whatever is in it."""

from __future__ import annotations

import json
import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattline.store.json_lines import BLOCK, MAX_LINE, JsonLines, read_record


def line(number: int, text: str = "") -> bytes:
    return json.dumps({"n": number, "text": text}).encode() + b"\n"


def numbers(file: JsonLines, most: int = 1_000_000) -> list[int | None]:
    return [None if record is None else record.get("n") for record in file.records(most)]


def test_the_newest_come_first_over_all_files(tmp_path):
    file = JsonLines(tmp_path / "logs" / "x.jsonl", 200, older=2)
    for number in range(30):
        file.append([line(number)])
    found = numbers(file)
    assert found == list(range(29, 29 - len(found), -1))
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == [
        "x.jsonl",
        "x.jsonl.1",
        "x.jsonl.2",
    ]
    assert all(path.stat().st_size <= 200 for path in (tmp_path / "logs").iterdir())
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert numbers(file, 3) == [29, 28, 27]
    assert numbers(file, 0) == []


def test_without_older_files_it_begins_anew(tmp_path):
    file = JsonLines(tmp_path / "x", 50, older=0)
    for number in range(9):
        file.append([line(number)])
    assert numbers(file) == [8]


def test_a_line_that_was_cut_does_not_spoil_the_next(tmp_path):
    file = JsonLines(tmp_path / "x", 10_000)
    file.append([line(1)])
    with file.path.open("ab") as raw:
        raw.write(b'{"n": 2, "te')
    file.append([line(3)])
    assert numbers(file) == [3, None, 1]


def test_long_lines_cross_blocks(tmp_path):
    file = JsonLines(tmp_path / "x", 10 * BLOCK)
    file.append([line(1, "a" * (BLOCK - 100)), line(2), line(3, "b" * (BLOCK - 50)), line(4)])
    assert numbers(file) == [4, 3, 2, 1]


@pytest.mark.parametrize("size", [MAX_LINE + 1, 3 * BLOCK, 5 * BLOCK + 7])
def test_a_line_that_is_too_long_is_one_that_can_not_be_read(tmp_path, size):
    file = JsonLines(tmp_path / "x", 100 * BLOCK)
    file.append([line(1), b"[" * size + b"\n", line(2), b"x" * size + b"\n"])
    assert numbers(file) == [None, 2, None, 1]


def test_a_link_is_not_followed(tmp_path):
    """T22: neither for reading nor for writing."""
    (tmp_path / "secret").write_bytes(line(1))
    (tmp_path / "x").symlink_to(tmp_path / "secret")
    file = JsonLines(tmp_path / "x", 1_000)
    assert numbers(file) == []
    with pytest.raises(OSError, match="symbolic"):
        file.append([line(2)])
    os.mkfifo(tmp_path / "pipe")
    assert numbers(JsonLines(tmp_path / "pipe", 1_000)) == []
    (tmp_path / "folder").mkdir()
    assert numbers(JsonLines(tmp_path / "folder", 1_000)) == []


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=200)), st.binary(max_size=60))
def test_garbage(tmp_path, chunks, tail):
    """B-200: whatever somebody wrote into it, each line is an object or nothing."""
    path = tmp_path / "x"
    data = b"\n".join(chunks) + tail
    path.write_bytes(data)
    file = JsonLines(path, 1 << 20)
    expected = [part for part in data.split(b"\n") if part.strip()]
    assert list(file.lines(10_000)) == expected[::-1]
    assert all(record is None or isinstance(record, dict) for record in file.records(10_000))
    file.append([line(7)])
    assert numbers(file, 1) == [7]


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"1", b"nul", b"{" * 5000, b'{"a":1e999}', b"\xff\xfe"]
)
def test_what_is_no_object_is_none(raw):
    assert read_record(raw) is None
