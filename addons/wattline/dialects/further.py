"""The dialects that stand in one module each. To add one: write the module, name its entry here.

docs/new-dialect.md shows how.
"""

from __future__ import annotations

from typing import Final

from wattline.dialects.entry import Entry

FURTHER: Final[tuple[Entry, ...]] = ()
