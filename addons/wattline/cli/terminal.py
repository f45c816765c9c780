"""Output for people: tables, bars and marks that also read well in a file or without colours."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

BAR = 16
_EIGHTHS = " ▏▎▍▌▋▊▉"
WIDE = 200
"""Columns where no terminal says how many there are: nothing is cut then."""


def is_plain() -> bool:
    """No colours and no block characters: not a terminal, NO_COLOR is set (https://no-color.org), or they are not
    in the terminal's encoding.
    """
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return True
    return not (sys.stdout.encoding or "").lower().startswith("utf")


def console() -> Console:
    """Where tables are printed."""
    if is_plain():
        return Console(width=None if sys.stdout.isatty() else WIDE, no_color=True, highlight=False)
    return Console(highlight=False)


def table(columns: Sequence[str], numbers: Sequence[str], ids: Sequence[str] = ()) -> Table:
    """A table whose `numbers` columns are right-aligned. They and `ids` are never cut in two lines."""
    made = Table(box=None if is_plain() else box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in columns:
        justify: Literal["left", "right"] = "right" if name in numbers else "left"
        whole = name in numbers or name in ids
        made.add_column(name, justify=justify, overflow="fold", no_wrap=whole)
    return made


def print_rows(
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    numbers: Sequence[str] = (),
    ids: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Print a table. Where the terminal is too narrow for it, `spare` columns are left out, the first of them
    first, and the named ones are told; where that is not enough `ids` are written in several lines.
    """
    out, left = console(), [*columns]
    endless = out.options.update(max_width=100_000)
    made = _filled(columns, left, rows, numbers, ids)
    for name in spare:
        if Measurement.get(out, endless, made).maximum <= out.width:
            break
        left.remove(name)
        made = _filled(columns, left, rows, numbers, ids)
    if ids and Measurement.get(out, endless, made).minimum > out.width:
        made = _filled(columns, left, rows, numbers, ())  # in two lines rather than cut off
    out.print(made)
    if gone := [name for name in columns if name and name not in left]:
        out.print(f"The terminal is too narrow for: {', '.join(gone)}.")


def _filled(
    columns: Sequence[str],
    left: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    numbers: Sequence[str],
    ids: Sequence[str],
) -> Table:
    made = table(left, numbers, ids)
    shown = [number for number, name in enumerate(columns) if name in left]
    for row in rows:
        made.add_row(*(row[number] for number in shown))
    return made


def safe(text: str) -> Text:
    """`text` as it is, but for what a terminal would act on: labels come partly from clients."""
    return Text("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text))


def counted(count: int, one: str, more: str | None = None) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def bar(share: float) -> str:
    """A bar for a share of 0 to 1; a share above 0 is always seen."""
    share = min(max(share, 0.0), 1.0)
    if is_plain():
        length = round(share * BAR)
        return "#" * (max(length, 1) if share else 0)
    eighths = round(share * BAR * 8)
    eighths = max(eighths, 1) if share else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
