from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from wattline.cli.streams import flush, soften


def test_what_an_encoding_lacks_is_written_in_other_signs(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    soften()
    sys.stdout.write("sk-…x7Q ✓ é\n")
    flush(0)
    assert raw.getvalue() == b"sk-...x7Q ok \\xe9\n"


@pytest.mark.parametrize("code", [None, 0])
def test_an_output_that_can_not_be_written_is_a_failure(code, monkeypatch, capsys):
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        full.write("x")
        with pytest.raises(SystemExit) as ended:
            flush(code)
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "wattline: the output can't be written: No space left on device\n"
    )


def test_a_failure_is_told_once(monkeypatch, capsys):
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        full.write("x")
        flush(1)
    assert capsys.readouterr().err == ""
