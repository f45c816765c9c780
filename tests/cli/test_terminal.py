"""Tables at the width of a terminal."""

from __future__ import annotations

import pytest

from wattline.cli.terminal import counted, print_rows

COLUMNS = ("id", "name", "count", "bar")
ROWS = [["key_0123456789abcdef", "a name of many words", "123,456,789", "#" * 16]]


def printed(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_rows(COLUMNS, ROWS, numbers=("count",), ids=("id",), spare=("bar",))
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [46, 60, 68])
def test_a_narrow_terminal_does_without_the_spare(width, monkeypatch, capsys):
    out = printed(width, monkeypatch, capsys)
    assert "key_0123456789abcdef" in out
    assert "123,456,789" in out
    assert "####" not in out
    assert "too narrow for: bar" in " ".join(out.split())


def test_a_very_narrow_one_has_all_of_each_name(monkeypatch, capsys):
    """Two lines rather than a name, or a column, that is cut off."""
    out = printed(30, monkeypatch, capsys)
    assert "123,456,789" in out
    assert "".join(line[:10].split()[0] for line in out.splitlines()[1:3]) in "key_0123456789abcdef"
    assert "cdef" in out


def test_a_wide_one_has_all(monkeypatch, capsys):
    out = printed(80, monkeypatch, capsys)
    assert "#" * 16 in out
    assert "narrow" not in out


def test_counts_are_words():
    assert [counted(n, "row") for n in (0, 1, 2000)] == ["0 rows", "1 row", "2,000 rows"]
    assert counted(1, "entry", "entries") == "1 entry"
    assert counted(3, "entry", "entries") == "3 entries"
