"""B-083: errors that count in no rate."""

from __future__ import annotations

import json
import time

import pytest

from wattline.service.metering.exclusions import (
    MAX_BYTES,
    MAX_PATTERNS,
    Exclusions,
    ExclusionsFile,
    read_exclusions,
)


def test_parts_and_globs():
    """B-083."""
    found = Exclusions(["429", "Rate Limit", "http_5?3", "*busy*now"])
    assert len(found) == 4
    assert found.match("http_429")
    assert found.match("other", "the RATE LIMIT was hit")
    assert found.match("http_503")
    assert not found.match("x http_503")
    assert found.match("so busy just now")
    assert not found.match("", "http_500", "busy later")
    assert not Exclusions().match("anything")


def test_no_pattern_takes_long():
    """T20: no regular expressions; the worst of patterns on the worst of texts."""
    patterns = ["*a" * 99 + "b", "a" * 199 + "?", "*?" * 99]
    found = Exclusions(patterns)
    began = time.thread_time()
    found.match("a" * 100_000)
    assert time.thread_time() - began < 10


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"patterns": "429"}',
        b'{"patterns": [1]}',
        b'{"patterns": [""]}',
        b'{"patterns": ["  "]}',
        json.dumps({"patterns": ["x" * 201]}).encode(),
        json.dumps({"patterns": ["x"] * (MAX_PATTERNS + 1)}).encode(),
        b'{"patterns": [], "patterns": []}',
        b'{"patterns": [[[[[]]]]]}',
        b"\xef\xbb\xbf{}",
        b" " * (MAX_BYTES + 1),
    ],
)
def test_a_file_that_is_none(raw):
    with pytest.raises(ValueError, match=r"."):
        read_exclusions(raw)


def test_a_change_counts_and_a_mistake_does_not(tmp_path, caplog):
    path = tmp_path / "excluded-errors.json"
    file = ExclusionsFile(path)
    assert len(file.current()) == 0
    path.write_text('{"patterns": ["429"]}')
    assert file.current().match("http_429")
    path.write_text('{"patterns": ["429", }')
    assert file.current().match("http_429")
    assert file.error is not None
    assert "not in force" in caplog.text
    path.write_text('{"patterns": ["http_5*"]}')
    assert not file.current().match("http_429")
    assert file.error is None
    path.unlink()
    assert len(file.current()) == 0
    path.mkdir()
    assert len(file.current()) == 0
