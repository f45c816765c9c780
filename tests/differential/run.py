"""Runs the tests, or with `--write` makes the page. LiteLLM leaves threads behind, so the process is left at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest


def main(arguments: list[str]) -> int:
    """The exit code."""
    if arguments == ["--write"]:
        here = Path(__file__).parent
        sys.path[:0] = [str(here), str(here.parent), str(here.parents[1] / "addons")]
        from comparison import differences  # noqa: PLC0415  (found only now)
        from page import FILE, page  # noqa: PLC0415

        FILE.write_text(page(sorted(set(differences()))), encoding="utf-8")
        return 0
    here = Path(__file__).parent
    plain = ("-c", str(here / "differential.ini"), "-p", "no:cacheprovider", "--show-capture=no")
    return pytest.main([str(here), *plain, *arguments])


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
